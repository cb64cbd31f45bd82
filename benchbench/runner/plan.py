"""From a suite to a plan: every default written out, one cell a data set × training × seed.

A cell's `key` hashes what its training depends on; a score's key adds the variant and the metric.
What has a key in the result folder is reused. Cells are ordered so that every seed is complete
over all data sets and models before the next begins.
"""

from __future__ import annotations

import hashlib
import json
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
    MetricSpec,
    UsageError,
)
from benchbench.api.names import file_name, short_label, slug
from benchbench.registry import Entry, Registry
from benchbench.runner.device import device_name, resolve_device, torch_version
from benchbench.runner.selection import ModelRun, Variant, select_models
from benchbench.runner.sources import source_hash
from benchbench.runner.suite import Suite, describe_invalid
from benchbench.store.scores import CONTROL_MODEL, REFERENCE_MODEL

__all__ = ["AUTO", "Cell", "MetricRun", "NamedHash", "Plan", "check_suite", "resolve_plan"]

_CONTROLS = "benchbench.metrics.controls:control_samples"
AUTO = "auto"
"""As extractor: each data set's own."""


@dataclass(frozen=True)
class MetricRun:
    """A metric with its resolved options and the hash of its source."""

    name: str
    config: dict[str, Any]
    source: str


@dataclass(frozen=True)
class NamedHash:
    """An extractor by its registered name, and the digest of what it computes; "" for none."""

    name: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Cell:
    """One training and everything that is measured of it; JSON-ready through `asdict`.

    model: a registered name, or `REFERENCE_MODEL` for held-out real data (no training, no seed),
        or `CONTROL_MODEL` for controls (no training; the seed counts draws).
    fractions: parts of the budget after which the model is scored on the way.
    extractor, reader: the feature map and the data set's own extractor, which reads its labels.
    data: the digest of the data set; "" in plans that don't state it.
    """

    dataset: str
    model: str
    config: dict[str, Any]
    config_label: str
    variants: tuple[Variant, ...]
    budget: str
    ceiling_seconds: float | None
    seed: int | None
    fractions: tuple[float, ...]
    metrics: tuple[MetricRun, ...]
    threads: int
    device: str
    precision: str
    extractor: NamedHash
    reader: NamedHash
    key: str
    data: str = ""

    @property
    def folder(self) -> Path:
        """Where the cell lies inside a result folder."""
        model = slug(f"{self.model}[{self.config_label}]" if self.config_label else self.model)
        seed = f"seed-{self.seed or 0}-{self.key[:12]}"
        return Path("cells", file_name(self.dataset), model, seed)

    @property
    def title(self) -> str:
        """The cell in words, for progress and messages."""
        model = f"{self.model}[{self.config_label}]" if self.config_label else self.model
        seed = "" if self.seed is None else f" seed {self.seed}"
        return f"{short_label(self.dataset)} {model}{seed}"

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells two cells apart in the score frame."""
        return (self.dataset, self.model, self.config_label, self.budget, self.seed)

    def joined(self, other: Cell) -> Cell:
        """This cell with the variants and metrics of another of the same key added."""
        names = {metric.name for metric in self.metrics}
        variants = [v for v in other.variants if v not in self.variants]
        metrics = [m for m in other.metrics if m.name not in names]
        return replace(
            self, variants=(*self.variants, *variants), metrics=(*self.metrics, *metrics)
        )

    def score_key(self, variant: Variant, metric: MetricRun, fraction: float = 1.0) -> str:
        """What a score of this cell depends on."""
        maps = [self.extractor.digest, self.reader.digest]
        return _digest([self.key, variant.sampling, asdict(metric), maps, fraction])

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Cell:
        """Read back what `asdict` wrote."""
        variants = tuple(Variant(**v) for v in saved["variants"])
        metrics = tuple(MetricRun(**m) for m in saved["metrics"])
        maps = {key: NamedHash(**saved[key]) for key in ("extractor", "reader")}
        lists = {"variants": variants, "metrics": metrics, "fractions": tuple(saved["fractions"])}
        return cls(**{**saved, **maps, **lists})


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
    return Checked(
        suite.model_copy(update={"datasets": names}),
        select_models(suite.models, suite.set, registry),
        _check_metrics(suite, registry),
        Budget.parse(suite.budget, suite.ceiling_seconds),
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
    facts = {name: _dataset_facts(registry, name, asked, assets) for name in suite.datasets}
    _check_different(facts)
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
    plugins = tuple(str(path) for path in registry.files)
    notes = tuple(f"{short_label(name)}: {n}" for name, fact in facts.items() for n in fact.notes)
    return Plan(suite.name, tuple(cells), plugins, assets, notes)


@dataclass(frozen=True)
class _Common:
    """What all cells of a plan share."""

    metrics: tuple[MetricRun, ...]
    fractions: tuple[float, ...]
    threads: int
    device: str
    precision: str
    machine: tuple[object, ...]


@dataclass(frozen=True)
class _Facts:
    """What a plan has to know of a data set: the digest of its data, and who reads it."""

    digest: str
    extractor: NamedHash
    reader: NamedHash
    notes: tuple[str, ...]


def _check_different(facts: dict[str, _Facts]) -> None:
    """Cells are told apart by what they depend on, so equal data under two names can't be."""
    names: dict[str, str] = {}
    for name, fact in facts.items():
        if fact.digest in names:
            raise UsageError(f"{names[fact.digest]!r} and {name!r} hold the same data; name one")
        names[fact.digest] = name


