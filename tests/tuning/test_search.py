"""A search: equal effort, a row a trial, nothing lost when it is stopped."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchbench.api import Assets, Diverged, UsageError
from benchbench.cli.tune import summary
from benchbench.registry import Registry
from benchbench.tuning import trial as trials
from benchbench.tuning.history import History
from benchbench.tuning.processes import run_apart
from benchbench.tuning.proposals import propose
from benchbench.tuning.search import Runner, Search, check_search
from benchbench.tuning.space import Range, embedded_spaces
from benchbench.tuning.trial import Job, Result, run_trial

SPACE = {"lr": Range(low=0.001, high=1.0, log=True), "width": Range(low=4, high=8), "m": ("a", "b")}


def search(**change: Any) -> Search:
    options: dict[str, Any] = {
        "models": ["vae", "gan"],
        "datasets": ["grid25"],
        "trials": 3,
        "budget": "10step",
        "objective": "mode_kl",
        "sampler": "random",
        "seed": 1000,
        "device": "cpu",
        "threads": 1,
        "spaces": embedded_spaces(),
    }
    return check_search(Registry.load(), **{**options, **change})


def fake(jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
    """Scores a trial by its number, and lets trial 1 fail."""
    for job in jobs:
        if job.trial == 1:
            yield job, Result("error", reason="a reason")
        else:
            yield job, Result("done", score=1.0 / (1 + job.trial), spend={"flop": 5.0})


def ran(s: Search, folder: Path) -> History:
    history = History.open(folder, s.settings())
    assert len(list(s.run(history, Assets(), fake))) == len(history.rows)
    return history


def test_every_model_gets_the_same_trials_seeds_and_budget(tmp_path: Path) -> None:
    rows = ran(search(), tmp_path).rows
    by_model = {
        m: [(r["trial"], r["seed"], r["budget"]) for r in rows if r["model"] == m]
        for m in ("vae", "gan")
    }
    assert by_model["vae"] == by_model["gan"]
    assert [seed for _, seed, _ in by_model["gan"]] == ["1000", "1001", "1002"]
    assert [r["model"] for r in rows] == ["vae", "gan"] * 3  # stopped anywhere, still equal


def test_the_first_trial_is_the_defaults_and_a_failure_is_a_row(tmp_path: Path) -> None:
    history = ran(search(), tmp_path)
    first, failed, last = history.of("grid25", "gan")
    assert first["options"] == "{}"
    assert (failed["status"], failed["reason"], failed["score"]) == ("error", "a reason", "")
    assert json.loads(last["options"])
    _, gan = search().targets
    assert search().best(history, gan) == last
    assert replace(search(), maximise=True).best(history, gan) == first


def final_scores(better: float) -> Runner:
    """Trials as `fake`; in the finals the defaults score 0.5 and other options `better`."""

    def run(jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
        for job in jobs:
            score = 1.0 / (1 + job.trial)
            if job.final:
                score = better if job.options else 0.5
            yield job, Result("done", score=score)

    return run


@pytest.mark.parametrize(("better", "chosen"), [(0.4, "2"), (0.5, "0"), (0.6, "0")])
def test_the_finals_decide_whether_the_best_trial_beats_the_defaults(
    tmp_path: Path, better: float, chosen: str
) -> None:
    s = search(finals=2)
    history = History.open(tmp_path, s.settings())
    ended = list(s.run(history, Assets(), final_scores(better)))
    finals = [job for job, _ in ended if job.final]
    assert len(finals) == 2 * 2 * 2  # models, seeds, the defaults and the best trial
    best, defaults = ([j.seed for j in finals if bool(j.options) is b] for b in (True, False))
    assert best == defaults  # the same seeds for both
    assert not set(best) & {int(row["seed"]) for row in history.rows}
    again = History.open(tmp_path, s.settings())
    assert list(s.run(again, Assets(), final_scores(better))) == []
    for target in s.targets:
        row = s.chosen(again, target)
        assert row is not None
        assert row["trial"] == chosen


def test_finals_of_another_budget_decide_for_themselves(tmp_path: Path) -> None:
    short, long = search(finals=1), search(finals=1, finals_budget="20step")
    history = History.open(tmp_path, short.settings())
    list(short.run(history, Assets(), final_scores(0.4)))
    jobs = [job for job, _ in long.run(history, Assets(), final_scores(0.6))]
    assert [(job.final, job.budget) for job in jobs] == [(True, "20step")] * 4
    for target in short.targets:
        found = [(s.chosen(history, target) or {})["trial"] for s in (short, long)]
        assert found == ["2", "0"]


def by_trial(finals: dict[int, float]) -> Runner:
    """Later trials score better; in the finals each has its score in `finals`, twice as recall."""

    def run(jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
        for job in jobs:
            score = finals[job.trial] if job.final else 1.0 / (1 + job.trial)
            yield job, Result("done", score=score, scores={"recall": 2 * score})

    return run


@pytest.mark.parametrize(
    ("finalists", "finals", "chosen"),
    [
        (3, {0: 0.5, 4: 0.6, 3: 0.4, 2: 0.45}, "3"),
        (3, {0: 0.3, 4: 0.6, 3: 0.4, 2: 0.45}, "0"),
        (2, {0: 0.5, 4: 0.6, 3: 0.55}, "0"),
        (99, {0: 0.5, 4: 0.6, 3: 0.7, 2: 0.8, 1: 0.1}, "1"),
    ],
)
def test_the_best_trials_meet_in_the_finals(
    tmp_path: Path, finalists: int, finals: dict[int, float], chosen: str
) -> None:
    s = search(trials=5, finals=2, finalists=finalists, also=["recall"])
    history = History.open(tmp_path, s.settings())
    jobs = [job for job, _ in s.run(history, Assets(), by_trial(finals)) if job.final]
    assert all(job.also == ("recall",) for job in jobs)
    for target in s.targets:
        theirs = [(job.seed, job.trial) for job in jobs if job.model == target.model]
        order = [0, *(row for row in (4, 3, 2, 1) if row in finals)]
        assert theirs == [(seed, trial) for seed in (1001000, 1001001) for trial in order]
        assert (s.chosen(history, target) or {})["trial"] == chosen
        assert s.final_scores(history, target, 4, "recall") == [1.2, 1.2]
        line = next(text for text in summary(s, history) if "finals: " in text)
        assert line.startswith("  finals: trial 4 0.6 (n = 2, recall 1.2), trial 3 ")
        assert line.endswith(f", defaults {finals[0]} (n = 2, recall {2 * finals[0]:.4g})")


def test_more_finalists_are_added_to_finals_that_were_held(tmp_path: Path) -> None:
    one, more = search(finals=1), search(finals=1, finalists=3)
    history = History.open(tmp_path, one.settings())
    list(one.run(history, Assets(), by_trial({0: 0.5, 2: 0.4})))
    added = [job.trial for job, _ in more.run(history, Assets(), by_trial({1: 0.3}))]
    assert added == [1, 1]  # of either model


def test_scores_beside_the_objective_are_measured_where_they_can_be() -> None:
    job = Job(
        "grid25",
        "vae",
        0,
        {},
        "mode_kl",
        "5step",
        1000,
        also=("recall", "hq_share", "fid", "class_kl"),
    )
    result = run_trial(job)
    assert result.status == "done"
    assert {"mode_kl", "recall", "hq_share", "coverage"} <= result.scores.keys()
    assert result.score == result.scores["mode_kl"]
    assert not {"fid", "class_kl"} & result.scores.keys()  # of images, of classes


def test_finals_that_failed_leave_the_defaults(tmp_path: Path) -> None:
    def run(jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
        for job in jobs:
            if job.final and job.options:
                yield job, Result("diverged", reason="not finite")
            else:
                yield job, Result("done", score=1.0 / (1 + job.trial))

    s = search(finals=1)
    history = History.open(tmp_path, s.settings())
    list(s.run(history, Assets(), run))
    assert [(s.chosen(history, t) or {})["trial"] for t in s.targets] == ["0", "0"]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_stopped_search_goes_on_with_the_same_options(tmp_path: Path, sampler: str) -> None:
    whole = ran(search(trials=4, sampler=sampler), tmp_path / "whole")
    ran(search(trials=2, sampler=sampler), tmp_path / "parts")
    more = search(trials=4, sampler=sampler)
    parts = History.open(tmp_path / "parts", more.settings())
    assert more.missing(parts) == 4
    assert len(list(more.run(parts, Assets(), fake))) == 4
    assert parts.rows == whole.rows
    assert more.missing(parts) == 0


def test_other_settings_are_refused(tmp_path: Path) -> None:
    ran(search(), tmp_path)
    with pytest.raises(UsageError, match='budget = "10step", not "20step"'):
        History.open(tmp_path, search(budget="20step").settings())


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"seed": 5}, "seeds from 1000 up"),
        ({"objective": "mode_lk"}, "did you mean 'mode_kl'"),
        ({"objective": "train_loss"}, "unknown objective"),
        ({"objective": "mode_width"}, "neither more nor less of it is better"),
        ({"models": ["article"]}, "article does not serve points data"),
        ({"models": []}, "was given"),
        ({"budget": "10stpe"}, "unknown budget unit 'stpe'"),
    ],
)
def test_a_slip_is_refused(change: dict[str, Any], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        search(**change)
    assert part in str(caught.value)


def test_draws_lie_in_the_space_and_differ() -> None:
    drawn = [
        propose(SPACE, [], sampler="random", seed=1000, model="x", trial=k, maximise=False)
        for k in range(1, 9)
    ]
    for options in drawn:
        assert 0.001 <= options["lr"] <= 1 and 4 <= options["width"] <= 8
        assert options["m"] in ("a", "b")
    assert len({options["lr"] for options in drawn}) == 8
    assert any(options["lr"] < 0.03 for options in drawn)  # even in the logarithm


def test_tpe_learns_from_the_trials_before() -> None:
    """It draws nearer to the best lr than chance does, by more than two standard errors.

    Score: |log10 lr + 2| with log10 lr in [−3, 0]; of a uniform draw its mean is 5/6 and its
    standard deviation 0.55, so the mean of 30 draws has a standard error of 0.10.
    """
    late: list[float] = []
    for seed in (1, 2, 3):
        past: list[tuple[dict[str, Any], float | None]] = []
        for k in range(1, 26):
            options = propose(
                SPACE, past, sampler="tpe", seed=seed, model="x", trial=k, maximise=False
            )
            score = abs(math.log10(options["lr"]) + 2)
            past.append((options, score))
            late += [score] if k > 15 else []
    assert sum(late) / len(late) < 5 / 6 - 2 * 0.10


def job(**change: Any) -> Job:
    base: dict[str, Any] = {"dataset": "grid25", "model": "vae", "trial": 0, "options": {}}
    rest = {"objective": "mode_kl", "budget": "2step", "seed": 1000}
    return Job(**{**base, **rest, **change})


def test_a_trial_draws_as_it_is_told() -> None:
    plain, bare = (
        run_trial(job(objective="mode_width", sampling=options)).scores
        for options in ({}, {"observation_noise": False})
    )
    assert plain["mode_width"] != bare["mode_width"]
    wrong = run_trial(job(sampling={"noise": 1}))
    assert wrong.status == "error" and "noise" in wrong.reason


def test_a_trial_trains_and_scores_on_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchbench.data import held_out

    seen: list[str] = []
    original = held_out.on_validation

    def watched(dataset: Any) -> Any:
        view = original(dataset)
        seen.append(view.digest)
        return view

    monkeypatch.setattr(held_out, "on_validation", watched)
    result = run_trial(job())
    assert result.status == "done" and seen
    assert result.score is not None and result.scores["mode_kl"] == result.score
    assert result.spend["step"] == 2 and result.spend["flop"] > 0


@pytest.mark.parametrize(
    ("error", "status"), [(Diverged("loss is nan"), "diverged"), (ValueError("no"), "error")]
)
def test_what_a_model_does_wrong_is_a_result(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: str
) -> None:
    def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr(trials, "_fit", broken)
    result = run_trial(job())
    assert (result.status, result.score) == (status, None)
    assert str(error) in result.reason


def _ends_itself(job: Job) -> Result:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _sleeps(job: Job) -> Result:
    import time

    time.sleep(60)
    raise AssertionError


def test_a_trial_that_is_killed_or_hangs_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchbench.tuning import processes

    monkeypatch.setattr(processes, "run_trial", _ends_itself)
    ((_, killed),) = run_apart([job()])
    assert killed.status == "error" and "ended by signal 9" in killed.reason
    monkeypatch.setattr(processes, "run_trial", _sleeps)
    ((_, late),) = run_apart([job()], timeout=0.2)
    assert late.status == "timeout" and "longer than 0.2 s" in late.reason
