"""Several data sets in one number: the interquartile mean, with a stratified bootstrap interval.

Each run's score, less the mean of the other side there (or the number the claim is held against),
is divided by the data set's delta, so that 0 is the other side and 1 the smallest difference that
matters, everywhere. The interquartile
mean (mean of the middle half) is taken of all runs on all data sets, of each side; the aggregate
is its difference. The interval is the percentile bootstrap's at 95 %, seeds drawn anew within
each data set (paired rows together). It is evidence beside the verdicts and decides none: eight
seeds a stratum are few for a bootstrap, and it is not widened for the number of claims.

Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchbench.claims.evidence import Evidence

__all__ = ["Aggregate", "aggregate"]

RESAMPLINGS = 2000
TAILS = (2.5, 97.5)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Aggregate:
    """Interquartile mean difference in units of delta, with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float
    datasets: int


def aggregate(evidences: Sequence[Evidence]) -> Aggregate | None:
    """Over the data sets that have evidence; None for fewer than two, or without a mean."""
    strata = [stratum for e in evidences if (stratum := _scaled(e)) is not None]
    if len(strata) < 2:
        return None
    generator = np.random.default_rng(0)
    value = float(_difference([(x[None], y[None]) for x, y, _ in strata])[0])
    drawn = _difference([_resampled(x, y, paired, generator) for x, y, paired in strata])
    low, high = np.percentile(drawn, TAILS)
    return Aggregate(value, float(low), float(high), len(strata))


def _scaled(evidence: Evidence) -> tuple[Floats, Floats, bool] | None:
    """Both sides in units of delta, the claimed direction positive; the other may be empty."""
    claim = evidence.claim
    if evidence.problem or claim.statistic != "mean":
        return None
    delta = claim.delta_on(evidence.dataset)
    delta = math.log(delta) if claim.factor else delta
    if delta <= 0:
        return None
    unit = -delta if claim.direction == "lower" else delta
    x, y = (
        np.asarray(list(values.values()), dtype=np.float64) / unit
        for values in (evidence.first, evidence.second)
    )
    zero = y.mean() if len(y) else evidence.target / unit
    return x - zero, y - zero, evidence.paired


def _resampled(
    x: Floats, y: Floats, paired: bool, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Both sides with their seeds drawn anew, (RESAMPLINGS, n) each."""
    rows = generator.integers(len(x), size=(RESAMPLINGS, len(x)))
    if not len(y):
        return x[rows], np.empty((RESAMPLINGS, 0))
    others = rows if paired else generator.integers(len(y), size=(RESAMPLINGS, len(y)))
    return x[rows], y[others]


def _difference(strata: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Interquartile mean of one side less that of the other, along the last axis."""
    first, second = (np.concatenate([pair[k] for pair in strata], axis=1) for k in (0, 1))
    value: Floats = stats.trim_mean(first, 0.25, axis=1)
    return value - stats.trim_mean(second, 0.25, axis=1) if second.shape[1] else value
