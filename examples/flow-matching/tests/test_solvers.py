"""Solvers against flows in closed form."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from benchbench_flow_matching.config import Solver
from benchbench_flow_matching.solvers import evaluations, solve, times

MEAN, SPREAD = 1.5, 0.4


def gaussian_velocity(x: Tensor, t: Tensor) -> Tensor:
    """v of data N(MEAN, SPREAD²): the flow is x(t) = t MEAN + s(t) x(0)."""
    t = t[:, None]
    variance = (t * SPREAD).square() + (1 - t).square()
    return MEAN + (t * SPREAD**2 - (1 - t)) / variance * (x - t * MEAN)


def error(solver: Solver, steps: int) -> float:
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    found = solve(gaussian_velocity, x, times(steps, 1.0), solver=solver)
    return float((found - (MEAN + SPREAD * x)).abs().max())


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_the_error_falls_with_the_order_of_the_solver(solver: Solver, order: int) -> None:
    assert error(solver, 64) / error(solver, 128) == pytest.approx(2**order, rel=0.1)


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_one_step_follows_a_straight_path_exactly(solver: Solver) -> None:
    start = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    end = torch.tensor([[-3.0, 0.5]], dtype=torch.float64)
    found = solve(lambda x, t: end - start, start, times(1, 3.0), solver=solver)
    torch.testing.assert_close(found, end)


@pytest.mark.parametrize("rho", [1.0, 3.0])
def test_times_run_from_noise_to_data(rho: float) -> None:
    at = times(10, rho)
    assert (at[0], at[-1], len(at)) == (0.0, 1.0, 11)
    steps = [then - now for now, then in itertools.pairwise(at)]
    assert min(steps) > 0
    assert rho == 1.0 or steps == sorted(steps, reverse=True)


@pytest.mark.parametrize("solver", ["euler", "heun"])
@pytest.mark.parametrize("steps", [1, 5])
def test_evaluations_are_the_calls(solver: Solver, steps: int) -> None:
    calls = []

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        calls.append(t)
        return x

    solve(velocity, torch.zeros(1, 1), times(steps, 3.0), solver=solver)
    assert len(calls) == evaluations(solver, steps)
