"""Every check of a metric catches its broken one, alone; whole metrics pass them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from broken_metrics import BROKEN, GOOD

from benchbench.api import MetricSpec, UsageError
from benchbench.metrics.denoising import latent_mixture
from benchbench.registry import Registry
from benchbench.testing import METRIC_CHECKS, Breach, check_metric, metric_checks, metric_kit
from benchbench.testing.metric_cases import METRIC_KINDS, metric_case
from benchbench.testing.metric_subject import MetricSubject

LIGHT: dict[str, dict[str, Any]] = {
    "speed": {"batch_sizes": (1, 64), "repeats": 20, "seconds": 0.2},
    "heat": {"particles": (64, 256), "repeats": 2},
    "kid": {"n": 500},
}
"""Options that make the built-in metrics quick."""


@pytest.mark.parametrize("metric", GOOD, ids=lambda s: s.implementation.__name__)
def test_a_metric_that_keeps_the_contract_passes(metric: MetricSpec) -> None:
    outcomes = check_metric(metric)
    assert {o.check: o.reason for o in outcomes if o.status == "failed"} == {}
    assert [o.check for o in outcomes] == [c.name for c in METRIC_CHECKS]


def test_together_they_leave_no_check_out() -> None:
    passed = {o.check for s in GOOD[:2] for o in check_metric(s) if o.status == "passed"}
    assert passed == {c.name for c in METRIC_CHECKS}


@pytest.mark.parametrize(
    ("metric", "check"), [b[1:] for b in BROKEN], ids=[b[0].replace(" ", "-") for b in BROKEN]
)
def test_a_broken_metric_fails_its_check_alone(metric: MetricSpec, check: str) -> None:
    failed = {o.check: o.reason for o in check_metric(metric) if o.status == "failed"}
    assert list(failed) == [check], failed


def test_every_check_has_its_broken_metric() -> None:
    assert {check for _, _, check in BROKEN} == {c.name for c in METRIC_CHECKS}


@pytest.mark.parametrize("name", list(Registry.load().metrics))
def test_built_in_metrics_pass(name: str) -> None:
    outcomes = check_metric(name, options=LIGHT.get(name))
    assert {o.check: o.reason for o in outcomes if o.status == "failed"} == {}
    assert next(o.status for o in outcomes if o.check == "values") == "passed"


def test_options_are_given_in_brackets_or_apart() -> None:
    subject = metric_kit("precision[n=200]").subject
    assert isinstance(subject, MetricSubject)
    assert (subject.spec.name, subject.config.changed()) == ("prdc", {"n": 200})
    for given in ("vendi[m=3]", "vendi[n=1]", "vendy"):
        with pytest.raises(UsageError, match=r"vendi|n is 1"):
            metric_kit(given)


def test_parameters_for_pytest() -> None:
    broken = {name: s for name, s, _ in BROKEN}
    found = metric_checks(broken["pairs"], expected_failures={"order": "pairs on purpose"})
    assert [p.id for p in found] == [c.name for c in METRIC_CHECKS]
    by_name: dict[str, Callable[[], None]] = {str(p.id): p.values[0] for p in found}
    with pytest.raises(pytest.skip.Exception, match="no features"):
        by_name["features"]()
    with pytest.raises(Breach, match="it pairs them with something"):
        by_name["order"]()


@pytest.mark.parametrize("kind", METRIC_KINDS)
def test_the_true_model_is_the_data(kind: Any) -> None:
    """Moments of samples and data agree, E[Z | X] is that of the closed form of `denoising`."""
    case = metric_case(kind)
    generator = torch.Generator().manual_seed(0)
    x = case.model.sample(5000, generator=generator).flatten(1)
    y = case.dataset.to_model(case.dataset.test.raw).flatten(1)
    error = (x.var(0) / len(x) + y.var(0) / len(y)).sqrt()
    assert float(((x.mean(0) - y.mean(0)) / error).abs().max()) < 5
    if kind == "points":
        evaluation = MetricSubject(GOOD[0]).evaluation(case, "model")
        evaluation.capabilities = frozenset({"denoise"})
        noisy = x[:50] + 0.5 * torch.randn(50, 2, generator=generator)
        best = latent_mixture(evaluation).denoise(noisy, 0.5)
        found = case.model.denoise(noisy, torch.full((50,), 0.25))
        assert torch.allclose(found.double(), best, atol=1e-4)
