"""From a suite to a plan: every default written out, one cell a data set × training × seed.

A cell's `key` hashes what its training depends on; a score's key adds the variant and the metric.
What has a key in the result folder is reused. Cells are ordered so that every seed is complete
over all data sets and models before the next begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchbench import __version__
from benchbench.api import (
    API_VERSION,
    CONTROL_DRAWS,
    CONTROLS,
    Assets,
    BenchError,
    Budget,
    DatasetSpec,
    MetricSpec,
    ModelSpec,
    UsageError,
)
from benchbench.api.names import short_label
from benchbench.registry import Entry, Registry
from benchbench.runner.device import device_name, resolve_device, torch_version
from benchbench.runner.facts import AUTO, Facts, NamedHash, check_different, dataset_facts
from benchbench.runner.planned import Cell, MetricRun, digest
from benchbench.runner.selection import ModelRun, Variant, select_models
from benchbench.runner.sources import source_hash
from benchbench.runner.suite import Suite, describe_invalid
from benchbench.store.scores import CONTROL_MODEL, EXTERNAL, REFERENCE_MODEL

__all__ = [
    "AUTO",
    "Cell",
    "Checked",
    "MetricRun",
    "NamedHash",
    "Plan",
    "check_metrics",
    "check_suite",
    "given_plan",
    "resolve_plan",
]

_CONTROLS = "benchbench.metrics.controls:control_samples"


@dataclass(frozen=True)
class Plan:
    """The resolved suite: its cells in the order in which they run."""

    name: str
    cells: tuple[Cell, ...]
    plugins: tuple[str, ...]
    assets: Assets
    notes: tuple[str, ...] = ()
    version: str = __version__

    def merged(self, older: Plan) -> Plan:
        """This plan with the cells of an older one that it does not replace.

        A cell with the same key keeps the variants and metrics of both; one that differs from a
        cell of this plan in its key alone (other sources, another torch) is replaced.
        """
        mine = {cell.key: cell for cell in self.cells}
        taken = {cell.identity for cell in self.cells}
        kept = []
        for cell in older.cells:
            if cell.key in mine:
                mine[cell.key] = mine[cell.key].joined(cell)
            elif cell.identity not in taken:
                kept.append(cell)
        return replace(self, cells=(*mine.values(), *kept))

    def only(self, cell: Cell) -> Plan:
        """The part of this plan that a worker needs for one of its cells."""
        return replace(self, cells=(cell,), notes=())

    def to_json(self) -> dict[str, Any]:
        """As written to plan.json."""
        cells = [asdict(cell) for cell in self.cells]
        return {**vars(self), "cells": cells, "assets": self.assets.to_json()}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Plan:
        """Read plan.json; raises BenchError where this version did not write it."""
        version = saved.get("version")
        if version != __version__:
            raise BenchError(
                f"the plan was written by benchbench {version}, this is {__version__}; give "
                "another --out, or --fresh to begin again"
            )
        try:
            cells = tuple(Cell.from_json(cell) for cell in saved["cells"])
            assets = Assets.from_json(saved["assets"])
            plugins = tuple(saved["plugins"])
            lists = {"cells": cells, "plugins": plugins, "notes": tuple(saved["notes"])}
            return cls(**{**saved, **lists, "assets": assets})
        except (KeyError, TypeError, AttributeError) as error:
            raise BenchError(
                f"plan.json is no plan of this version ({type(error).__name__}: {error}); give "
                "another --out, or --fresh to begin again"
            ) from error


@dataclass(frozen=True)
class Checked:
    """A suite whose every name and number has been checked, without torch."""

    suite: Suite
    runs: list[ModelRun]
    metrics: list[tuple[Entry[MetricSpec], dict[str, Any]]]
    budget: Budget


def check_suite(suite: Suite, registry: Registry) -> Checked:
    """Check every name, option and number of a suite; raises UsageError; loads no torch."""
    names = tuple(registry.dataset(name).spec.name for name in suite.datasets)
    if suite.extractor != AUTO:
        registry.extractor(suite.extractor)
    if len(set(names)) < len(names):
        raise UsageError(f"a data set is named twice: {', '.join(names)}")
    if len(set(suite.seeds)) < len(suite.seeds) or min(suite.seeds) < 0:
        raise UsageError(f"seeds must be distinct whole numbers from 0 up, given {suite.seeds}")
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,2})?", suite.device):
        from benchbench.api import unknown

        raise unknown("device", suite.device, ["auto", "cpu", "cuda", "cuda:0"])
    runs = select_models(suite.models, suite.set, registry)
    for run in runs:
        _check_shape(run.entry.spec, [registry.dataset(name).spec for name in names])
    return Checked(
        suite.model_copy(update={"datasets": names}),
        runs,
        check_metrics(suite, registry),
        Budget.parse(suite.budget, suite.ceiling_seconds),
    )


def _check_shape(model: ModelSpec, datasets: Iterable[DatasetSpec]) -> None:
    """Refuse a data set whose examples have another size than the samples of a saved model."""
    for data in datasets:
        if data.kind in model.kinds and model.shape not in (None, data.shape):
            raise UsageError(
                f"{short_label(model.name)} makes samples of shape {model.shape}; "
                f"{short_label(data.name)} has {data.shape}; leave one out"
            )


def resolve_plan(checked: Checked, registry: Registry, assets: Assets | None = None) -> Plan:
    """Load the data sets once for their digests, and write every cell out with its key.

    Raises UsageError where a data set or the weights of an extractor are not to be had.
    """
    assets = assets or Assets()
    suite = checked.suite
    device = resolve_device(suite.device)
    precision = suite.precision
    if precision == "auto":
        precision = "bfloat16" if device.type == "cuda" else "float32"
    common = _Common(
        metrics=tuple(
            MetricRun(entry.spec.name, config, source_hash(entry.spec.implementation))
            for entry, config in checked.metrics
        ),
        fractions=suite.fractions,
        threads=suite.threads,
        device=str(device),
        precision=precision,
        machine=(device_name(device), API_VERSION, torch_version()),
    )
    featured = any(entry.spec.features for entry, _ in checked.metrics)
    asked = suite.extractor if featured else None
    facts = {name: dataset_facts(registry, name, asked, assets) for name in suite.datasets}
    check_different(facts)
    cells = [_reference_cell(name, fact, common) for name, fact in facts.items()]
    if suite.controls:
        metrics = tuple(
            run
            for run, (entry, _) in zip(common.metrics, checked.metrics, strict=True)
            if entry.spec.of_samples
        )
        cells += [
            _control_cell(cell, replicate, metrics)
            for cell in cells
            for replicate in range(CONTROL_DRAWS)
        ]
    sources = {run.entry.spec.name: _model_source(run) for run in checked.runs}
    for seed in suite.seeds:
        for name, fact in facts.items():
            for run in checked.runs:
                source = sources[run.entry.spec.name]
                cells.append(_model_cell(name, fact, run, source, checked.budget, seed, common))
    plugins = tuple(_from_here(path) for path in registry.files)
    notes = tuple(f"{short_label(name)}: {n}" for name, fact in facts.items() for n in fact.notes)
    return Plan(suite.name, tuple(cells), plugins, assets, notes)


def _from_here(path: Path) -> str:
    """A plugin file as workers find it: relative where it lies below the working folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


