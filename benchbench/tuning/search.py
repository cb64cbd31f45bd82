"""A search: which trials there are, in which order, and which are still to be run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbench.api import Assets, Budget, ScoreSpec, UsageError
from benchbench.registry import Registry
from benchbench.tuning.history import History
from benchbench.tuning.proposals import Sampler, propose
from benchbench.tuning.space import Space, read_space
from benchbench.tuning.trial import Job, Result

__all__ = ["FIRST_SEED", "Search", "Target", "check_search"]

FIRST_SEED = 1000
"""Trials use seeds from here on; reported runs use lower ones."""
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

    Trial k has seed `seed` + k, whatever the model.
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
    skipped: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """What all trials of a history share; models, data sets and trials may be added later."""
        names = ("budget", "objective", "sampler", "seed", "threads")
        return {name: getattr(self, name) for name in names}

    def run(self, history: History, assets: Assets, runner: Runner) -> Iterator[tuple[Job, Result]]:
        """Run the trials that are missing; each is in the history before it is yielded."""
        for job, result in runner(self._jobs(history, assets)):
            history.add(job, result)
            yield job, result

    def missing(self, history: History) -> int:
        """How many trials are still to be run."""
        return len(list(self._open(history)))

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
            yield Job(
                dataset=target.dataset,
                model=target.model,
                trial=trial,
                options=options,
                objective=self.objective,
                budget=self.budget,
                seed=self.seed + trial,
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
) -> Search:
    """Check every name and option; raises UsageError; loads no torch.

    A model that doesn't serve a data set's kind is left out there and named in `skipped`.
    """
    if seed < FIRST_SEED:
        raise UsageError(
            f"--seed is {seed}; trials need seeds from {FIRST_SEED} up, because reported runs use "
            "lower ones"
        )
    score = _objective(registry, objective)
    targets, skipped = _targets(registry, models, datasets, objective, spaces)
    if not targets:
        raise UsageError("; ".join(skipped) or "no model and no data set to tune on was given")
    return Search(
        targets=tuple(targets),
        trials=trials,
        budget=str(Budget.parse(budget)),
        objective=objective,
        maximise=score.direction == "max",
        sampler=sampler,
        seed=seed,
        device=device,
        threads=threads,
        plugins=tuple(str(path) for path in registry.files),
        skipped=tuple(skipped),
    )


def _objective(registry: Registry, name: str) -> ScoreSpec:
    """The score of this name, which has a better side."""
    score = registry.score_specs().get(name)
    if score is None:
        from benchbench.api import unknown

        raise unknown("objective", name, registry.score_specs())
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
