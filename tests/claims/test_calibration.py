"""Calibration by simulation: how often a file of 12 claims gives a wrong verdict, and a right one.

The simulations are vectorised; `test_simulated_intervals_are_those_of_the_code` ties their
formulas to the functions that `bench claims` uses.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from benchbench.claims.intervals import (
    ShareDifference,
    file_level,
    log_deviation_pseudo_values,
    mean_effect,
    p_greater,
    spread_effect,
)
from benchbench.claims.verdicts import verdict_of

CLAIMS, SEEDS, FILES = 12, 8, 4000
LEVEL = file_level(CLAIMS)
Floats = NDArray[np.float64]


def student(x: Floats) -> tuple[Floats, Floats]:
    """Intervals of the mean along the last axis."""
    n = x.shape[-1]
    half = stats.t.ppf(0.5 + LEVEL / 2, n - 1) * x.std(-1, ddof=1) / n**0.5
    return x.mean(-1) - half, x.mean(-1) + half


def welch(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Intervals of the difference of means along the last axis."""
    n = x.shape[-1]
    u, v = x.var(-1, ddof=1) / n, y.var(-1, ddof=1) / n
    dof = (u + v) ** 2 * (n - 1) / (u**2 + v**2)
    half = stats.t.ppf(0.5 + LEVEL / 2, dof) * np.sqrt(u + v)
    mean = x.mean(-1) - y.mean(-1)
    return mean - half, mean + half


def pseudo_values(x: Floats) -> Floats:
    """n ln s − (n − 1) ln s₍₋ᵢ₎ along the last axis."""
    n = x.shape[-1]
    rest = np.stack([np.delete(x, i, axis=-1).std(-1, ddof=1) for i in range(n)], axis=-1)
    return n * np.log(x.std(-1, ddof=1))[..., None] - (n - 1) * np.log(rest)


def normal(*, mean: float = 0.0, deviation: float = 1.0, seed: int) -> Floats:
    """Scores of FILES files of CLAIMS claims with SEEDS seeds."""
    generator = np.random.default_rng(seed)
    return generator.normal(mean, deviation, size=(FILES, CLAIMS, SEEDS))


def any_of(found: NDArray[np.bool_]) -> float:
    """Share of files in which at least one claim has it."""
    return float(found.any(axis=1).mean())


def unpaired(effect: float, deviation: float, other: float | None = None) -> tuple[Floats, Floats]:
    second = normal(deviation=deviation if other is None else other, seed=2)
    return welch(normal(mean=effect, deviation=deviation, seed=1), second)


def paired(effect: float, deviation: float) -> tuple[Floats, Floats]:
    """Two independent deviations a seed: the least that pairing can help."""
    first = normal(mean=effect, deviation=deviation, seed=3)
    return student(first - normal(deviation=deviation, seed=4))


def one_sample(effect: float, deviation: float) -> tuple[Floats, Floats]:
    return student(normal(mean=effect, deviation=deviation, seed=5))


@pytest.mark.parametrize("method", [unpaired, paired, one_sample])
def test_at_delta_at_most_5_percent_of_files_decide_wrongly(method) -> None:  # type: ignore[no-untyped-def]
    """At a true effect of delta neither verdict is right."""
    delta = 1.0
    low, high = method(delta, delta / 3)
    assert any_of(low > delta) <= 0.05
    assert any_of(high < delta) <= 0.05


def test_at_delta_with_unequal_deviations() -> None:
    delta = 1.0
    low, high = unpaired(delta, delta / 3, other=delta / 15)
    assert any_of(low > delta) <= 0.05
    assert any_of(high < delta) <= 0.05


@pytest.mark.parametrize("method", [unpaired, paired, one_sample])
def test_at_0_and_at_2_delta_four_of_five_claims_are_decided(method) -> None:  # type: ignore[no-untyped-def]
    delta = 1.0
    _, high = method(0.0, delta / 3)
    low, _ = method(2 * delta, delta / 3)
    assert float((high < delta).mean()) >= 0.8
    assert float((low > delta).mean()) >= 0.8


