"""Effects and their intervals, from numbers by seed.

    mean    x̄ − ȳ, models trained apart:          Welch's t
            mean of x_i − y_i, one trained model:  Student's t, paired by seed
            x̄ − c:                                 Student's t
    spread  ln(s_x/s_y) or ln(s_x/c): the same on jackknife pseudo-values of ln s
    share   k/n − c:        Clopper and Pearson's exact interval
            k/n − l/m:      exact unconditional interval, by inverting tests whose p-value is the
                            greatest over the unknown common level, outcomes ordered by the
                            difference over its Agresti–Caffo standard error

Level. A file of m comparisons gets intervals at 1 − α/m each, α = 0.05 (Bonferroni), m counted
before anything is run, so with probability 1 − α all of them hold at once, whatever depends on
what. Verdicts are read off these intervals. Holm's procedure would decide a little more, but its
intervals (level 1 − α/(m − i + 1) for the i-th smallest p-value) do not hold together: for m far
apart effects they miss one with probability up to α Σ 1/i, 0.16 for m = 12. An interval that is
printed has to be true, so the simpler level it is.

What to know: t intervals assume values that are not strongly skewed. Of 8 exponential values the
one-sided error at these levels is ten times the nominal one; put such metrics on a log scale.

Welch, "The generalization of 'Student's' problem when several different population variances are
involved", 1947; Miller, "Jackknifing variances", 1968; Chan and Zhang, "Test-based exact confidence
intervals for the difference of two binomial proportions", 1999; Agresti and Caffo, "Simple and
effective confidence intervals for proportions", 2000; Clopper and Pearson, "The use of confidence
or fiducial limits illustrated in the case of the binomial", 1934; Holm, "A simple sequentially
rejective multiple test procedure", 1979.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchbench.report.statistics import Difference, difference

__all__ = [
    "ALPHA",
    "Estimate",
    "MOST_SEEDS",
    "ShareDifference",
    "file_level",
    "mean_effect",
    "seeds_needed",
    "share_effect",
    "spread_effect",
]

ALPHA = 0.05
MOST_SEEDS = 1000
"""More seeds than this are nobody's plan."""
LEVELS = 400
"""Points at which the unknown common level of two shares is tried."""
BISECTIONS = 30

Floats = NDArray[np.float64]


class Estimate(Protocol):
    """An effect that has an interval at any level."""

    @property
    def mean(self) -> float:
        """The effect itself."""

    def interval(self, level: float) -> tuple[float, float] | None:
        """Lower and upper end, or None where the data allow no interval."""


def file_level(comparisons: int) -> float:
    """The level of each interval of a file, so that all hold with probability 1 − ALPHA."""
    return 1 - ALPHA / comparisons


def mean_effect(
    x: Mapping[int, float], y: Mapping[int, float] | float, *, paired: bool = False
) -> Difference:
    """Mean of x minus mean of y, or minus a number."""
    if isinstance(y, Mapping):
        return difference(x, y, paired=paired)
    return difference(x, dict.fromkeys(x, y), paired=True)


def spread_effect(
    x: Mapping[int, float], y: Mapping[int, float] | float, *, paired: bool = False
) -> Difference:
    """ln of the standard deviation of x over that of y, or over a number."""
    first = _by_seed(x, log_deviation_pseudo_values(list(x.values())))
    if not isinstance(y, Mapping):
        return mean_effect(first, math.log(y))
    second = _by_seed(y, log_deviation_pseudo_values(list(y.values())))
    return mean_effect(first, second, paired=paired)


def log_deviation_pseudo_values(values: Sequence[float]) -> Floats:
    """n ln s − (n − 1) ln s₍₋ᵢ₎ for each i; not finite where fewer than three values differ."""
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    if n < 3:
        return np.full(n, math.nan)
    rest = np.asarray([np.delete(x, i).std(ddof=1) for i in range(n)])
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = n * np.log(x.std(ddof=1)) - (n - 1) * np.log(rest)
    return found


