"""The kit itself: order, dependence, expected failures, function plugins, pytest parameters."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from broken import NeverTrains, Wanders
from models import spec

from benchbench.api import UsageError
from benchbench.testing import (
    Breach,
    Check,
    Kit,
    NotApplicable,
    Subject,
    check_model,
    model_checks,
    model_kit,
)
from benchbench.testing.cases import case, cases_of
from benchbench.testing.checks.grids import integral
from benchbench.testing.subject import settled

EXAMPLE = Path(__file__).parents[2] / "examples" / "pixel_gaussian.py"


def passes(subject: object) -> None:
    """passes"""


def breaks(subject: object) -> None:
    """breaks"""
    raise Breach("two\nlines")


def does_not_apply(subject: object) -> None:
    """does not apply"""
    raise NotApplicable("nothing here")


CHECKS = (
    Check("good", passes),
    Check("bad", breaks),
    Check("apart", does_not_apply, ("good",)),
    Check("above", passes, ("bad",)),
)


def test_outcomes_in_order_and_dependence() -> None:
    outcomes = list(Kit(CHECKS, None).outcomes())
    assert [(o.check, o.status) for o in outcomes] == [
        ("good", "passed"),
        ("bad", "failed"),
        ("apart", "skipped"),
        ("above", "skipped"),
    ]
    assert [o.reason for o in outcomes] == [
        "",
        "two lines",
        "nothing here",
        "says nothing while 'bad' fails",
    ]


def test_expected_failures_need_a_reason_and_a_failure() -> None:
    kit = Kit(CHECKS, None, {"bad": "known", "good": "hoped"})
    assert kit.outcome("bad").status == "expected"
    assert kit.outcome("bad").reason == "known (two lines)"
    assert kit.outcome("good").status == "failed"
    with pytest.raises(ValueError, match="no reason"):
        Kit(CHECKS, None, {"bad": " "})
    with pytest.raises(UsageError, match="did you mean 'good'"):
        Kit(CHECKS, None, {"goood": "x"})


def test_one_mistake_has_one_line() -> None:
    """A model that can't train is told so once; all else is skipped."""
    outcomes = check_model(spec(NeverTrains))
    assert [o.check for o in outcomes if o.status == "failed"] == ["fit"]
    assert "RuntimeError: no luck today" in next(o.reason for o in outcomes if o.check == "fit")


def test_pytest_parameters_have_ids_and_marks() -> None:
    found = model_checks(spec(Wanders), expected_failures={"deterministic": "it wanders"})
    assert [p.id for p in found][:3] == ["config_options", "capabilities", "fit"]
    marked = {p.id: p.marks for p in found if p.marks}
    assert list(marked) == ["deterministic"]
    assert marked["deterministic"][0].kwargs["reason"] == "it wanders"
    by_name = {p.id: p.values[0] for p in found}
    by_name["samples"]()
    with pytest.raises(Breach, match="same generator state"):
        by_name["deterministic"]()
    with pytest.raises(pytest.skip.Exception, match="not declared"):
        by_name["encode"]()


@pytest.mark.parametrize(
    "check",
    model_checks(spec(Wanders), expected_failures={"deterministic": "it wanders on purpose"})[8:9],
)
def test_an_expected_failure_is_an_xfail(check: object) -> None:
    assert callable(check)
    check()


def test_two_functions_go_through_the_same_checks() -> None:
    """The example is a Gaussian, and a Gaussian is what a model has to beat."""
    gaussian = {"beats_gaussian": "it is the Gaussian of the data's own moments"}
    outcomes = check_model("pixel-gaussian", plugin=EXAMPLE, expected_failures=gaussian)
    assert {o.check: o.reason for o in outcomes if o.status == "failed"} == {}
    skipped = {o.check: o.reason for o in outcomes if o.status == "skipped"}
    assert "training is over within" in skipped["resume"]
    assert skipped["log_prob"] == "capability 'log_prob' is not declared"
    assert {o.check for o in outcomes if o.status == "passed"} >= {"samples", "checkpoint"}


def test_options_in_brackets_reach_training_and_sampling() -> None:
    subject = model_kit("ldm[steps=2,width=16]").subject
    assert isinstance(subject, Subject)
    assert subject.sampling == {"steps": 2}
    assert subject.config is not None
    assert subject.config.changed() == {"width": 16}
    model = subject.build(subject.case("plane").dataset)
    assert model.config == subject.config


def test_cases_have_two_modes_in_model_space() -> None:
    assert cases_of(frozenset({"points", "image", "signal"})) == ["plane", "image", "signal"]
    for name in ("plane", "line", "image", "signal"):
        found = case(name)
        x = found.along_axis(found.held_out(512))
        labels = found.dataset.test.labels
        assert labels is not None
        apart = (x[labels == 1].mean() - x[labels == 0].mean()) / x[labels == 1].std()
        assert apart > 6


def test_settled_puts_every_state_back() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    with settled():
        first = torch.rand(1), np.random.rand(), random.random()
    with settled():
        assert (torch.rand(1), np.random.rand(), random.random()) == first
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


def test_integral_finds_narrow_peaks() -> None:
    pair = torch.distributions.Normal(torch.tensor([-3.01, 4.3]), torch.tensor([0.02, 2.0]))
    total = integral(lambda x: pair.log_prob(x).logsumexp(1))
    assert total == pytest.approx(2, abs=5e-3)
