"""A search: which trials there are, in which order, and which are still to be run.

The best of many trials owes part of its score to luck. So a search may have finals: the defaults
and the best trials train again on seeds that none has seen, the same ones for all, and the options
with the best mean are chosen. A tie, or finals that failed, leave the defaults. Finals may have
another budget than the trials: that of the runs the options are meant for; then it is worth to have
several trials in them, because what is best at a small budget need not be at a large one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from benchbench.api import Assets, Budget, ScoreSpec, UsageError
from benchbench.registry import Registry
from benchbench.tuning.history import History
from benchbench.tuning.proposals import Sampler, propose
from benchbench.tuning.space import Space, read_space
from benchbench.tuning.trial import Job, Result

__all__ = ["FINAL_SEEDS", "FIRST_SEED", "Runner", "Search", "Target", "check_search"]

FIRST_SEED = 1000
"""Trials use seeds from here on; reported runs use lower ones."""
FINAL_SEEDS = 1_000_000
"""Final k trains with the search's seed + this + k."""
Runner = Callable[[Iterable[Job]], Iterator[tuple[Job, Result]]]


@dataclass(frozen=True)
class Target:
    """A model on a data set, and what is varied of it."""

    dataset: str
    model: str
    space: Space


@dataclass(frozen=True)
class Search:
    """The same number of trials and the same budget a trial for every target.

    Trial k has seed `seed` + k, whatever the model. finals: seeds of the finals, 0 for none.
    finals_budget: of each of them. finalists: how many of the best trials are in them.
    also: scores to record beside the objective, which decide nothing.
    """

    targets: tuple[Target, ...]
    trials: int
    budget: str
    objective: str
    maximise: bool
    sampler: Sampler
    seed: int
    device: str
    threads: int
    plugins: tuple[str, ...]
    finals_budget: str
    skipped: tuple[str, ...] = ()
    finals: int = 0
    finalists: int = 1
    also: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """What all trials of a history share; models, data sets, trials and finals may be added."""
        names = ("budget", "objective", "sampler", "seed", "threads")
        return {name: getattr(self, name) for name in names}

    def run(self, history: History, assets: Assets, runner: Runner) -> Iterator[tuple[Job, Result]]:
        """Run what is missing, the finals last; each is in the history before it is yielded."""
        for jobs in (self._jobs(history, assets), self._final_jobs(history, assets)):
            for job, result in runner(jobs):
                history.add(job, result)
                yield job, result

    def missing(self, history: History) -> int:
        """How many trials are still to be run, the finals aside."""
        return len(list(self._open(history)))

    def best(self, history: History, target: Target) -> dict[str, str] | None:
        """The trial with the best score, the earliest where some are equal; None where none has."""
        return next(iter(self._ranked(history, target)), None)

    def in_finals(self, history: History, target: Target) -> list[dict[str, str]]:
        """The best trials, best first, without the defaults: those that meet them in the finals."""
        ranked = self._ranked(history, target)[: self.finalists if self.finals else 0]
        return [row for row in ranked if row["trial"] != "0"]

    def chosen(self, history: History, target: Target) -> dict[str, str] | None:
        """The trial whose options are to be used: the best one, or that of the finals; None where
        no trial has a score."""
        finalists = self.in_finals(history, target)
        if not finalists:
            return self.best(history, target)
        defaults = next(r for r in history.of(target.dataset, target.model) if r["trial"] == "0")
        scored = [
            (self._loss(fmean(scores)), row)
            for row in (defaults, *finalists)
            if (scores := self.final_scores(history, target, int(row["trial"])))
        ]
        return min(scored, key=lambda pair: pair[0], default=(0.0, defaults))[1]

    def final_scores(
        self, history: History, target: Target, trial: int, score: str | None = None
    ) -> list[float]:
        """The scores of a trial's options in the finals of this budget, in the order of seeds.

        score: one of `also`; left out: the objective.
        """
        rows = history.finals_of(target.dataset, target.model, trial, self.finals_budget)
        if score is None:
            return [float(row["score"]) for row in rows if row["score"]]
        values = (json.loads(row["scores"]).get(score) for row in rows)
        return [value for value in values if value is not None]

    def _ranked(self, history: History, target: Target) -> list[dict[str, str]]:
        """Trials that have a score, the best first, the earlier one where some are equal."""
        scored = [row for row in history.of(target.dataset, target.model) if row["score"]]
        return sorted(scored, key=lambda row: self._loss(float(row["score"])))

    def _loss(self, score: float) -> float:
        return -score if self.maximise else score

    def _open(self, history: History) -> Iterator[tuple[Target, int]]:
        """Trial by trial over all targets, so that a search that is stopped is an equal one."""
        done = {(row["dataset"], row["model"], int(row["trial"])) for row in history.rows}
        for trial in range(self.trials):
            for target in self.targets:
                if (target.dataset, target.model, trial) not in done:
                    yield target, trial

    def _jobs(self, history: History, assets: Assets) -> Iterator[Job]:
        for target, trial in list(self._open(history)):
            rows = history.of(target.dataset, target.model)
            past = [
                (json.loads(row["options"]), float(row["score"]) if row["score"] else None)
                for row in rows
                if int(row["trial"]) < trial
            ]
            options = propose(
                target.space,
                past,
                sampler=self.sampler,
                seed=self.seed,
                model=target.model,
                trial=trial,
                maximise=self.maximise,
            )
            yield self._job(target, trial, options, self.seed + trial, assets)

    def _final_jobs(self, history: History, assets: Assets) -> Iterator[Job]:
        done = {
            (r["dataset"], r["model"], int(r["trial"]), int(r["seed"]))
            for r in history.finals
            if r["budget"] == self.finals_budget
        }
        for seed in range(self.seed + FINAL_SEEDS, self.seed + FINAL_SEEDS + self.finals):
            for target in self.targets:
                finalists = self.in_finals(history, target)
                if not finalists:
                    continue
                for row in (history.of(target.dataset, target.model)[0], *finalists):
                    trial = int(row["trial"])
                    if (target.dataset, target.model, trial, seed) not in done:
                        options = json.loads(row["options"])
                        job = self._job(target, trial, options, seed, assets)
                        yield replace(job, final=True, budget=self.finals_budget)

    def _job(
        self, target: Target, trial: int, options: dict[str, Any], seed: int, assets: Assets
    ) -> Job:
        return Job(
            dataset=target.dataset,
            model=target.model,
            trial=trial,
            options=options,
            objective=self.objective,
            also=self.also,
            budget=self.budget,
            seed=seed,
            device=self.device,
            threads=self.threads,
            plugins=self.plugins,
            assets=assets,
        )


