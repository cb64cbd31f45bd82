"""From a claim file to what has to be run: one plan of cells, each trained once for all claims.

Every side of a claim on every data set needs a model under a budget, its seeds and a metric. Sides
that agree in data set, budget, seeds and metrics become one suite; the plans of all suites are
merged, so that a model that several claims ask for is trained once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from benchbench.api import Assets, Budget, UsageError
from benchbench.claims.schema import Claim, ClaimFile, Side
from benchbench.registry import Registry
from benchbench.runner.plan import Plan, check_suite, resolve_plan
from benchbench.runner.scoring import SPEND_SPECS
from benchbench.runner.selection import read_seeds, select_models
from benchbench.runner.suite import Suite
from benchbench.store.scores import REFERENCE_MODEL

__all__ = ["Compiled", "Row", "Sides", "compile_claims", "rehearsal"]

WITHOUT_METRIC = "parameters"
"""The score whose status tells whether a run failed, where a claim names no metric."""


@dataclass(frozen=True)
class Row:
    """One side of a claim as it stands in the score frame.

    text: as written. variant: empty for a metric of the trained model. budget: as in the frame.
    """

    text: str
    model: str
    config: str
    variant: str
    budget: str
    metric: str
    condition: str

    def same_training(self, other: Row) -> bool:
        """Whether both are taken of one trained model, seed by seed."""
        mine, theirs = ((r.model, r.config, r.budget) for r in (self, other))
        return mine == theirs


@dataclass(frozen=True)
class Sides:
    """Both sides of a claim. second: a row, or a number. seeds: as asked for."""

    first: Row
    second: Row | float
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Compiled:
    """What a claim file needs.

    plan: all cells; None where nothing can be run. sides: by claim. missing: data set -> why it
    can't be had.
    """

    plan: Plan | None
    sides: dict[str, Sides]
    missing: dict[str, str]


def rehearsal(file: ClaimFile, scale: float | None, seeds: str | None) -> ClaimFile:
    """The file with every budget multiplied by `scale`, and every claim on these seeds."""

    def scaled(budget: str | None) -> str | None:
        if budget is None or scale is None:
            return budget
        parsed = Budget.parse(budget)
        return str(replace(parsed, amount=max(1.0, round(parsed.amount * scale))))

    claims = []
    for claim in file.claims:
        change: dict[str, Any] = {"budget": scaled(claim.budget)}
        if isinstance(claim.against, Side):
            budget = scaled(claim.against.budget)
            change["against"] = claim.against.model_copy(update={"budget": budget})
        if seeds is not None:
            change["seeds"] = None
        claims.append(claim.model_copy(update=change))
    shared = {"budget": scaled(file.budget), "claims": tuple(claims)}
    return file.model_copy(update={**shared, "seeds": seeds or file.seeds})


def compile_claims(file: ClaimFile, registry: Registry, assets: Assets) -> Compiled:
    """Check every name and number, then resolve the plan; raises UsageError."""
    sides: dict[str, Sides] = {}
    missing: dict[str, str] = {}
    for claim in file.claims:
        if claim.kind is None:
            sides[claim.id] = _sides(claim, file, registry)
            for dataset in claim.datasets:
                reason = _not_here(dataset, registry, assets)
                if reason:
                    missing[dataset] = reason
    checked = [check_suite(suite, registry) for suite in _suites(file, sides, missing, registry)]
    plan: Plan | None = None
    for one in checked:
        resolved = resolve_plan(one, registry, assets)
        plan = resolved if plan is None else plan.merged(resolved)
    return Compiled(plan and replace(plan, name=file.name), sides, missing)


def _sides(claim: Claim, file: ClaimFile, registry: Registry) -> Sides:
    try:
        seeds = read_seeds(claim.seeds or file.seeds)
        other = claim.other()
        first = _row(Side(), claim, file, registry)
        second = other if isinstance(other, float) else _row(other, claim, file, registry)
    except UsageError as error:
        raise UsageError(f"claim {claim.id}: {error}") from None
    if first == second:
        raise UsageError(f"claim {claim.id} holds {claim.row!r} against itself")
    return Sides(first, second, seeds)


def _row(side: Side, claim: Claim, file: ClaimFile, registry: Registry) -> Row:
    text = side.row or claim.row
    metric = side.metric or claim.metric or WITHOUT_METRIC
    of_model = metric in SPEND_SPECS or registry.metric(metric).spec.scope == "model"
    if metric not in SPEND_SPECS and metric not in registry.score_specs():
        group = ", ".join(score.name for score in registry.metric(metric).spec.scores)
        raise UsageError(f"{metric!r} is a group of scores; name one of {group}")
    condition = claim.condition if side.condition is None else side.condition
    if text == REFERENCE_MODEL:
        return Row(text, text, "", "", "", metric, condition)
    (run,) = select_models([text], {}, registry)
    budget = str(Budget.parse(side.budget or claim.budget or file.budget))
    variant = "" if of_model else run.variants[0].label
    return Row(text, run.entry.spec.name, run.config_label, variant, budget, metric, condition)


def _not_here(dataset: str, registry: Registry, assets: Assets) -> str:
    """Why a known data set can't be had on this machine; empty where it can."""
    spec = registry.dataset(dataset).spec
    if spec.argument or assets.download or registry.where(dataset, assets) != "not here":
        return ""
    return f"data set {dataset} is not on this machine (--data-dir DIR or --download)"


def _suites(
    file: ClaimFile, sides: dict[str, Sides], missing: dict[str, str], registry: Registry
) -> list[Suite]:
    """One suite for each data set, budget, seeds and set of metrics."""
    needs: dict[tuple[str, str, tuple[int, ...]], dict[str, dict[str, None]]] = {}
    for claim in file.claims:
        pair = sides.get(claim.id)
        for dataset in claim.datasets if pair else ():
            if pair is None or dataset in missing:
                continue
            for row in (pair.first, pair.second):
                if isinstance(row, Row) and row.model != REFERENCE_MODEL:
                    rows = needs.setdefault((dataset, row.budget, pair.seeds), {})
                    metric = WITHOUT_METRIC if row.metric in SPEND_SPECS else row.metric
                    rows.setdefault(row.text, {})[metric] = None
    suites = []
    for (dataset, budget, seeds), rows in needs.items():
        groups: dict[tuple[str, ...], list[str]] = {}
        for text, metrics in rows.items():
            groups.setdefault(tuple(sorted(metrics)), []).append(text)
        for metrics_, texts in groups.items():
            suites.append(_suite(file, dataset, budget, seeds, metrics_, texts, registry))
    return suites


def _suite(
    file: ClaimFile,
    dataset: str,
    budget: str,
    seeds: tuple[int, ...],
    metrics: tuple[str, ...],
    rows: list[str],
    registry: Registry,
) -> Suite:
    shared = {"name": file.name, "controls": file.controls, "threads": file.threads}
    return Suite.model_validate(
        {
            **shared,
            "device": file.device,
            "plugins": file.plugins,
            "models": tuple(rows),
            "datasets": (dataset,),
            "seeds": seeds,
            "budget": budget,
            "metrics": {name: {} for name in metrics} | _options(file, metrics, registry),
        }
    )


def _options(
    file: ClaimFile, metrics: tuple[str, ...], registry: Registry
) -> dict[str, dict[str, Any]]:
    """The file's options of the groups that these scores belong to."""
    groups = {registry.metric(name).spec.name for name in metrics}
    given = {registry.metric(name).spec.name: options for name, options in file.metrics.items()}
    return {name: options for name, options in given.items() if name in groups}
