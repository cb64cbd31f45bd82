"""GANs by name: other defaults of one class, under the same contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from benchbench_gan.config import GanConfig

from benchbench.registry import Registry
from benchbench.testing import model_checks

NAMES = ("gan-ns", "pacgan", "r3gan", "wgan-gp")
QUICK = ("samples", "checkpoint")
"""Checks that depend on the options; `gan` passes all of them on the same code."""


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_changes_defaults_and_nothing_else(name: str) -> None:
    registry = Registry.load()
    spec, base = registry.model(name).spec, registry.model("gan").spec
    assert spec.implementation == base.implementation
    assert issubclass(spec.config, GanConfig)
    assert list(spec.config.model_fields) == list(GanConfig.model_fields)
    changed = []
    for option, field in spec.config.model_fields.items():
        own = GanConfig.model_fields[option]
        assert field.description == own.description
        assert field.metadata == own.metadata  # limits
        assert field.annotation == own.annotation
        changed += [option] if field.default != own.default else []
    assert changed
    assert spec.config().changed() == {}
    assert spec.summary and spec.reference and spec.summary != base.summary


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gan-ns", {"loss": "non-saturating", "penalty": "none", "ema_decay": 0.0, "pack": 1}),
        ("pacgan", {"loss": "non-saturating", "penalty": "none", "pack": 2}),
        ("wgan-gp", {"loss": "wasserstein", "penalty": "wgan-gp", "gamma": 10, "fourier": 0}),
        ("r3gan", {"loss": "relativistic", "penalty": "r1r2", "normalise": False}),
    ],
)
def test_what_its_paper_is_known_for(name: str, options: dict[str, object]) -> None:
    settings = Registry.load().model(name).spec.config().settings("image", (1, 28, 28))  # type: ignore[attr-defined]
    assert {key: getattr(settings, key) for key in options} == options


@pytest.mark.parametrize("name", NAMES)
def test_the_base_class_keeps_its_defaults(name: str) -> None:
    Registry.load()
    base = GanConfig()
    assert (base.loss, base.penalty, base.pack, base.beta1) == ("relativistic", "r1r2", 1, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str) -> None:
    checks: list[Callable[[], None]] = []
    for parameter in model_checks(name):
        if parameter.id in QUICK:
            checks.append(parameter.values[0])
    assert len(checks) == len(QUICK)
    for check in checks:
        check()
