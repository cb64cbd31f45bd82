"""The kit's ways in: a list of outcomes, or a pytest parametrisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchbench.api import ModelSpec
from benchbench.registry import Registry
from benchbench.testing.checks import MODEL_CHECKS
from benchbench.testing.kit import Kit
from benchbench.testing.outcomes import Breach, Outcome
from benchbench.testing.subject import Subject

__all__ = ["STEPS", "check_model", "model_checks", "model_kit"]

STEPS = 800
"""A GAN circles before it settles: after 400 steps one of three had both modes in one place."""


def model_kit(
    model: ModelSpec | str,
    *,
    plugin: Path | str | None = None,
    steps: int = STEPS,
    expected_failures: Mapping[str, str] | None = None,
) -> Kit:
    """The checks of one model, not yet run.

    model: a spec, or the name of a model that is installed or in the file `plugin`.
    steps: of the one training that has to be better than a Gaussian.
    expected_failures: by check, the reason why its failure is known and accepted.
    """
    if isinstance(model, ModelSpec):
        subject = Subject(model, steps=steps)
    else:
        entry = Registry.load([plugin] if plugin else []).model(model)
        subject = Subject(entry.spec, entry.owner, steps=steps)
    return Kit(MODEL_CHECKS, subject, expected_failures)


def check_model(
    model: ModelSpec | str,
    *,
    plugin: Path | str | None = None,
    steps: int = STEPS,
    expected_failures: Mapping[str, str] | None = None,
    only: Iterable[str] = (),
) -> list[Outcome]:
    """Run the checks, or `only` those named, and say how each ended; arguments of `model_kit`."""
    kit = model_kit(model, plugin=plugin, steps=steps, expected_failures=expected_failures)
    return list(kit.outcomes(only))


def model_checks(
    model: ModelSpec | str,
    *,
    plugin: Path | str | None = None,
    steps: int = STEPS,
    expected_failures: Mapping[str, str] | None = None,
) -> list[Any]:
    """One `pytest.param` a check, each a callable without arguments; arguments of `model_kit`.

    What is trained is shared by the checks. A check that does not apply skips with its reason; an
    expected failure is marked `xfail` with its reason, strictly: it fails once it passes.
    """
    import pytest

    kit = model_kit(model, plugin=plugin, steps=steps)
    for name in expected_failures or {}:
        kit.check(name)
    marks = {
        name: [pytest.mark.xfail(reason=reason, raises=Breach, strict=True)]
        for name, reason in (expected_failures or {}).items()
    }
    return [
        pytest.param(partial(_assert, kit, name), id=name, marks=marks.get(name, []))
        for name in kit.checks
    ]


def _assert(kit: Kit, name: str) -> None:
    import pytest

    outcome = kit.outcome(name)
    if outcome.status == "skipped":
        pytest.skip(outcome.reason)
    if outcome.status == "failed":
        raise Breach(outcome.reason)
