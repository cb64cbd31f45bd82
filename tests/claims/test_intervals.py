"""Intervals on cases worked out by hand or by another library."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchbench.claims.intervals import (
    ShareAgainst,
    ShareDifference,
    file_level,
    mean_effect,
    p_greater,
    seeds_needed,
    share_effect,
    spread_effect,
)

X = {0: 1.0, 1: 2.0, 2: 4.0, 3: 3.5}
Y = {0: 0.5, 1: 2.5, 2: 3.0, 3: 1.0}


def test_means_agree_with_scipy() -> None:
    x, y = list(X.values()), list(Y.values())
    welch = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.9)
    assert mean_effect(X, Y).interval(0.9) == pytest.approx((welch.low, welch.high))
    student = stats.ttest_rel(x, y).confidence_interval(0.9)
    assert mean_effect(X, Y, paired=True).interval(0.9) == pytest.approx(
        (student.low, student.high)
    )
    one = stats.ttest_1samp(x, 2.0).confidence_interval(0.9)
    assert mean_effect(X, 2.0).interval(0.9) == pytest.approx((one.low - 2, one.high - 2))


def test_seeds_pair_by_number_not_by_order() -> None:
    shuffled = {3: 1.0, 0: 0.5, 2: 3.0, 1: 2.5}
    assert mean_effect(X, shuffled, paired=True) == mean_effect(X, Y, paired=True)


def test_equal_values_give_a_point() -> None:
    steps = dict.fromkeys(range(8), 31.0)
    assert mean_effect(steps, dict.fromkeys(range(8), 1.0)).interval(0.99) == (30.0, 30.0)


def test_spread_is_invariant_to_shift_and_follows_scale() -> None:
    base = spread_effect(X, Y)
    moved = spread_effect({s: 100 + 3 * v for s, v in X.items()}, Y)
    assert moved.mean == pytest.approx(base.mean + math.log(3))
    assert moved.standard_error == pytest.approx(base.standard_error)
    assert spread_effect(X, X).mean == 0
    assert spread_effect(dict.fromkeys(range(4), 1.0), Y).interval(0.9) is None


def test_one_share_is_clopper_and_pearson() -> None:
    low, high = ShareAgainst(0, 24, 0.25).interval(0.99)
    assert low == -0.25
    assert high == pytest.approx(1 - 0.005 ** (1 / 24) - 0.25)


def test_p_of_all_against_none_is_known() -> None:
    """P(8 of 8 and 0 of 8) = (p + δ)⁸ (1 − p)⁸ is greatest at p = (1 − δ)/2."""
    for delta in (0.0, 0.3):
        expected = ((1 + delta) / 2) ** 16
        assert p_greater(ShareDifference(8, 8, 0, 8), delta) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("counts", [(8, 8, 0, 8), (3, 8, 1, 8), (5, 6, 2, 9), (0, 8, 0, 8)])
def test_shares_turned_round_change_sign(counts: tuple[int, int, int, int]) -> None:
    a, n, b, m = counts
    low, high = ShareDifference(a, n, b, m).interval(0.99)
    assert ShareDifference(b, m, a, n).interval(0.99) == pytest.approx((-high, -low))
    assert low <= a / n - b / m <= high


def test_share_effect_counts_ones() -> None:
    assert share_effect({0: 1.0, 1: 0.0, 2: 1.0}, {5: 0.0, 6: 0.0}) == ShareDifference(2, 3, 0, 2)


def test_the_level_holds_over_the_file() -> None:
    assert file_level(1) == 0.95
    assert 1 - 12 * (1 - file_level(12)) == pytest.approx(0.95)


def test_seeds_needed_is_where_the_interval_leaves_delta() -> None:
    """With a known spread, z² s²/(e − δ)² to leading order."""
    generator = np.random.default_rng(0)
    x = dict(enumerate(generator.normal(1.0, 1.0, size=50)))
    estimate = mean_effect(x, 0.0)
    delta = estimate.mean - 0.2
    needed = seeds_needed(estimate, [delta], 0.95, 50)
    assert needed is not None
    leading = (1.96 * estimate.standard_error * 50**0.5 / 0.2) ** 2
    assert needed == pytest.approx(leading, rel=0.1)
    assert seeds_needed(estimate, [estimate.mean], 0.95, 50) is None
