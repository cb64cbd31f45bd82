"""One measured number, with everything a reader needs to attack it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["CONTROLS", "CONTROL_DRAWS", "Bound", "Direction", "Score", "ScoreSpec"]

CONTROLS = ("real", "memoriser", "collapsed", "mode-dropper", "noise", "blur")
"""Samples whose faults are known; `benchbench.metrics.controls` says how they are made."""
CONTROL_DRAWS = 4
"""How often each control is drawn."""

Direction = Literal["max", "min", "none"]
Bound = Literal["exact", "lower", "upper", "estimate"]


@dataclass(frozen=True)
class ScoreSpec:
    """What a metric says of one of its scores before it is computed.

    name: lower case, the field's word, unit last (`latency_p50_ms`).
    unit: of the value as printed (`nats`, `samples/s`, `1` for a pure number).
    direction: `max` or `min` is better; `none` where neither is.
    label: a table's column head; empty: the name.
    digits: decimals in a table; None: three significant digits.
    table: whether the comparison table shows it (all scores are in scores.csv).
    catches: the controls that it must score worse than held-out real data.
    """

    name: str
    unit: str
    direction: Direction
    label: str = ""
    digits: int | None = None
    table: bool = True
    summary: str = ""
    catches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Score:
    """One number of one metric.

    metric: the name of a `ScoreSpec` that the metric declares.
    value: the number, or None where status is not `done`.
    bound: of the value AS PRINTED: a lower bound on log p(x) is an `upper` bound on the nll.
    n: the number of samples or examples behind the value.
    condition: what the value is taken at (`batch=64`, `sigma=0.5`), empty where there is nothing.
    detail: JSON-ready: extractor and its hash, reference split, NFE, sampler, k, ESS, …
    ci_low, ci_high: a 95 % interval of the value where the metric itself gives one.
    """

    metric: str
    value: float | None
    bound: Bound = "estimate"
    n: int | None = None
    condition: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    ci_low: float | None = None
    ci_high: float | None = None
    status: Literal["done", "skipped", "error"] = "done"
    reason: str = ""
