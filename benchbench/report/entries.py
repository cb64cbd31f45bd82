"""The score frame as records of the trained models, ready to be put into rows and columns."""

from __future__ import annotations

import json
import math
import numbers
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from benchbench.api import ScoreSpec
from benchbench.report.tree import EXTERNAL, Group, Kind, Protocol, RowKey
from benchbench.store.scores import CONTROL_MODEL, REFERENCE_MODEL, SCORE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SPEND", "Entry", "group_of", "kind_of", "natural", "ordered_specs", "read_entries"]

SPEND: Mapping[str, ScoreSpec] = {
    spec.name: spec
    for spec in (
        ScoreSpec("train_seconds", "s", "none", "train time"),
        ScoreSpec("train_flops", "FLOP", "none", "train compute"),
        ScoreSpec("train_images", "images", "none", "images seen"),
        ScoreSpec("train_steps", "steps", "none", "train steps"),
    )
}
"""What a training used up: the last columns of every table, never ranked."""

_COST_UNITS = frozenset(
    ["s", "ms", "us", "samples/s", "images/s", "bytes", "byte", "b", "flop", "flops", "flop/s"]
)
_COST_NAMES = frozenset(["nfe", "parameters"])

_PROTOCOL_KEYS = (
    "extractor",
    "extractor_hash",
    "pipeline",
    "reference",
    "resize",
    "k",
    "observation",
    "device",
    "threads",
)
"""Entries of a score's detail in which two scores of one column must agree, `n` apart."""


@dataclass(frozen=True)
class Entry:
    """One score of the trained model. value: None where status is not `done`."""

    dataset: str
    key: RowKey
    seed: int | None
    metric: str
    condition: str
    value: float | None
    unit: str
    direction: str
    bound: str
    n: int | None
    ci_low: float | None
    ci_high: float | None
    status: str
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    def protocol(self, group: Group) -> Protocol:
        """What this score shares with every other score of its column.

        The n of a cost is a number of repetitions, which biases nothing, so it splits no column.
        """
        found = [(k, _text(self.detail[k])) for k in _PROTOCOL_KEYS if k in self.detail]
        if group == "quality" and self.n is not None:
            found.append(("n", str(self.n)))
        return tuple(found)


def read_entries(scores: pd.DataFrame) -> list[Entry]:
    """The frame's scores of fully trained models (`at_fraction` 1 or not stated), in its order,
    without those of controls.

    Raises ValueError where the frame's columns are not those of a score file.
    """
    if tuple(scores.columns) != SCORE_COLUMNS:
        raise ValueError(
            f"a score frame has the columns {', '.join(SCORE_COLUMNS)}; "
            f"got {', '.join(map(str, scores.columns))}"
        )
    records = scores.to_dict("records")
    whole = [
        r
        for r in records
        if _number(r["at_fraction"]) in (None, 1.0) and r["model"] != CONTROL_MODEL
    ]
    return _fold([_entry({str(k): v for k, v in r.items()}) for r in whole])


def kind_of(key: RowKey) -> Kind:
    """Held-out data, a model trained by the bench, or one trained elsewhere."""
    if key.model == REFERENCE_MODEL:
        return "real"
    return "external" if key.budget == EXTERNAL else "model"


def group_of(spec: ScoreSpec) -> Group:
    """Whether a score is about quality, the cost of using a model, or the spend of training it."""
    if spec.name in SPEND:
        return "spend"
    cost = spec.name in _COST_NAMES or spec.unit.lower() in _COST_UNITS
    return "cost" if cost else "quality"


def ordered_specs(entries: Iterable[Entry], specs: Mapping[str, ScoreSpec]) -> list[ScoreSpec]:
    """The spec of every metric that occurs: quality, cost, spend; registry order within each.

    A metric that no spec declares (its plugin is gone) comes after those that are declared.
    """
    known = {**specs, **{name: specs.get(name, spec) for name, spec in SPEND.items()}}
    found: dict[str, ScoreSpec] = {}
    for entry in entries:
        if entry.metric and entry.metric not in found:
            own = ScoreSpec(entry.metric, entry.unit, _direction(entry.direction))
            found[entry.metric] = known.get(entry.metric, own)
    place = {name: i for i, name in enumerate(known)}
    groups = ("quality", "cost", "spend")
    return sorted(
        found.values(), key=lambda s: (groups.index(group_of(s)), place.get(s.name, len(place)))
    )


def natural(text: str) -> tuple[tuple[int, float, str], ...]:
    """Sort key under which `batch=8` comes before `batch=64`, and `sigma=0.5` before `sigma=2`."""
    parts = re.split(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)", text)
    return tuple((1, float(p), "") if i % 2 else (0, 0.0, p) for i, p in enumerate(parts) if p)


def _entry(row: dict[str, Any]) -> Entry:
    value, status, reason = _number(row["value"]), str(row["status"]), str(row["reason"])
    if status == "done" and value is None:
        status, reason = "error", reason or "the metric returned no number"
    seed, n = _number(row["seed"]), _number(row["n"])
    return Entry(
        dataset=str(row["dataset"]),
        key=RowKey(*(str(row[name]) for name in RowKey._fields)),
        seed=None if seed is None else int(seed),
        metric=str(row["metric"]),
        condition=str(row["condition"]),
        value=value if status == "done" else None,
        unit=str(row["unit"]),
        direction=str(row["direction"]),
        bound=str(row["bound"]),
        n=None if n is None else int(n),
        ci_low=_number(row["ci_low"]),
        ci_high=_number(row["ci_high"]),
        status=status,
        reason=reason,
        detail=_detail(row["detail"]),
    )


def _fold(entries: list[Entry]) -> list[Entry]:
    """Move scores of the trained model to its variants where it has no row of its own.

    Scores of scope `model` and the training ledger carry an empty variant. A model that was
    sampled in named variants only (`--models 'ldm[steps=8]'`) has nothing else there.
    """
    metrics: dict[tuple[str, RowKey], set[str]] = {}
    for e in entries:
        metrics.setdefault((e.dataset, e.key), set()).add(e.metric)
    folded: list[Entry] = []
    for e in entries:
        variants = [
            key
            for dataset, key in metrics
            if dataset == e.dataset and key.trained == e.key.trained and key.variant
        ]
        sampled = any(metrics[e.dataset, v] & metrics[e.dataset, e.key] for v in variants)
        if e.key.variant or not variants or sampled:
            folded.append(e)
        else:
            folded.extend(replace(e, key=variant) for variant in variants)
    return folded


def _detail(value: object) -> dict[str, Any]:
    if not isinstance(value, str) or not value:
        return {}
    loaded = json.loads(value)
    return loaded if isinstance(loaded, dict) else {}


def _number(value: object) -> float | None:
    """A finite or infinite number; None for NA and NaN."""
    if not isinstance(value, numbers.Real) or math.isnan(value):
        return None
    return float(value)


def _direction(text: str) -> Any:
    return text if text in ("max", "min") else "none"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
