"""The density: closed forms, its integral, and the Jacobian of the map that samples."""

from __future__ import annotations

import math

import pytest
import torch
from benchbench.api import NotAvailable
from torch import Tensor

from benchbench_flow_matching.density import MAX_DIM, log_density
from benchbench_flow_matching.solvers import solve, times
from small_models import perturbed, untrained


def normal(x: Tensor) -> Tensor:
    """ln N(x; 0, I), (n, d) -> (n,)."""
    return -0.5 * (x.square() + math.log(2 * math.pi)).sum(1)


@pytest.mark.parametrize("dim", [1, 3, MAX_DIM])
def test_a_network_of_zero_is_the_standard_normal(dim: int) -> None:
    x = torch.randn(5, dim, generator=torch.Generator().manual_seed(dim))
    torch.testing.assert_close(untrained(dim).log_prob(x), normal(x))


def test_shift_and_scale_enter_with_their_jacobian() -> None:
    model = untrained(2)
    model.shift.copy_(torch.tensor([0.5, -1.0]))
    model.scale.fill_(0.25)
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    expected = normal((x - model.shift) / 0.25) - 2 * math.log(0.25)
    torch.testing.assert_close(model.log_prob(x), expected)


def test_it_integrates_to_one() -> None:
    """Midpoint quadrature of a field far from zero, in two dimensions."""
    model, reach, cells = perturbed(2), 6.0, 60
    axis = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells * 2 * reach - reach
    log_p = log_density(model.average.module, torch.cartesian_prod(axis, axis))
    assert float(log_p.exp().sum()) * (2 * reach / cells) ** 2 == pytest.approx(1, abs=1e-3)
    assert float((log_p - log_p.flip(0)).abs().max()) > 0.5, "no Gaussian around zero"


def test_it_is_the_jacobian_of_the_map_from_noise_to_data() -> None:
    """ln p(x) = ln N(z) − ln |det ∂x/∂z|, with the determinant by central differences."""
    field = perturbed(2).average.module
    z = torch.randn(6, 2, generator=torch.Generator().manual_seed(3)).double()
    step, at = 1e-4, times(400, 1.0)
    offsets = step * torch.tensor([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]).double()
    x = solve(field, (z[:, None] + offsets).flatten(0, 1), at, solver="heun").view(6, 5, 2)
    jacobian = torch.stack([x[:, 1] - x[:, 2], x[:, 3] - x[:, 4]], dim=2) / (2 * step)
    expected = normal(z) - torch.linalg.slogdet(jacobian).logabsdet
    assert float((expected - normal(x[:, 0])).abs().max()) > 0.5
    torch.testing.assert_close(log_density(field, x[:, 0]), expected, rtol=0, atol=5e-3)


def test_twice_the_nodes_change_nothing() -> None:
    field = perturbed(3).average.module
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(4)).double()
    torch.testing.assert_close(
        log_density(field, x), log_density(field, x, refine=2), rtol=0, atol=2e-3
    )


def test_long_vectors_are_refused_with_the_limit() -> None:
    with pytest.raises(NotAvailable, match=f"exact up to {MAX_DIM}"):
        untrained(MAX_DIM + 1).log_prob(torch.zeros(1, MAX_DIM + 1))
