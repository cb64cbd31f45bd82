"""From scores to the numbers by seed that a claim is judged by, or the reason why there are none.

Everything is read off the score frame: what scores.csv does not hold is no evidence. A run that
diverged counts for a share, and is missing for everything else; a run that failed for another
reason is missing. Where fewer than three quarters of the runs asked for ended, or fewer than
three, there is nothing to judge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from benchbench.claims.compile import Row, Sides
from benchbench.claims.schema import Claim
from benchbench.store.scores import REFERENCE_MODEL

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Evidence", "LEAST_SEEDS", "Problem", "gather"]

LEAST_SEEDS = 3
LEAST_SHARE = 0.75

Values = Mapping[int, float]
Failing = Mapping[tuple[str, str], list[str]]


class Problem(Exception):
    """Why a claim is untestable here, in one line."""


@dataclass(frozen=True)
class Evidence:
    """Numbers by seed for a claim on one data set; logarithms where its scale says so.

    second: of the other row; empty where the first is held against `target`.
    paired: both rows are taken of one trained model, so that seed k of one belongs to seed k of
        the other.
    problem: why there is nothing to judge; empty otherwise.
    """

    claim: Claim
    dataset: str
    first: Values = field(default_factory=dict)
    second: Values = field(default_factory=dict)
    target: float = math.nan
    two_sided: bool = False
    paired: bool = False
    problem: str = ""
    remarks: tuple[str, ...] = ()

    def statistic(self, values: Values) -> float:
        """The claim's statistic of one side, in the metric's own unit."""
        x = np.asarray(list(values.values()))
        if self.claim.statistic == "spread":
            return float(x.std(ddof=1))
        return math.exp(x.mean()) if self.claim.scale == "log" else float(x.mean())

    def other_statistic(self) -> float:
        """The same of the other side, or the number it is held against."""
        if self.two_sided:
            return self.statistic(self.second)
        log = self.claim.scale == "log" and self.claim.statistic == "mean"
        return math.exp(self.target) if log else self.target


def gather(
    claim: Claim, dataset: str, sides: Sides, scores: pd.DataFrame, failing: Failing, missing: str
) -> Evidence:
    """The evidence on one data set.

    failing: (data set, score) -> the controls that the score missed (`report.instruments`).
    missing: why the data set is not here, or empty.
    """
    blank = Evidence(claim, dataset)
    try:
        if missing:
            raise Problem(missing)
        for row in (sides.first, sides.second):
            if not isinstance(row, Row):
                continue
            missed = failing.get((dataset, row.metric), [])
            if claim.instruments is not None:
                missed = [control for control in missed if control in claim.instruments]
            if missed:
                raise Problem(
                    f"{row.metric} failed its instrument check on {dataset}: it did not tell "
                    f"{', '.join(missed)} from real data"
                )
        return _gathered(blank, sides, scores[scores.dataset == dataset])
    except Problem as problem:
        return Evidence(claim, dataset, problem=str(problem))


def _gathered(blank: Evidence, sides: Sides, scores: pd.DataFrame) -> Evidence:
    claim = blank.claim
    remarks: list[str] = []
    first, second = sides.first, sides.second
    values = _by_seed(claim, first, sides.seeds, scores)
    remarks += _unended(first, values, sides.seeds)
    if not isinstance(second, Row):
        log = claim.scale == "log" and claim.statistic == "mean"
        if log and second <= 0:
            raise Problem("a number on a log scale must be positive")
        target = math.log(second) if log else second
        return replace(blank, first=values, target=target, remarks=tuple(remarks))
    if second.model == REFERENCE_MODEL:
        target = _held_out(claim, second, scores)
        return replace(blank, first=values, target=target, remarks=tuple(remarks))
    others = _by_seed(claim, second, sides.seeds, scores)
    remarks += _unended(second, others, sides.seeds)
    paired = first.same_training(second)
    if paired:
        values, others = _paired(claim, first, values, others)
    return replace(
        blank,
        first=values,
        second=others,
        two_sided=True,
        paired=paired,
        remarks=tuple(remarks),
    )


def _paired(claim: Claim, row: Row, x: Values, y: Values) -> tuple[Values, Values]:
    """Both sides on the seeds that both have."""
    if claim.statistic == "share":
        raise Problem(
            f"both sides sample one trained {row.model}, so their shares are not independent; "
            "compare means"
        )
    common = sorted(x.keys() & y.keys())
    if len(common) < LEAST_SEEDS:
        raise Problem(f"too few runs: only {len(common)} seeds have a value on both sides")
    return {s: x[s] for s in common}, {s: y[s] for s in common}


def _by_seed(claim: Claim, row: Row, seeds: tuple[int, ...], scores: pd.DataFrame) -> Values:
    """The row's numbers, one a seed that ended. Raises Problem where too few did."""
    here = scores[
        (scores.model == row.model)
        & (scores.config == row.config)
        & (scores.budget == row.budget)
        & (scores.variant == row.variant)
        & (scores.metric == row.metric)
        & (scores.at_fraction == 1)
        & scores.seed.isin(seeds)
    ]
    if claim.statistic == "slope":
        values = _slopes(claim, here)
    elif claim.statistic == "share":
        values = _counted(claim, row, here)
    else:
        values = _finite(_at(here, row.metric, row.condition))
    needed = max(LEAST_SEEDS, math.ceil(LEAST_SHARE * len(seeds)))
    if len(values) < needed:
        why = next((str(r) for r in here.reason if r), "not run")
        raise Problem(
            f"too few runs: {len(values)} of {len(seeds)} of {row.text} have {row.metric}, "
            f"{needed} are needed ({why})"
        )
    if claim.scale == "log":
        if min(values.values()) <= 0:
            raise Problem(f"{row.metric} of {row.text} is not positive, so it has no log scale")
        return {seed: math.log(value) for seed, value in values.items()}
    return values