@dataclass(frozen=True)
class _Common:
    """What all cells of a plan share."""

    metrics: tuple[MetricRun, ...]
    fractions: tuple[float, ...]
    threads: int
    device: str
    precision: str
    machine: tuple[object, ...]


def _reference_cell(dataset: str, fact: Facts, common: _Common) -> Cell:
    return Cell(
        dataset=dataset,
        model=REFERENCE_MODEL,
        config={},
        config_label="",
        variants=(Variant("", {}),),
        budget="",
        ceiling_seconds=None,
        seed=None,
        fractions=(),
        metrics=common.metrics,
        threads=common.threads,
        device=common.device,
        precision=common.precision,
        extractor=fact.extractor,
        reader=fact.reader,
        key=digest(["held-out", fact.digest, common.machine]),
        data=fact.digest,
    )


def _control_cell(reference: Cell, replicate: int, metrics: tuple[MetricRun, ...]) -> Cell:
    """One draw of every control; they are measured as held-out data are."""
    return replace(
        reference,
        model=CONTROL_MODEL,
        variants=tuple(Variant(name, {"control": name}) for name in CONTROLS),
        seed=replicate,
        metrics=metrics,
        key=digest([reference.key, "control", replicate, source_hash(_CONTROLS)]),
    )


def given_plan(plan: Plan, name: str, given: dict[str, str], notes: Iterable[str] = ()) -> Plan:
    """A plan without models, with samples that are measured beside each reference row.

    name: of the row. given: as in `Cell.given`.
    """
    cells = [
        replace(
            cell,
            model=name,
            budget=EXTERNAL,
            given=given,
            key=digest(["given", name, cell.key, given["digest"]]),
        )
        for cell in plan.cells
    ]
    return replace(plan, cells=(*plan.cells, *cells), notes=(*plan.notes, *notes))


def _model_cell(
    dataset: str,
    fact: Facts,
    run: ModelRun,
    source: str,
    budget: Budget,
    seed: int,
    common: _Common,
) -> Cell:
    spec, config = run.entry.spec, run.config.model_dump(mode="json")
    amount = EXTERNAL if spec.external else str(budget)
    ceiling = None if spec.external else budget.ceiling_seconds
    fractions = () if spec.external else common.fractions
    training: list[Any] = [spec.name, source, config, amount, ceiling]
    training += [fact.digest, seed, common.threads, common.precision, common.machine]
    # Snapshots leave the training as it is, but can only be taken while it runs.
    training += [fractions] if fractions else []
    return Cell(
        dataset=dataset,
        model=spec.name,
        config=config,
        config_label=run.config_label,
        variants=tuple(run.variants),
        budget=amount,
        ceiling_seconds=ceiling,
        seed=seed,
        fractions=fractions,
        metrics=common.metrics,
        threads=common.threads,
        device=common.device,
        precision=common.precision,
        extractor=fact.extractor,
        reader=fact.reader,
        key=digest(training),
        data=fact.digest,
    )


def check_metrics(
    suite: Suite, registry: Registry
) -> list[tuple[Entry[MetricSpec], dict[str, Any]]]:
    chosen = suite.metrics or {name: {} for name in registry.metrics}
    options: dict[str, dict[str, Any]] = {}
    for name, given in chosen.items():
        options.setdefault(registry.metric(name).spec.name, {}).update(given)
    checked = []
    for name, entry in registry.metrics.items():  # registry order is column order
        if name not in options:
            continue
        try:
            config = entry.spec.config.model_validate(options[name])
        except ValidationError as error:
            message = describe_invalid(error, entry.spec.config, prefix=f"metrics.{name}.")
            raise UsageError(message) from None
        checked.append((entry, config.model_dump(mode="json")))
    return checked


def _model_source(run: ModelRun) -> str:
    spec = run.entry.spec
    harness = ("benchbench.runner.training", "benchbench.nn")
    named = [spec.source[1]] if spec.source else []
    return digest([source_hash(spec.implementation), *map(source_hash, harness), *named])
