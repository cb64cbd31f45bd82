"""Intervals and differences against scipy and against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchbench.report.statistics import Difference, difference, holm, mean_interval


def by_seed(values: list[float]) -> dict[int, float]:
    return dict(enumerate(values))


def test_mean_interval_is_scipys_t_interval() -> None:
    x = [0.31, 0.52, 0.44, 0.29]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(x), scale=stats.sem(x))
    found = mean_interval(x)
    assert found.mean == pytest.approx(0.39)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_two_seeds_by_hand() -> None:
    # s = √2/2·|a − b|, so s/√2 = |a − b|/2, and t(1, 0.975) = tan(0.475 π).
    found = mean_interval([1.0, 3.0])
    assert found.high is not None
    assert found.high - found.mean == pytest.approx(math.tan(0.475 * math.pi))


def test_one_value_has_no_interval_and_equal_values_a_point() -> None:
    one, same = mean_interval([2.5]), mean_interval([0.1, 0.1, 0.1])
    assert (one.mean, one.low, one.high) == (2.5, None, None)
    assert (same.mean, same.low, same.high) == (0.1, 0.1, 0.1)


def test_infinite_values_have_no_interval() -> None:
    assert mean_interval([1.0, math.inf]).low is None


def test_welch_is_scipys() -> None:
    a, b = [5.1, 4.9, 5.4, 5.0], [4.2, 4.8, 3.9]
    theirs = stats.ttest_ind(a, b, equal_var=False)
    ours = difference(by_seed(a), by_seed(b))
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert ours.dof == pytest.approx(theirs.df)
    interval = theirs.confidence_interval(0.99)
    assert ours.interval(0.99) == pytest.approx((interval.low, interval.high))


def test_pairing_is_by_seed_and_is_scipys() -> None:
    a, b = {0: 1.0, 1: 2.0, 2: 4.0, 7: 9.0}, {2: 3.5, 1: 1.8, 0: 0.9, 5: -3.0}
    theirs = stats.ttest_rel([1.0, 2.0, 4.0], [0.9, 1.8, 3.5])
    ours = difference(a, b, paired=True)
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert ours.mean == pytest.approx((0.1 + 0.2 + 0.5) / 3)


def test_interval_excludes_zero_exactly_where_p_is_below_the_level() -> None:
    rng = np.random.default_rng(0)
    verdicts = set()
    for _ in range(200):
        a, b = rng.normal(0, 1, 4).tolist(), rng.normal(1, 2, 3).tolist()
        found = difference(by_seed(a), by_seed(b))
        interval = found.interval(0.95)
        assert interval is not None
        excludes = not interval[0] <= 0 <= interval[1]
        assert excludes == (found.p_value < 0.05)
        verdicts.add(excludes)
    assert verdicts == {True, False}


def test_constant_samples() -> None:
    apart = difference(by_seed([25.0, 25.0]), by_seed([24.0, 24.0]))
    same = difference(by_seed([0.3, 0.3, 0.3]), by_seed([0.1 + 0.2, 0.1 + 0.2]))
    assert (apart.p_value, apart.interval()) == (0.0, (1.0, 1.0))
    assert same.p_value == 1.0


@pytest.mark.parametrize("paired", [False, True])
def test_one_seed_or_no_common_seed_supports_nothing(paired: bool) -> None:
    one = difference({0: 5.0}, {0: 1.0}, paired=paired)
    none = difference({0: 5.0, 1: 5.1}, {}, paired=paired)
    for found in (one, none):
        assert found.p_value == 1.0
        assert found.interval() is None


def test_holm_by_hand() -> None:
    # Levels 0.05/4, 0.05/3, 0.05/2, 0.05/1 in order of p; the third, 0.03 > 0.025, stops it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
    assert holm([0.049]) == [True]
    assert holm([]) == []


def test_difference_names_no_interval_by_none() -> None:
    assert Difference(1.0, math.nan, None).p_value == 1.0
