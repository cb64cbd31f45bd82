"""Score rows of a cell: what was measured, what was skipped, and what failed, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from benchbench.api import MetricSpec, Score, ScoreSpec
from benchbench.registry import Registry
from benchbench.runner.plan import Cell, MetricRun, Plan
from benchbench.runner.selection import Variant
from benchbench.store.folder import CellFolder, ResultFolder
from benchbench.store.scores import score_row

__all__ = ["SPEND_SPECS", "all_specs", "collect_rows", "missing", "rows_of", "units"]

TRAINED = Variant("", {})
"""Stands for the trained model itself where a metric does not depend on how it is sampled."""

SPEND_SPECS = {
    spec.name: spec
    for spec in (
        ScoreSpec("train_seconds", "s", "none", label="train s", summary="device time in fit"),
        ScoreSpec("train_flops", "FLOP", "none", label="train FLOP", summary="counted in fit"),
        ScoreSpec("train_images", "1", "none", label="images", summary="examples handed out"),
        ScoreSpec("train_steps", "1", "none", label="steps", summary="batches handed out"),
    )
}


def all_specs(registry: Registry) -> dict[str, ScoreSpec]:
    """Every score that can stand in a frame, in column order, spend last."""
    return {**registry.score_specs(), **SPEND_SPECS}


def units(cell: Cell, registry: Registry) -> Iterator[tuple[Variant, MetricRun, MetricSpec]]:
    """What there is to measure of a cell: each metric for each variant, or once a model."""
    found = [(metric, registry.metric(metric.name).spec) for metric in cell.metrics]
    for variant in cell.variants:
        for metric, spec in found:
            if spec.scope == "variant":
                yield variant, metric, spec
    for metric, spec in found:
        if spec.scope == "model":
            yield TRAINED, metric, spec


def missing(
    cell: Cell, folder: CellFolder, registry: Registry
) -> list[tuple[Variant, MetricRun, MetricSpec]]:
    """The units of the trained model that have no stored score yet."""
    done = folder.scores()
    return [unit for unit in units(cell, registry) if cell.score_key(*unit[:2]) not in done]


def rows_of(
    cell: Cell,
    variant: Variant,
    scores: Iterable[Score],
    specs: dict[str, ScoreSpec],
    fraction: float = 1.0,
) -> list[dict[str, Any]]:
    """Scores as rows of the frame; of samples from elsewhere the detail says how they were read."""
    if cell.given:
        origin = {"samples_from": cell.given["read"]}
        scores = [replace(score, detail={**score.detail, **origin}) for score in scores]
    return [
        score_row(
            score,
            specs[score.metric],
            dataset=cell.dataset,
            model=cell.model,
            config=cell.config_label,
            budget=cell.budget,
            variant=variant.label,
            seed=cell.seed,
            cell_key=cell.key,
            at_fraction=fraction,
        )
        for score in scores
    ]


def collect_rows(plan: Plan, folder: ResultFolder, registry: Registry) -> list[dict[str, Any]]:
    """Every row of every cell that has begun; a failed one has a row a score with its reason."""
    specs = all_specs(registry)
    rows: list[dict[str, Any]] = []
    for cell in plan.cells:
        files = folder.cell(cell.folder)
        status = files.status()
        if status["status"] == "missing":
            continue
        stored = files.scores()
        rows += rows_of(cell, TRAINED, _spend(status), specs)
        for variant, metric, spec in units(cell, registry):
            found = stored.get(cell.score_key(variant, metric))
            if found is None and status["status"] in ("diverged", "error", "timeout"):
                found = rows_of(cell, variant, _failed(spec, status), specs)
            rows += found or []
            for fraction in cell.fractions if spec.of_samples else ():
                taken = stored.get(cell.score_key(variant, metric, fraction))
                if taken is None and status["status"] in ("done", "diverged"):
                    taken = rows_of(cell, variant, _not_taken(spec), specs, fraction)
                rows += taken or []
    return rows


def _spend(status: dict[str, Any]) -> list[Score]:
    spend = status.get("spend")
    if not spend:
        return []
    detail = {"phases": status["phases"], "ceiling_reached": status["ceiling_reached"]}
    names = {"train_seconds": "s", "train_flops": "flop", "train_images": "img"}
    names["train_steps"] = "step"
    return [Score(m, spend[unit], bound="exact", detail=detail) for m, unit in names.items()]


def _failed(spec: MetricSpec, status: dict[str, Any]) -> list[Score]:
    return [
        Score(score.name, None, status=status["status"], reason=status.get("reason", ""))
        for score in spec.scores
    ]


def _not_taken(spec: MetricSpec) -> list[Score]:
    reason = (
        "no snapshot: fit builds its module itself, training ended before, or the metric was "
        "added after training"
    )
    return [Score(score.name, None, status="skipped", reason=reason) for score in spec.scores]