def _at(rows: pd.DataFrame, metric: str, condition: str) -> pd.DataFrame:
    """Rows at a condition; Problem where the metric has others and none was named."""
    known = [c for c in dict.fromkeys(rows.condition) if c]
    if not condition and known:
        raise Problem(f"{metric} is taken at {', '.join(known)}: name one as condition")
    if condition and known and condition not in known:
        raise Problem(f"{metric} is not taken at {condition!r}; there are {', '.join(known)}")
    # A run that failed has one row a score, without a condition.
    return rows[(rows.condition == condition) | (rows.status != "done")]


def _finite(rows: pd.DataFrame) -> dict[int, float]:
    done = rows[(rows.status == "done") & np.isfinite(rows.value)].sort_values("seed")
    return {int(s): float(v) for s, v in zip(done.seed, done.value, strict=True)}


def _counted(claim: Claim, row: Row, rows: pd.DataFrame) -> dict[int, float]:
    """1 for a run that counts or diverged, 0 for another that ended."""
    rows = _at(rows, row.metric, row.condition)
    found = {seed: float(claim.counts(value)) for seed, value in _finite(rows).items()}
    diverged = rows[rows.status == "diverged"]
    return dict(sorted((found | {int(s): 1.0 for s in diverged.seed}).items()))


def _slopes(claim: Claim, rows: pd.DataFrame) -> dict[int, float]:
    """By seed, the slope of ln value against the ln of the number that ends each condition."""
    try:
        numbers = [float(condition.rpartition("=")[2]) for condition in claim.over]
    except ValueError:
        raise Problem("each condition of over must end in =NUMBER") from None
    if min(numbers) <= 0:
        raise Problem("the numbers that end the conditions of over must be positive")
    series = [_finite(rows[rows.condition == condition]) for condition in claim.over]
    common = set.intersection(*(set(s) for s in series))
    logs = np.log(numbers)
    found = {}
    for seed in sorted(common):
        values = np.asarray([s[seed] for s in series])
        if (values > 0).all():
            found[seed] = float(np.polyfit(logs, np.log(values), 1)[0])
    return found


def _held_out(claim: Claim, row: Row, scores: pd.DataFrame) -> float:
    here = scores[(scores.model == REFERENCE_MODEL) & (scores.metric == row.metric)]
    done = here[(here.condition == row.condition) & (here.status == "done")]
    if len(done) != 1 or not math.isfinite(float(done.value.iloc[0])):
        raise Problem(f"held-out data have no {row.metric}")
    value = float(done.value.iloc[0])
    if claim.scale != "log":
        return value
    if value <= 0:
        raise Problem(f"{row.metric} of held-out data is not positive, so it has no log scale")
    return math.log(value)


def _unended(row: Row, values: Values, seeds: tuple[int, ...]) -> list[str]:
    lacking = len(seeds) - len(values)
    return [f"{lacking} of {len(seeds)} runs of {row.text} have no value"] if lacking else []
