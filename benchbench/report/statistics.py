"""Intervals over seeds, and when one row of a table may be called the best.

Mean of seeds x_1 … x_n:            x̄ ± t_{n−1, 0.975} · s/√n
Difference, models trained apart:   x̄ − ȳ ± t_ν · √(s_x²/n_x + s_y²/n_y), ν of Welch–Satterthwaite
Difference, one trained model:      d̄ ± t_{n−1} · s_d/√n with d_i = x_i − y_i, paired by seed
Best of m + 1 rows:                 its m differences to the others, p-values sorted ascending,
                                    p_(i) <= α/(m − i + 1) for EVERY i (Holm's levels)

The last line says that the interval of each difference, at Holm's level for it, excludes zero.
Seed k of one model and seed k of another share no randomness, so they are no pair.

Welch, "The generalization of 'Student's' problem when several different population variances are
involved", 1947. Holm, "A simple sequentially rejective multiple test procedure", 1979.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

__all__ = ["Difference", "Interval", "difference", "holm", "mean_interval"]

LEVEL = 0.95
_ROUNDING = 1e-12
"""Means that agree to this relative precision are equal: the rest is floating-point rounding."""


@dataclass(frozen=True)
class Interval:
    """A mean with its interval; `low` and `high` are None where there is none."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """A difference of means, its standard error, and the t distribution it is judged by.

    dof: degrees of freedom; None where the data allow no interval (fewer than two values, or
        values that are not finite).
    """

    mean: float
    standard_error: float
    dof: float | None

    @property
    def p_value(self) -> float:
        """Two-sided p of zero difference; 1 where there is no interval."""
        if self.dof is None or self.mean == 0:
            return 1.0
        if self.standard_error == 0:
            return 0.0
        return float(2 * stdtr(self.dof, -abs(self.mean) / self.standard_error))

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """The interval of the difference at this level, or None."""
        if self.dof is None:
            return None
        half = _half_width(self.standard_error, self.dof, level)
        return self.mean - half, self.mean + half


def mean_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Mean and Student t interval of at least one value; no interval from one value alone.

    >>> found = mean_interval([1.0, 2.0, 3.0])
    >>> found.mean, round(found.low, 4), round(found.high, 4)
    (2.0, -0.4841, 4.4841)
    """
    x = np.asarray(values, dtype=np.float64)
    mean = _mean(x)
    if len(x) < 2 or not math.isfinite(mean):
        return Interval(mean, None, None)
    half = _half_width(_standard_error(x), len(x) - 1, level)
    return Interval(mean, mean - half, mean + half)


def difference(
    a: Mapping[int, float], b: Mapping[int, float], *, paired: bool = False
) -> Difference:
    """Mean of a minus mean of b, each a map from seed to value.

    paired: over the seeds that both have (rows that share one trained model); else Welch's t.
    """
    if paired:
        seeds = sorted(a.keys() & b.keys())
        delta = np.asarray([a[s] - b[s] for s in seeds], dtype=np.float64)
        scale = max((abs(v) for s in seeds for v in (a[s], b[s])), default=0.0)
        return _paired(delta, scale)
    x, y = (np.asarray([m[s] for s in sorted(m)], dtype=np.float64) for m in (a, b))
    if len(x) == 0 or len(y) == 0:
        return Difference(math.nan, math.nan, None)
    mean = _zero_if_rounding(_mean(x) - _mean(y), max(abs(_mean(x)), abs(_mean(y))))
    if min(len(x), len(y)) < 2 or not math.isfinite(mean):
        return Difference(mean, math.nan, None)
    u, v = _standard_error(x) ** 2, _standard_error(y) ** 2
    if u + v == 0:
        return Difference(mean, 0.0, float(len(x) + len(y) - 2))
    share = u / (u + v)
    dof = 1 / (share**2 / (len(x) - 1) + (1 - share) ** 2 / (len(y) - 1))
    return Difference(mean, math.sqrt(u + v), dof)


def holm(p_values: Sequence[float], alpha: float = 1 - LEVEL) -> list[bool]:
    """Which hypotheses Holm's step-down procedure rejects at family-wise error rate alpha.

    >>> holm([0.01, 0.04, 0.03])
    [True, False, False]
    """
    rejected = [False] * len(p_values)
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[index] > alpha / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected


def _paired(delta: np.ndarray, scale: float) -> Difference:
    if len(delta) == 0:
        return Difference(math.nan, math.nan, None)
    mean = _zero_if_rounding(_mean(delta), scale)
    if len(delta) < 2 or not math.isfinite(mean):
        return Difference(mean, math.nan, None)
    return Difference(mean, _standard_error(delta), float(len(delta) - 1))


def _mean(x: np.ndarray) -> float:
    return float(x[0]) if np.all(x == x[0]) else float(np.mean(x))


def _standard_error(x: np.ndarray) -> float:
    """s/√n, and exactly 0 for equal values, which rounding in the mean would deny."""
    return 0.0 if np.all(x == x[0]) else float(np.std(x, ddof=1) / math.sqrt(len(x)))


def _half_width(standard_error: float, dof: float, level: float) -> float:
    return float(stdtrit(dof, 0.5 + level / 2)) * standard_error


def _zero_if_rounding(mean: float, scale: float) -> float:
    return 0.0 if abs(mean) <= _ROUNDING * scale else mean