def share_effect(
    x: Mapping[int, float], y: Mapping[int, float] | float
) -> ShareDifference | ShareAgainst:
    """Share of ones in x minus share of ones in y, or minus a number. Values are 0 or 1."""
    hits = round(sum(x.values()))
    if isinstance(y, Mapping):
        return ShareDifference(hits, len(x), round(sum(y.values())), len(y))
    return ShareAgainst(hits, len(x), y)


@dataclass(frozen=True)
class ShareAgainst:
    """hits/n − target."""

    hits: int
    n: int
    target: float

    @property
    def mean(self) -> float:
        """The observed share less the target."""
        return self.hits / self.n - self.target

    def interval(self, level: float) -> tuple[float, float]:
        """Clopper and Pearson's."""
        found = stats.binomtest(self.hits, self.n).proportion_ci(level, method="exact")
        return found.low - self.target, found.high - self.target


@dataclass(frozen=True)
class ShareDifference:
    """hits/n − others/m of independent runs."""

    hits: int
    n: int
    others: int
    m: int

    @property
    def mean(self) -> float:
        """The observed difference."""
        return self.hits / self.n - self.others / self.m

    def interval(self, level: float) -> tuple[float, float]:
        """The differences that neither one-sided test rejects at (1 − level)/2."""
        turned = ShareDifference(self.others, self.m, self.hits, self.n)
        tail = (1 - level) / 2
        return _least_difference(self, tail), -_least_difference(turned, tail)


def _least_difference(shares: ShareDifference, tail: float) -> float:
    """The least difference that a test against a greater one does not reject."""
    low, high = -1.0, shares.mean
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if p_greater(shares, middle) <= tail else (low, middle)
    return low


def p_greater(shares: ShareDifference, least: float) -> float:
    """The greatest probability of an outcome as high as this one where the difference is `least`.

    The level of the second share, on which it depends, is tried on a grid.
    """
    n, m = shares.n, shares.m
    a, b = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    order = _standardised(a, b, n, m, least)
    extreme = order >= order[shares.hits, shares.others] - 1e-9
    level = np.linspace(max(0.0, -least), min(1.0, 1 - least), LEVELS)
    first = stats.binom.pmf(np.arange(n + 1)[:, None], n, np.clip(level + least, 0, 1))
    second = stats.binom.pmf(np.arange(m + 1)[:, None], m, level)
    return float(np.einsum("ig,jg,ij->g", first, second, extreme.astype(float)).max())


def _standardised(
    a: NDArray[np.int64], b: NDArray[np.int64], n: int, m: int, least: float
) -> Floats:
    """(difference − least) over Agresti and Caffo's standard error, of each outcome."""
    p, q = (a + 1) / (n + 2), (b + 1) / (m + 2)
    error = np.sqrt(p * (1 - p) / (n + 2) + q * (1 - q) / (m + 2))
    found: Floats = (a / n - b / m - least) / error
    return found


def seeds_needed(estimate: Estimate, bounds: Sequence[float], level: float, n: int) -> int | None:
    """How many seeds a side would bring the interval off every bound, if effect and spread stay.

    n: seeds a side now. None where more than MOST_SEEDS would.
    """
    found = estimate.interval(level)
    if found is None or any(estimate.mean == bound for bound in bounds):
        return None
    for seeds in range(n, MOST_SEEDS + 1):
        low, high = _narrowed(estimate, found, level, seeds / n)
        if not any(low <= bound <= high for bound in bounds):
            return seeds
    return None


def _narrowed(
    estimate: Estimate, now: tuple[float, float], level: float, growth: float
) -> tuple[float, float]:
    """The interval with `growth` times as many seeds."""
    mean, root = estimate.mean, math.sqrt(growth)
    if isinstance(estimate, Difference) and estimate.dof is not None:
        dof = (estimate.dof + 1) * growth - 1
        half = float(stats.t.ppf(0.5 + level / 2, dof)) * estimate.standard_error / root
        return mean - half, mean + half
    return mean - (mean - now[0]) / root, mean + (now[1] - mean) / root


def _by_seed(x: Mapping[int, float], values: Floats) -> dict[int, float]:
    return dict(zip(x, values.tolist(), strict=True))