def check_search(
    registry: Registry,
    *,
    models: Iterable[str],
    datasets: Iterable[str],
    trials: int,
    budget: str,
    objective: str,
    sampler: Sampler,
    seed: int,
    device: str,
    threads: int,
    spaces: Path,
    finals: int = 0,
    finals_budget: str | None = None,
    finalists: int = 1,
    also: Iterable[str] = (),
) -> Search:
    """Check every name and option; raises UsageError; loads no torch.

    A model that doesn't serve a data set's kind is left out there and named in `skipped`.
    finals_budget: None for `budget`.
    """
    if not finals and (finals_budget is not None or finalists > 1):
        given = f"--finals-budget {finals_budget}" if finals_budget else f"--finalists {finalists}"
        raise UsageError(f"{given} needs --finals K with K from 1 up")
    if seed < FIRST_SEED:
        raise UsageError(
            f"--seed is {seed}; trials need seeds from {FIRST_SEED} up, because reported runs use "
            "lower ones"
        )
    score = _objective(registry, objective)
    beside = tuple(dict.fromkeys(also))
    for name in beside:
        _score(registry, name, "score")
    targets, skipped = _targets(registry, models, datasets, objective, spaces)
    if not targets:
        raise UsageError("; ".join(skipped) or "no model and no data set to tune on was given")
    return Search(
        targets=tuple(targets),
        trials=trials,
        budget=str(Budget.parse(budget)),
        finals_budget=str(Budget.parse(finals_budget or budget)),
        objective=objective,
        maximise=score.direction == "max",
        sampler=sampler,
        seed=seed,
        device=device,
        threads=threads,
        plugins=tuple(str(path) for path in registry.files),
        skipped=tuple(skipped),
        finals=finals,
        finalists=finalists,
        also=beside,
    )


def _score(registry: Registry, name: str, what: str) -> ScoreSpec:
    """The score of this name; what: is asked for, in the message where there is none."""
    score = registry.score_specs().get(name)
    if score is None:
        from benchbench.api import unknown

        raise unknown(what, name, registry.score_specs())
    return score


def _objective(registry: Registry, name: str) -> ScoreSpec:
    """The score of this name, which has a better side."""
    score = _score(registry, name, "objective")
    if score.direction == "none":
        raise UsageError(f"{name} can't be an objective: neither more nor less of it is better")
    return score


def _targets(
    registry: Registry,
    models: Iterable[str],
    datasets: Iterable[str],
    objective: str,
    spaces: Path,
) -> tuple[list[Target], list[str]]:
    """Each model on each data set whose kind it serves, and a line for each it does not."""
    measured = registry.metric(objective).spec.kinds
    targets, skipped = [], []
    for dataset in dict.fromkeys(datasets):
        data = registry.dataset(dataset).spec
        if data.kind not in measured:
            raise UsageError(f"{objective} is not measured on {data.kind} data such as {data.name}")
        for model in dict.fromkeys(models):
            spec = registry.model(model).spec
            if spec.external:
                raise UsageError(f"{model!r} was trained elsewhere; there is nothing to tune")
            if data.kind not in spec.kinds:
                skipped.append(f"{model} does not serve {data.kind} data: left out on {data.name}")
                continue
            targets.append(Target(data.name, model, read_space(spec, data.kind, spaces)))
    return targets, skipped
