"""The models that come with the bench keep its contract, with no expected failure."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchbench.testing import model_checks


@pytest.mark.parametrize("check", model_checks("ldm"))
def test_ldm(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("check", model_checks("vae"))
def test_vae(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("check", model_checks("gan"))
def test_gan(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("check", model_checks("flow"))
def test_flow(check: Callable[[], None]) -> None:
    check()
