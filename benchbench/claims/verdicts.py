"""Verdicts: where the interval of an effect lies against delta, and nothing else.

An effect is signed so that what is claimed is positive; delta >= 0 is the smallest that matters.

    supported     its interval lies wholly above delta
    refuted       wholly below delta
    inconclusive  neither; with the number of seeds a side that would decide it
    untestable    the metric failed its instrument check, the data are not here, or too few runs
                  ended; with the reason

Direction `equal`: supported where the interval lies within ±delta, refuted where it lies wholly
outside (two one-sided tests: Schuirmann, 1987).

Turned round, an effect changes its sign. A supported claim turned round lies below −delta, so it
is refuted; a refuted one stays refuted only where it lies above −delta too, that is, where the two
sides are equivalent to within delta.

Over several data sets a claim has a verdict where all of them have the same; else it is
inconclusive, and says how they differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from benchbench.claims.aggregate import Aggregate, aggregate
from benchbench.claims.evidence import Evidence
from benchbench.claims.intervals import (
    MOST_SEEDS,
    Estimate,
    mean_effect,
    seeds_needed,
    share_effect,
    spread_effect,
)
from benchbench.claims.schema import Claim

__all__ = ["Comparison", "Judged", "Verdict", "compare", "judge", "verdict_of"]

Verdict = Literal["supported", "refuted", "inconclusive", "untestable"]


@dataclass(frozen=True)
class Comparison:
    """A claim on one data set.

    effect, low, high, delta: signed so that the claim is positive; logarithms where the claim's
        delta is a factor. value, other: the statistic of either side, as measured. n: seeds of
        each side. needed: seeds a side that would decide an inconclusive one; None: more than
        MOST_SEEDS, or nothing to say.
    """

    claim: Claim
    dataset: str
    verdict: Verdict
    delta: float
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    value: float | None = None
    other: float | None = None
    n: tuple[int, ...] = ()
    needed: int | None = None
    paired: bool = False
    reason: str = ""

    def shown(self, value: float | None) -> float:
        """An effect or delta as the claim states it: a factor where delta is one; NaN for none."""
        if value is None:
            return math.nan
        if not self.claim.factor:
            return value
        return math.exp(value) if value < 700 else math.inf


@dataclass(frozen=True)
class Judged:
    """A claim with its verdict, that of each data set, and the aggregate over them."""

    claim: Claim
    verdict: Verdict
    reason: str
    comparisons: tuple[Comparison, ...] = ()
    aggregate: Aggregate | None = None


def verdict_of(low: float, high: float, delta: float, *, equal: bool = False) -> Verdict:
    """Where an interval lies against delta.

    >>> verdict_of(1.5, 2.5, delta=1.0), verdict_of(-0.5, 0.5, delta=1.0, equal=True)
    ('supported', 'supported')
    >>> verdict_of(-2.5, -1.5, delta=1.0), verdict_of(0.5, 1.5, delta=1.0)
    ('refuted', 'inconclusive')
    """
    if equal:
        if -delta < low and high < delta:
            return "supported"
        return "refuted" if low > delta or high < -delta else "inconclusive"
    if low > delta:
        return "supported"
    return "refuted" if high < delta else "inconclusive"


def compare(evidence: Evidence, level: float) -> Comparison:
    """The verdict of one claim on one data set."""
    claim = evidence.claim
    delta = claim.delta_on(evidence.dataset)
    delta = math.log(delta) if claim.factor else delta
    blank = Comparison(claim, evidence.dataset, "untestable", delta, reason=evidence.problem)
    if evidence.problem:
        return blank
    estimate = _estimate(evidence)
    interval = estimate.interval(level)
    n = (len(evidence.first), *([len(evidence.second)] if evidence.two_sided else []))
    if interval is None or not all(math.isfinite(v) for v in (estimate.mean, *interval)):
        return replace(blank, n=n, reason="its values allow no interval (equal, or not finite)")
    sign = -1.0 if claim.direction == "lower" else 1.0
    low, high = sorted(sign * end for end in interval)
    verdict = verdict_of(low, high, delta, equal=claim.direction == "equal")
    found = replace(
        blank,
        verdict=verdict,
        effect=sign * estimate.mean,
        low=low,
        high=high,
        value=evidence.statistic(evidence.first),
        other=evidence.other_statistic(),
        n=n,
        paired=evidence.paired,
    )
    return _explained(found, estimate, level, evidence.remarks, sign)


def _estimate(evidence: Evidence) -> Estimate:
    second = evidence.second if evidence.two_sided else evidence.target
    statistic = evidence.claim.statistic
    if statistic == "share":
        return share_effect(evidence.first, second)
    if statistic == "spread":
        return spread_effect(evidence.first, second, paired=evidence.paired)
    return mean_effect(evidence.first, second, paired=evidence.paired)


def _explained(
    found: Comparison, estimate: Estimate, level: float, remarks: tuple[str, ...], sign: float
) -> Comparison:
    """With the seeds that would decide it, and what there is to say."""
    parts = list(remarks)
    needed = None
    if found.verdict == "inconclusive":
        equal = found.claim.direction == "equal"
        bounds = [sign * found.delta, *([-sign * found.delta] if equal else [])]
        needed = seeds_needed(estimate, bounds, level, min(found.n))
        parts.append(
            f"about {needed} seeds a side would decide it, if effect and spread stay"
            if needed
            else f"more than {MOST_SEEDS} seeds a side would be needed: the effect is about delta"
        )
    return replace(found, needed=needed, reason="; ".join(parts))


def judge(claim: Claim, evidences: list[Evidence], level: float) -> Judged:
    """The verdict of one claim over its data sets."""
    if claim.kind is not None:
        return Judged(claim, "untestable", f"the bench has no data of kind {claim.kind!r}")
    comparisons = tuple(compare(evidence, level) for evidence in evidences)
    verdicts = {c.verdict for c in comparisons}
    together = aggregate(evidences)
    if len(verdicts) == 1:
        many = len(comparisons) > 1
        reasons = [
            f"{c.dataset}: {c.reason}" if many else c.reason for c in comparisons if c.reason
        ]
        return Judged(claim, comparisons[0].verdict, "; ".join(reasons), comparisons, together)
    words = ", ".join(f"{c.verdict} on {c.dataset}" for c in comparisons)
    return Judged(claim, "inconclusive", words, comparisons, together)
