"""Budgets: parsing, printing, and one clear line for what is no budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbench.api import Budget, UsageError


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("60s", 60, "s"),
        ("2min", 120, "s"),
        ("1.5h", 5400, "s"),
        ("2e12flop", 2e12, "flop"),
        ("3TFLOP", 3e12, "flop"),
        ("200kimg", 200_000, "img"),
        ("5000step", 5000, "step"),
        ("5000steps", 5000, "step"),
        (" 10 step ", 10, "step"),
    ],
)
def test_parse(text: str, amount: float, unit: str) -> None:
    budget = Budget.parse(text)
    assert (budget.amount, budget.unit) == (amount, unit)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("60", "not a number with a unit"),
        ("", "not a number with a unit"),
        ("fast", "not a number with a unit"),
        ("60sec", "unknown budget unit 'sec' in '60sec'; did you mean 's'?"),
        ("2minutes", "did you mean 'min'"),
        ("2e12flips", "did you mean 'flop'"),
        ("0s", "out of range"),
        ("-3s", "out of range"),
        ("1e300flop", "out of range"),
        ("1e400s", "out of range"),
        ("0.5step", "less than one step"),
        ("1.2.3s", "no readable number"),
    ],
)
def test_refused(text: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        Budget.parse(text)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.floats(1, 1e12), st.sampled_from(["s", "flop", "img", "step"]))
def test_text_parses_back(amount: float, unit: str) -> None:
    if unit == "s":
        amount = min(amount, 3e7)
    budget = Budget(amount, unit)  # type: ignore[arg-type]
    assert Budget.parse(str(budget)) == budget


@given(st.text(max_size=20))
def test_any_text_is_a_budget_or_one_line(text: str) -> None:
    try:
        budget = Budget.parse(text)
    except UsageError:
        return
    assert 0 < budget.amount < float("inf")


def test_only_compute_is_compute_equal() -> None:
    equal = {u: Budget.parse(f"10{u}").compute_equal for u in ("s", "flop", "img", "step")}
    assert equal == {"s": True, "flop": True, "img": False, "step": False}
