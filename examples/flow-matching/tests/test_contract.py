"""flow-matching keeps the bench's contract, every check of `bench check` as a test of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from benchbench.testing import model_checks


@pytest.mark.parametrize("check", model_checks("flow-matching"))
def test_contract(check: Callable[[], None]) -> None:
    check()
