"""Sampling: dx/dt = v(x, t) from t = 0 (noise) to t = 1 (data) in a fixed number of steps.

Times t_i = 1 − (1 − i/N)^rho crowd towards the data, where modes narrower than the noise are made.
At t = 1 itself no network was trained, so Heun's last step is Euler's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from benchbench_flow_matching.config import Solver

__all__ = ["Velocity", "evaluations", "solve", "times"]

Velocity = Callable[[Tensor, Tensor], Tensor]
"""(x (n, d), t (n,)) -> v, (n, d)."""


def times(steps: int, rho: float) -> list[float]:
    """t_0 = 0 < … < t_steps = 1.

    >>> times(2, 3.0)
    [0.0, 0.875, 1.0]
    """
    return [1 - (1 - i / steps) ** rho for i in range(steps + 1)]


def evaluations(solver: Solver, steps: int) -> int:
    """Calls of the velocity in `solve`."""
    return 2 * steps - 1 if solver == "heun" else steps


@torch.no_grad()
def solve(velocity: Velocity, x: Tensor, at: list[float], *, solver: Solver) -> Tensor:
    """From x at at[0] to at[-1] = 1. x: (n, d) -> (n, d)."""
    for now, then in itertools.pairwise(at):
        step = then - now
        slope = velocity(x, x.new_full((len(x),), now))
        if solver == "heun" and then < 1:
            ahead = velocity(x + step * slope, x.new_full((len(x),), then))
            slope = (slope + ahead) / 2
        x = x + step * slope
    return x
