"""Whether a call leaves the global random states alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchbench.testing.outcomes import ensure

__all__ = ["moved_by", "untouched"]

_STATES: dict[str, Callable[[], Any]] = {
    "torch": lambda: torch.get_rng_state().numpy().tobytes(),
    "numpy": lambda: str(np.random.get_state(legacy=False)),
    "random": random.getstate,
}


def moved_by(call: Callable[[], Any]) -> list[str]:
    """Whose global random states the call moves: of `torch`, `numpy` and `random`."""
    before = {name: state() for name, state in _STATES.items()}
    call()
    return [name for name, state in _STATES.items() if state() != before[name]]


def untouched(what: str, call: Callable[[], Any], instead: str) -> None:
    """Raise Breach where the call moves a global random state.

    instead: what to use in place of it, for the message.
    """
    moved = moved_by(call)
    ensure(not moved, f"{what} moves the global random state of {' and '.join(moved)}; {instead}")