def _reference_cell(dataset: str, fact: _Facts, common: _Common) -> Cell:
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
        key=_digest(["held-out", fact.digest, common.machine]),
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
        key=_digest([reference.key, "control", replicate, source_hash(_CONTROLS)]),
    )


def _model_cell(
    dataset: str,
    fact: _Facts,
    run: ModelRun,
    source: str,
    budget: Budget,
    seed: int,
    common: _Common,
) -> Cell:
    config = run.config.model_dump(mode="json")
    training: list[Any] = [run.entry.spec.name, source, config, str(budget), budget.ceiling_seconds]
    training += [fact.digest, seed, common.threads, common.precision, common.machine]
    # Snapshots leave the training as it is, but can only be taken while it runs.
    training += [common.fractions] if common.fractions else []
    return Cell(
        dataset=dataset,
        model=run.entry.spec.name,
        config=config,
        config_label=run.config_label,
        variants=tuple(run.variants),
        budget=str(budget),
        ceiling_seconds=budget.ceiling_seconds,
        seed=seed,
        fractions=common.fractions,
        metrics=common.metrics,
        threads=common.threads,
        device=common.device,
        precision=common.precision,
        extractor=fact.extractor,
        reader=fact.reader,
        key=_digest(training),
        data=fact.digest,
    )


def _check_metrics(
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


def _dataset_facts(registry: Registry, name: str, asked: str | None, assets: Assets) -> _Facts:
    """asked: the extractor of the suite (`auto`: the data set's own), or None if none is used."""
    from benchbench.api.data import LabelModes

    spec = registry.dataset(name).spec
    dataset = registry.load_dataset(name, assets)
    features = spec.extractor if asked == AUTO else asked or ""
    if features and spec.kind not in registry.extractor(features).spec.kinds:
        features = spec.extractor
    reader = spec.extractor if isinstance(dataset.modes, LabelModes) else ""
    maps = {
        name: NamedHash(name, registry.load_extractor(name, assets).digest)
        for name in (features, reader)
        if name
    }
    none = NamedHash()
    return _Facts(dataset.digest, maps.get(features, none), maps.get(reader, none), dataset.notes)


def _model_source(run: ModelRun) -> str:
    harness = ("benchbench.runner.training", "benchbench.nn")
    return _digest([source_hash(run.entry.spec.implementation), *map(source_hash, harness)])


def _digest(parts: Iterable[Any]) -> str:
    text = json.dumps(list(parts), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
