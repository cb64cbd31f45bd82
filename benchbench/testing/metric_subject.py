"""A metric under check: computed on held-out real data, on controls and on a true model.

Every evaluation is built anew with samples of its own, so that a metric that changes them in place
is found by the one check that looks; every call runs under `settled` global random states.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from benchbench.api import Config, Kind, MetricSpec, NotAvailable, Score
from benchbench.api.evaluation import Source
from benchbench.metrics.controls import control_samples
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.registry import resolve
from benchbench.testing.metric_cases import METRIC_KINDS, MetricCase, metric_case
from benchbench.testing.outcomes import Breach, NotApplicable
from benchbench.testing.subject import settled
from benchbench.testing.truth import TRUE_CAPABILITIES

__all__ = ["Measured", "MetricSubject", "WatchedEvaluation", "permuted"]


class WatchedEvaluation(SampleEvaluation):
    """An evaluation that knows how many samples it was asked for, and whether for features."""

    most = 0
    asked_features = False

    def samples(self, n: int) -> Tensor:
        self.most = max(self.most, n)
        return super().samples(n)

    def features(self, source: Source, n: int | None = None) -> Tensor:
        self.asked_features = True
        if source == "samples":
            self.most = max(self.most, n or self.available or 0)
        return super().features(source, n)

    def modes(self, source: Source, n: int) -> tuple[Tensor, Tensor]:
        if source == "samples":
            self.most = max(self.most, n)
        return super().modes(source, n)


@dataclass(frozen=True)
class Measured:
    """Scores of one row of one case. row: `real`, `model`, or what was given."""

    case: MetricCase
    row: str
    evaluation: WatchedEvaluation
    scores: list[Score]

    @property
    def where(self) -> str:
        """Row and data kind, for a message."""
        return f"{self.case.kind}, row {self.row!r}"

    def values(self) -> dict[tuple[str, str], float]:
        """By score and condition, of those that are done."""
        found = {(s.metric, s.condition): s.value for s in self.scores if s.status == "done"}
        return {key: float(value) for key, value in found.items() if value is not None}


class MetricSubject:
    """One metric of a plugin.

    spec: as its plugin declares it. owner: who brought it. config: options other than the defaults.
    """

    def __init__(self, spec: MetricSpec, owner: str = "", *, config: Config | None = None) -> None:
        self.spec, self.owner, self._config = spec, owner, config
        self._cases: dict[Kind, MetricCase] = {}
        self._rows: dict[tuple[Kind, str], Measured | str] = {}

    # --- what there is to check ----------------------------------------------------------------

    @property
    def cases(self) -> list[MetricCase]:
        """One case for each data kind that the metric serves."""
        for kind in METRIC_KINDS:
            if kind in self.spec.kinds and kind not in self._cases:
                self._cases[kind] = metric_case(kind)
        return list(self._cases.values())

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows that the metric has a value of, if its spec is true."""
        return ("real", "model") if self.spec.needs == "samples" else ("model",)

    def measured(self) -> list[Measured]:
        """Every case and row that has scores; raises NotApplicable with the reasons if none has."""
        found = [self.row(case, row) for case in self.cases for row in self.rows]
        there = [m for m in found if not isinstance(m, str)]
        if not there:
            raise NotApplicable("; ".join(dict.fromkeys(m for m in found if isinstance(m, str))))
        return there

    def real(self) -> list[Measured]:
        """Those on held-out real data; raises NotApplicable where the metric asks the model."""
        if self.spec.needs == "model":
            raise NotApplicable("the metric asks the trained model, samples alone have no value")
        found = [m for m in self.measured() if m.row == "real"]
        if not found:
            raise NotApplicable("the metric has no value of held-out real data")
        return found

    # --- computing -----------------------------------------------------------------------------

    @property
    def config(self) -> Config:
        """The options; raises NotApplicable where the defaults are not valid."""
        try:
            return self._config or self.spec.config()
        except ValidationError:
            raise NotApplicable("config has no valid defaults: see `config_options`") from None

    def row(self, case: MetricCase, row: str) -> Measured | str:
        """The scores of a row, computed once, or the reason why there are none."""
        key = (case.kind, row)
        if key not in self._rows:
            try:
                self._rows[key] = self.measure(case, row, self.evaluation(case, row))
            except NotAvailable as reason:
                self._rows[key] = str(reason)
        return self._rows[key]

    def evaluation(self, case: MetricCase, row: str, *, seed: int = 1) -> WatchedEvaluation:
        """A fresh evaluation of a row: `model`, or a control by its name."""
        if row == "model":
            return self._evaluation(case, seed, model=case.model, capabilities=TRUE_CAPABILITIES)
        return self.of_samples(case, control_samples(row, case.dataset, 0), seed=seed)

    def of_samples(self, case: MetricCase, x: Tensor, *, seed: int = 1) -> WatchedEvaluation:
        """A fresh evaluation of these samples, which are copied."""
        return self._evaluation(case, seed, samples=x.clone())

    def measure(self, case: MetricCase, row: str, evaluation: WatchedEvaluation) -> Measured:
        """Compute the scores of an evaluation; raises NotAvailable as the metric does."""
        with settled():
            scores = self.compute(evaluation)
        if not isinstance(scores, list) or not all(isinstance(s, Score) for s in scores):
            raise Breach("compute returned no list of benchbench.api.Score")
        return Measured(case, row, evaluation, scores)

    def compute(self, evaluation: WatchedEvaluation) -> Any:
        """Call the implementation under the global random states as they are."""
        return resolve(self.spec.implementation, self.owner or self.spec.name)(
            evaluation, self.config
        )

    def draws(self, case: MetricCase, control: str, count: int) -> Iterator[Measured]:
        """Scores of so many draws of a control; raises NotAvailable where it can't be drawn."""
        for k in range(count):
            x = control_samples(control, case.dataset, k)
            yield self.measure(case, control, self.of_samples(case, x))

    def _evaluation(self, case: MetricCase, seed: int, **options: Any) -> WatchedEvaluation:
        return WatchedEvaluation(
            case.dataset, case.spec, extractor=case.extractor, seed=seed, **options
        )


def permuted(x: Tensor, n: int) -> Tensor:
    """The first n rows in another order, the others as they are."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(6))
    return torch.cat([x[:n][order], x[n:]])
