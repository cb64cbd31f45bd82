"""The heat equation's solution, and particles that obey it or do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from process_cases import Plain, evaluation
from scipy import integrate, stats

from benchbench.api import Assets, NotAvailable
from benchbench.metrics.heat import CELLS, REACH, cell_masses, compute, heat_error
from benchbench.metrics.specs_diffusion import HeatConfig
from benchbench.registry import Registry

T = 0.25


def solution(x: float) -> float:
    root = T**0.5
    return float(0.5 * (stats.norm.cdf((x + 1) / root) - stats.norm.cdf((x - 1) / root)))


def test_the_solution_solves_the_equation() -> None:
    """Masses by quadrature of the kernel's convolution; they sum to 1, in 1-D and in 2-D."""
    mass = cell_masses(1, T)
    assert float(mass.sum()) == pytest.approx(1.0)
    edges = np.linspace(-REACH, REACH, CELLS[1] + 1)
    for cell in (20, 31, 40):
        expected = integrate.quad(solution, edges[cell], edges[cell + 1])[0]
        assert float(mass[cell]) == pytest.approx(expected, rel=1e-8)
    plane = cell_masses(2, T)
    assert float(plane.sum()) == pytest.approx(1.0)
    assert len(plane) == CELLS[2] ** 2 + 1


@pytest.mark.parametrize("k", [1, 2])
def test_the_error_of_an_exact_process_is_known(k: int) -> None:
    """E error² = (1 − Σ p²)/n."""
    model = evaluation(Plain, Registry.load().load_dataset("grid25", Assets()), "denoise").model
    config = HeatConfig(repeats=64, t=T)
    generator = torch.Generator().manual_seed(k)
    mass = cell_masses(k, T)
    for n in (256, 4096):
        error = heat_error(model, 2, k, n, config, generator)
        expected = ((1 - float(mass.square().sum())) / n) ** 0.5
        assert error == pytest.approx(expected, rel=0.1)


def test_a_process_of_the_wrong_speed_has_a_floor() -> None:
    class Fast(Plain):
        growth = 2.0

    row = evaluation(Fast, Registry.load().load_dataset("grid25", Assets()), "denoise")
    scores = {s.condition: s.value for s in compute(row, HeatConfig())}
    ratio = scores["dim=1,n=256"] / scores["dim=1,n=16384"]  # type: ignore[operator]
    assert ratio < 4  # 8 where the error falls as 1/sqrt(n)


def test_models_without_a_process_are_left_out() -> None:
    row = evaluation(Plain, Registry.load().load_dataset("grid25", Assets()))
    with pytest.raises(NotAvailable, match="no diffusion process"):
        compute(row, HeatConfig())