@pytest.mark.parametrize("method", [unpaired, paired, one_sample])
def test_all_intervals_of_a_file_hold_together(method) -> None:  # type: ignore[no-untyped-def]
    low, high = method(0.7, 1.0)
    noise = 3 * (0.05 * 0.95 / FILES) ** 0.5  # Student's intervals miss in 4.9 % of files exactly
    assert any_of((low > 0.7) | (high < 0.7)) <= 0.05 + noise


def test_equality_is_not_found_where_the_effect_is_delta() -> None:
    """At the edge of ±delta the claim of equality is supported in at most 5 % of files."""
    low, high = paired(1.0, 0.2)
    assert any_of((low > -1.0) & (high < 1.0)) <= 0.05
    low, high = paired(0.0, 0.3)
    assert float(((low > -1.0) & (high < 1.0)).mean()) >= 0.8


@pytest.mark.parametrize("tails", [5, np.inf])
def test_spread_by_jackknife_holds_its_level(tails: float) -> None:
    """Twice the deviation and delta a factor 2: normal values, and values with heavy tails."""
    generator = np.random.default_rng(6)

    def draw() -> Floats:
        size = (FILES, CLAIMS, SEEDS)
        return generator.normal(size=size) if tails == np.inf else generator.standard_t(tails, size)

    low, high = welch(pseudo_values(2 * draw()), pseudo_values(draw()))
    assert any_of(low > np.log(2)) <= 0.05
    assert any_of(high < np.log(2)) <= 0.05


def test_spread_of_paired_values_holds_its_level() -> None:
    """Half of the variance is shared, as between two ways of sampling one trained model."""
    shared = normal(seed=9)
    first, second = shared + normal(seed=10), shared + normal(seed=11)
    low, high = student(pseudo_values(2 * first) - pseudo_values(second))
    assert any_of(low > np.log(2)) <= 0.05
    assert any_of(high < np.log(2)) <= 0.05


@pytest.mark.parametrize("delta", [0.1, 0.25, 0.5])
def test_shares_hold_their_level_whatever_the_level(delta: float) -> None:
    """Exactly, by summing over all outcomes of 8 against 8 runs: no simulation."""
    tail = (1 - LEVEL) / 2
    counts = np.arange(SEEDS + 1)
    table = np.asarray(
        [[p_greater(ShareDifference(a, SEEDS, b, SEEDS), delta) for b in counts] for a in counts]
    )
    supported = table <= tail  # the lower end is above delta
    for level in np.linspace(0, 1 - delta, 41):
        first = stats.binom.pmf(counts, SEEDS, level + delta)
        second = stats.binom.pmf(counts, SEEDS, level)
        assert float(first @ supported @ second) <= tail + 1e-6
    assert supported[8, 0] == (delta <= 0.25)  # all against none


def test_simulated_intervals_are_those_of_the_code() -> None:
    x, y = (normal(mean=m, seed=s)[0, 0] for m, s in ((1.0, 7), (0.0, 8)))
    a, b = dict(enumerate(x)), dict(enumerate(y))
    assert mean_effect(a, b).interval(LEVEL) == pytest.approx([float(v) for v in welch(x, y)])
    for estimate, drawn in (
        (mean_effect(a, b, paired=True), student(x - y)),
        (mean_effect(a, 0.3), student(x - 0.3)),
        (spread_effect(a, b), welch(pseudo_values(x), pseudo_values(y))),
        (spread_effect(a, b, paired=True), student(pseudo_values(x) - pseudo_values(y))),
    ):
        assert estimate.interval(LEVEL) == pytest.approx([float(v) for v in drawn])
    assert log_deviation_pseudo_values(list(x)) == pytest.approx(pseudo_values(x))
    assert verdict_of(0.1, 0.2, 0.05) == "supported"
