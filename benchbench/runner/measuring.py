"""What is measured of a cell: each missing score of its trained model, and snapshots on the way.

A snapshot scores the model as it stands when a fraction of the budget is spent, off the clock and
without touching the training's random state. It is a point of one training, not a training with a
smaller budget: a model that plans its phases for the whole budget may be in its first one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from benchbench.api import (
    Assets,
    Diverged,
    MetricSpec,
    ModelSpec,
    NotAvailable,
    PluginError,
    Score,
    UsageError,
)
from benchbench.api.data import Dataset
from benchbench.api.errors import describe
from benchbench.api.evaluation import Extractor
from benchbench.api.model import Model
from benchbench.api.seeding import derive_seed
from benchbench.metrics.controls import control_samples
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.registry import Registry, resolve
from benchbench.runner.plan import Cell, MetricRun, NamedHash
from benchbench.runner.scoring import all_specs, missing, rows_of, units
from benchbench.runner.selection import Variant
from benchbench.runner.training import Interrupted
from benchbench.store.folder import CellFolder
from benchbench.store.samples import read_samples, write_samples
from benchbench.store.scores import CONTROL_MODEL

__all__ = ["Emit", "Measuring", "check_storable"]

Emit = Callable[[dict[str, Any]], None]


class Measuring:
    """Computes the scores of one cell and writes them to its folder.

    model_spec: of the cell's model, or None for held-out real data.
    """

    def __init__(
        self,
        cell: Cell,
        registry: Registry,
        folder: CellFolder,
        assets: Assets,
        emit: Emit,
        model_spec: ModelSpec | None,
    ) -> None:
        self.cell, self.registry, self.folder, self.assets = cell, registry, folder, assets
        self.emit, self.model_spec = emit, model_spec
        self.device = torch.device(cell.device)
        self.data_spec = registry.dataset(cell.dataset).spec
        self.dataset: Dataset = registry.load_dataset(cell.dataset, assets)
        self.specs = all_specs(registry)
        self._kept: set[str] = set()
        self._extractors: dict[str, Extractor] = {}

    def scores(self, model: Model | None, should_stop: Callable[[], bool]) -> list[str]:
        """Compute each missing score; the reasons of those that failed. Raises Interrupted."""
        errors: list[str] = []
        evaluations: dict[str, SampleEvaluation] = {}
        for variant, metric, spec in missing(self.cell, self.folder, self.registry):
            if should_stop():
                raise Interrupted
            try:
                if variant.label not in evaluations:
                    evaluations = {variant.label: self._evaluation(model, variant)}
            except NotAvailable as missing_control:
                self._skip_unit(variant, metric, spec, str(missing_control))
                continue
            self.emit({"event": "measure", "metric": metric.name, "variant": variant.label})
            began = time.perf_counter()
            scores, error = self._compute(evaluations[variant.label], metric, spec)
            if error:
                errors.append(error)
            else:
                if spec.scope == "variant":
                    self._keep_samples(variant, evaluations[variant.label])
                rows = rows_of(self.cell, variant, scores, self.specs)
                self.folder.add_scores(self.cell.score_key(variant, metric), rows)
            seconds = time.perf_counter() - began
            self.emit({"event": "measured", "metric": metric.name, "seconds": seconds})
        if not errors:
            self._keep_missing_samples(model)
        return errors

    def snapshot(self, model: Model, fraction: float) -> None:
        """Score the model as it stands, unless that is stored already.

        A metric that fails here leaves a row with its reason and does not fail the cell.
        """
        done = self.folder.scores()
        evaluations: dict[str, SampleEvaluation] = {}
        devices = [self.device] if self.device.type == "cuda" else []
        training = model.training
        model.eval()
        with (
            torch.random.fork_rng(devices=devices),
            torch.autocast(self.device.type, enabled=False),
            torch.no_grad(),
        ):
            for variant, metric, spec in units(self.cell, self.registry):
                key = self.cell.score_key(variant, metric, fraction)
                if not spec.of_samples or key in done:
                    continue
                if variant.label not in evaluations:
                    evaluations = {variant.label: self._evaluation(model, variant)}
                scores, _ = self._compute(evaluations[variant.label], metric, spec)
                rows = rows_of(self.cell, variant, scores, self.specs, fraction)
                self.folder.add_scores(key, rows)
        model.train(training)

    def skip(self, reason: str) -> None:
        """A row with this reason for every score that is missing."""
        for variant, metric, spec in missing(self.cell, self.folder, self.registry):
            self._skip_unit(variant, metric, spec, reason)

    def _skip_unit(
        self, variant: Variant, metric: MetricRun, spec: MetricSpec, reason: str
    ) -> None:
        rows = rows_of(self.cell, variant, empty_scores(spec, "skipped", reason), self.specs)
        self.folder.add_scores(self.cell.score_key(variant, metric), rows)

    def _compute(
        self, evaluation: SampleEvaluation, metric: MetricRun, spec: MetricSpec
    ) -> tuple[list[Score], str]:
        owner = self.registry.metric(metric.name).owner
        try:
            if self.data_spec.kind not in spec.kinds:
                raise NotAvailable(
                    f"{metric.name} serves {', '.join(sorted(spec.kinds))}; "
                    f"{self.cell.dataset} is {self.data_spec.kind}"
                )
            compute = resolve(spec.implementation, owner)
            with torch.random.fork_rng(devices=[]):
                scores = compute(evaluation, spec.config.model_validate(metric.config))
            check_storable(scores)
            return scores, ""
        except NotAvailable as error:
            return empty_scores(spec, "skipped", str(error)), ""
        except Diverged:
            raise
        except Exception as error:
            reason = f"{metric.name}: {describe(error)}"
            return empty_scores(spec, "error", reason), reason

    def _evaluation(self, model: Model | None, variant: Variant) -> SampleEvaluation:
        samples: Tensor | None = None
        if self.cell.model == CONTROL_MODEL:
            assert self.cell.seed is not None
            samples = control_samples(variant.label, self.dataset, self.cell.seed)
        elif self.cell.given:
            samples = self._given()
        elif model is None:
            samples = self.dataset.to_model(self.dataset.validation.raw.to(self.device))
        return SampleEvaluation(
            self.dataset,
            self.data_spec,
            samples=samples,
            extractor=self._extractor(self.cell.extractor),
            reader=self._extractor(self.cell.reader),
            device=self.device,
            seed=derive_seed(self.cell.seed, "evaluate", variant.label),
            model=model,
            capabilities=self.model_spec.capabilities if self.model_spec else frozenset(),
            sampling=variant.sampling,
            cache=self.assets.cache,
        )

    def _given(self) -> Tensor:
        raw = read_samples(self.folder.given, self.cell.given["digest"])
        if raw is None:
            again = f"run `bench eval {self.cell.given['path']}` again"
            raise UsageError(f"{self.folder.given} is not whole; {again}")
        return self.dataset.to_model(raw.to(self.device))

    def _extractor(self, wanted: NamedHash) -> Extractor | None:
        """The extractor of the plan, loaded once; raises UsageError if its weights changed."""
        if not wanted.name:
            return None
        if wanted.name not in self._extractors:
            found = self.registry.load_extractor(wanted.name, self.assets)
            if found.digest != wanted.digest:
                raise UsageError(
                    f"extractor {wanted.name!r} has changed since the plan was made "
                    f"({wanted.digest} then, {found.digest} now); run the same command again"
                )
            self._extractors[wanted.name] = found
        return self._extractors[wanted.name]

    def _keep_missing_samples(self, model: Model | None) -> None:
        """Make the samples again whose file was removed, or was found damaged."""
        stored = self.folder.scores()
        for variant, metric, spec in units(self.cell, self.registry):
            rows = stored.get(self.cell.score_key(variant, metric), [])
            scored = spec.of_samples and any(row["status"] == "done" for row in rows)
            if scored and not self.folder.samples(variant.label).is_file():
                self._keep_samples(variant, self._evaluation(model, variant))

    def _keep_samples(self, variant: Variant, evaluation: SampleEvaluation) -> None:
        """Write the samples that the scores were taken on, once for each way of sampling."""
        path, key = self.folder.samples(variant.label), f"{self.cell.key} {variant.label}"
        if variant.label not in self._kept and read_samples(path, key, 1) is None:
            n = evaluation.protocol_samples
            n = n if evaluation.available is None else min(n, evaluation.available)
            write_samples(path, self.dataset.to_raw(evaluation.samples(n)), key)
        self._kept.add(variant.label)


def empty_scores(spec: MetricSpec, status: Any, reason: str) -> list[Score]:
    """A score without a value, with its reason, for each that the metric declares."""
    return [Score(score.name, None, status=status, reason=reason) for score in spec.scores]


def check_storable(scores: Iterable[Score]) -> None:
    """Raises PluginError where a score could not be kept: its numbers and detail must be JSON."""
    for score in scores:
        try:
            json.dumps([score.value, score.ci_low, score.ci_high, score.detail], allow_nan=False)
        except (TypeError, ValueError) as error:
            raise PluginError(f"{score.metric} or its detail is not JSON: {error}") from None
