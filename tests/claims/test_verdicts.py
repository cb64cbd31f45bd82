"""Verdicts from score frames: four outcomes, their reasons, and claims turned round."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from claim_cases import SEEDS, claim, row, rows, scores, sides
from hypothesis import given
from hypothesis import strategies as st

from benchbench.claims.compile import Sides
from benchbench.claims.evidence import gather
from benchbench.claims.schema import Claim
from benchbench.claims.verdicts import Comparison, Judged, compare, judge, verdict_of

LEVEL = 0.95
A = [1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.0, 1.1]


def against(shift: float) -> list[float]:
    return [v + shift for v in reversed(A)]


def verdict(one: Claim, frame: pd.DataFrame, pair: Sides | None = None) -> Comparison:
    evidence = gather(one, "grid25", pair or sides(), frame, {}, "")
    return compare(evidence, LEVEL)


def both(shift: float, **change: object) -> Comparison:
    return verdict(claim(**change), scores(rows("a", A), rows("b", against(shift))))


def test_the_three_verdicts_of_a_difference() -> None:
    """b is higher by the shift; a is claimed to be lower by 1."""
    assert both(2.0).verdict == "supported"
    assert both(0.0).verdict == "refuted"
    assert both(-2.0).verdict == "refuted"
    close = both(1.05)
    assert close.verdict == "inconclusive"
    assert close.needed is not None
    assert close.needed > 8
    assert f"about {close.needed} seeds" in close.reason
    assert close.effect == pytest.approx(1.05)
    assert close.n == (8, 8)


def test_equality_within_delta() -> None:
    assert both(0.0, direction="equal").verdict == "supported"
    assert both(2.0, direction="equal").verdict == "refuted"
    assert both(-2.0, direction="equal").verdict == "refuted"
    assert both(1.0, direction="equal").verdict == "inconclusive"


def test_a_factor_is_on_a_log_scale() -> None:
    found = verdict(
        claim(scale="log", delta=2.0), scores(rows("a", A), rows("b", [4 * v for v in A]))
    )
    assert found.verdict == "supported"
    assert found.shown(found.effect) == pytest.approx(4.0)
    assert found.value == pytest.approx(math.exp(np.log(A).mean()))


def test_variants_of_one_trained_model_are_paired() -> None:
    generator = np.random.default_rng(0)
    level = generator.normal(0, 10, size=8)
    frame = scores(
        rows("a", (level + generator.normal(0, 0.1, 8)).tolist()),
        rows("a", (level + 2).tolist(), variant="steps=4"),
    )
    found = verdict(claim(), frame, sides(row("a", variant="steps=4")))
    assert found.paired
    assert found.verdict == "supported"
    apart = verdict(
        claim(), scores(rows("a", level.tolist()), rows("b", (level + 2).tolist())), sides()
    )
    assert not apart.paired
    assert apart.verdict == "inconclusive"


def test_shares_count_runs_that_diverged() -> None:
    words = {"statistic": "share", "when": "< 5", "direction": "higher", "delta": 0.1}
    frame = scores(
        rows("a", dict.fromkeys(range(6), 3.0)),
        rows("a", {6: None, 7: None}, status="diverged", reason="not finite"),
        rows("b", [9.0] * 8),
    )
    found = verdict(claim(**words), frame)
    assert found.verdict == "supported"
    assert (found.value, found.other) == (1.0, 0.0)


def test_shares_of_one_trained_model_are_not_independent() -> None:
    words = {"statistic": "share", "when": "< 5", "delta": 0.1}
    frame = scores(rows("a", A), rows("a", A, variant="steps=4"))
    found = verdict(claim(**words), frame, sides(row("a", variant="steps=4")))
    assert found.verdict == "untestable"
    assert "not independent" in found.reason


def test_pairs_need_seeds_on_both_sides() -> None:
    frame = scores(
        rows("a", dict(enumerate(A[:3]))), rows("a", {1: 1.0, 2: 2.0, 3: 3.0}, variant="steps=4")
    )
    pair = Sides(row("a"), row("a", variant="steps=4"), (0, 1, 2, 3))
    assert "only 2 seeds" in verdict(claim(), frame, pair).reason


def test_a_slope_is_fitted_seed_by_seed() -> None:
    generator = np.random.default_rng(1)
    parts = [
        rows("a", (n**-0.5 * np.exp(generator.normal(0, 0.01, 8))).tolist(), condition=f"n={n}")
        for n in (100, 400, 1600)
    ]
    one = claim(
        statistic="slope",
        over=["n=100", "n=400", "n=1600"],
        against=-0.5,
        direction="equal",
        delta=0.05,
    )
    found = verdict(one, scores(*parts), sides(-0.5))
    assert found.verdict == "supported"
    assert found.value == pytest.approx(-0.5, abs=0.02)


def test_held_out_data_are_a_number() -> None:
    frame = scores(rows("a", A), rows("real", {None: 5.0}, budget=""))
    found = verdict(claim(against="real"), frame, sides(row("real")))
    assert found.verdict == "supported"
    assert found.other == 5.0


@pytest.mark.parametrize(
    ("frame", "change", "words"),
    [
        (scores(rows("a", A)), {}, "too few runs: 0 of 8 of b have m, 6 are needed (not run)"),
        (
            scores(
                rows("a", A[:5]),
                rows("a", {5: None, 6: None, 7: None}, status="error", reason="out of memory"),
                rows("b", A),
            ),
            {},
            "5 of 8 of a have m, 6 are needed (out of memory)",
        ),
        (
            scores(rows("a", A, condition="n=1"), rows("b", A, condition="n=1")),
            {},
            "m is taken at n=1: name one as condition",
        ),
        (
            scores(rows("a", [-1.0, *A[1:]]), rows("b", A)),
            {"scale": "log", "delta": 2.0},
            "not positive",
        ),
    ],
)
def test_what_can_t_be_tested_says_why(
    frame: pd.DataFrame, change: dict[str, object], words: str
) -> None:
    found = verdict(claim(**change), frame)
    assert found.verdict == "untestable"
    assert words in found.reason
    assert found.effect is None


def test_a_metric_that_failed_its_instrument_check_tests_nothing() -> None:
    frame = scores(rows("a", A), rows("b", against(5.0)))
    evidence = gather(claim(), "grid25", sides(), frame, {("grid25", "m"): ["collapsed"]}, "")
    found = compare(evidence, LEVEL)
    assert found.verdict == "untestable"
    assert "did not tell collapsed from real data" in found.reason
    narrow = claim(instruments=["noise", "blur"])  # the claim does not rest on what it missed
    evidence = gather(narrow, "grid25", sides(), frame, {("grid25", "m"): ["collapsed"]}, "")
    assert compare(evidence, LEVEL).verdict == "supported"
    evidence = gather(narrow, "grid25", sides(), frame, {("grid25", "m"): ["blur"]}, "")
    assert compare(evidence, LEVEL).verdict == "untestable"


def test_missing_data_and_kinds_are_untestable() -> None:
    evidence = gather(claim(), "grid25", sides(), scores(), {}, "data set grid25 is not here")
    assert compare(evidence, LEVEL).reason == "data set grid25 is not here"
    text = Claim(id="t", hypothesis="writes", kind="text")
    assert judge(text, [], LEVEL).verdict == "untestable"
    assert "no data of kind 'text'" in judge(text, [], LEVEL).reason


def test_some_runs_missing_is_remarked() -> None:
    frame = scores(rows("a", A), rows("b", against(3.0)[:7]))
    found = verdict(claim(), frame)
    assert found.verdict == "supported"
    assert "1 of 8 runs of b have no value" in found.reason


def judged(one: Claim, frame: pd.DataFrame) -> Judged:
    pair = Sides(row(one.row), row(str(one.against)), SEEDS)
    evidences = [gather(one, name, pair, frame, {}, "") for name in one.datasets]
    return judge(one, evidences, LEVEL)


def two(first: float, second: float) -> pd.DataFrame:
    parts = []
    for name, shift in (("grid25", first), ("ring8", second)):
        parts += [rows("a", A, dataset=name), rows("b", against(shift), dataset=name)]
    return scores(*parts)


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [
        ((2.0, 3.0), "supported"),
        ((0.0, 0.2), "refuted"),
        ((3.0, 0.0), "inconclusive"),
        ((3.0, -3.0), "inconclusive"),
    ],
)
def test_over_data_sets_a_verdict_needs_all_of_them(
    shifts: tuple[float, float], expected: str
) -> None:
    found = judged(claim(datasets=["grid25", "ring8"]), two(*shifts))
    assert found.verdict == expected
    assert [c.dataset for c in found.comparisons] == ["grid25", "ring8"]
    if expected == "inconclusive":
        assert found.reason == "supported on grid25, refuted on ring8"


def test_the_aggregate_is_the_interquartile_mean_in_units_of_delta() -> None:
    one = claim(datasets=["grid25", "ring8"], delta={"grid25": 1.0, "ring8": 2.0})
    found = judged(one, two(3.0, 6.0)).aggregate
    assert found is not None
    assert found.value == pytest.approx(3.0, abs=0.1)
    assert found.low < found.value < found.high
    assert judged(one, two(3.0, 6.0)).aggregate == found  # the bootstrap is seeded
    assert judged(claim(), two(3.0, 6.0)).aggregate is None


@given(
    low=st.floats(-5, 5),
    width=st.floats(0, 5),
    delta=st.floats(0, 3),
    equal=st.booleans(),
)
def test_turning_round_never_leaves_a_claim_supported(
    low: float, width: float, delta: float, equal: bool
) -> None:
    """Sides exchanged; refuted both ways only where both sides are equivalent."""
    high = low + width
    before = verdict_of(low, high, delta, equal=equal)
    after = verdict_of(-high, -low, delta, equal=equal)
    if equal:
        assert before == after  # equality has no sides
        opposite = (verdict_of(low, high, delta), verdict_of(-high, -low, delta))
        if before == "supported":
            assert opposite == ("refuted", "refuted")  # its contrary, either way round
        return
    assert not (before == "supported" == after)
    if before == "supported":
        assert after == "refuted"
    if before == "refuted" == after:
        assert verdict_of(low, high, delta, equal=True) == "supported"


@pytest.mark.parametrize("first", [-3.0, 0.0, 3.0])
@pytest.mark.parametrize("second", [-3.0, 0.0, 3.0])
@pytest.mark.parametrize("change", [{}, {"scale": "log", "delta": 1.5}])
def test_whole_claims_turned_round(first: float, second: float, change: dict[str, object]) -> None:
    parts = []
    for name, shift in (("grid25", first), ("ring8", second)):
        parts += [rows("a", [v + 4 for v in A], dataset=name)]
        parts += [rows("b", [v + 4 for v in against(shift)], dataset=name)]
    frame = scores(*parts)
    words = {"datasets": ["grid25", "ring8"], **change}
    here = judged(claim(**words), frame)
    turned = judged(claim(**words, row="b", against="a"), frame)
    assert not (here.verdict == "supported" == turned.verdict)
    if here.verdict == "refuted" == turned.verdict:
        equal = judged(claim(**words, direction="equal"), frame)
        assert equal.verdict == "supported"
