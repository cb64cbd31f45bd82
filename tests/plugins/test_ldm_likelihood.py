"""The probability-flow likelihood against densities known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from benchbench_ldm.config import LDMConfig
from benchbench_ldm.diffusion import Denoiser
from benchbench_ldm.likelihood import MAX_DIM, autodiff_trace, ode_log_prob
from torch import Tensor

from benchbench.api import NotAvailable

CENTRES = torch.tensor([[-1.0, 0.2], [0.9, 0.6], [0.1, -0.8]])  # of mean zero
WIDTH = 0.3


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixture_denoiser(x: Tensor, sigma: Tensor) -> Tensor:
    """E[Z | X] for an equal mixture of N(c, WIDTH² I)."""
    total = (WIDTH**2 + sigma.square())[:, None]
    squared = (x[:, None] - CENTRES).square().sum(dim=2)
    share = torch.softmax(-squared / (2 * total), dim=1)
    return (WIDTH**2 * x + sigma.square()[:, None] * (share @ CENTRES)) / total


def mixture_log_prob(x: Tensor, variance: float) -> Tensor:
    squared = (x[:, None].double() - CENTRES).square().sum(dim=2)
    log_norm = -math.log(2 * math.pi * variance) - math.log(3)
    return torch.logsumexp(-squared / (2 * variance), dim=1) + log_norm


@pytest.mark.parametrize("sigma_min", [0.002, 0.03])
@pytest.mark.parametrize("dim", [1, 24, MAX_DIM])
def test_gaussian_prior_in_closed_form(dim: int, sigma_min: float) -> None:
    variance = 0.2 + 1.6 * torch.rand(dim, generator=rng())
    z = variance.sqrt() * torch.randn(32, dim, generator=rng(1)) * 1.2

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return x * variance / (variance + sigma[:, None].square())

    def trace(x: Tensor, sigma: Tensor) -> Tensor:
        return (variance / (variance + sigma[:, None].square())).sum(dim=1)

    value = ode_log_prob(
        denoise, z, sigma_min=sigma_min, sigma_max=10.0, covariance=variance.diag(), trace=trace
    )
    noisy = (variance + sigma_min**2).double()
    exact = -0.5 * (z.double().square() / noisy + noisy.log() + math.log(2 * math.pi)).sum(dim=1)
    assert (value - exact).abs().max() < 0.02


def test_correlated_gaussian_by_automatic_traces() -> None:
    root = torch.tensor([[1.0, 0.0], [0.9, math.sqrt(1 - 0.81)]])
    covariance = root @ root.T
    z = torch.randn(32, 2, generator=rng()) @ root.T

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        level = sigma[:, None, None].square() * torch.eye(2)
        return (covariance @ torch.linalg.solve(covariance + level, x[:, :, None])).squeeze(2)

    value = ode_log_prob(denoise, z, sigma_min=0.01, sigma_max=10.0, covariance=covariance)
    noisy = covariance + 1e-4 * torch.eye(2)
    exact = torch.distributions.MultivariateNormal(torch.zeros(2), noisy).log_prob(z)
    assert (value - exact).abs().max() < 0.02


@pytest.mark.parametrize("sigma_max", [LDMConfig().sigma_max, 30.0])
def test_mixture_in_closed_form(sigma_max: float) -> None:
    """Not Gaussian: what is left at σ_max is the third moment's share."""
    z = CENTRES[torch.arange(60) % 3] + WIDTH * torch.randn(60, 2, generator=rng())
    covariance = CENTRES.T @ CENTRES / 3 + WIDTH**2 * torch.eye(2)
    value = ode_log_prob(
        mixture_denoiser, z, sigma_min=0.01, sigma_max=sigma_max, covariance=covariance
    )
    error = value - mixture_log_prob(z, WIDTH**2 + 1e-4)
    assert error.abs().max() < 0.02


@pytest.mark.parametrize("fourier", [0, 5])
def test_written_out_trace_is_the_jacobian_s(fourier: int) -> None:
    torch.manual_seed(0)
    denoiser = Denoiser(4, width=24, depth=2, fourier=fourier, fourier_scale=0.5)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng(1)))
    x, sigma = torch.randn(6, 4, generator=rng(2)), 0.05 + torch.rand(6, generator=rng(3))
    whole = torch.stack(
        [
            torch.autograd.functional.jacobian(
                lambda row, s=s: denoiser(row[None], s[None])[0], row
            ).trace()
            for row, s in zip(x, sigma, strict=True)
        ]
    )
    with torch.no_grad():
        torch.testing.assert_close(denoiser.trace(x, sigma), whole, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(autodiff_trace(denoiser)(x, sigma), whole, rtol=1e-4, atol=1e-4)


def test_too_many_dimensions_are_not_available() -> None:
    with pytest.raises(NotAvailable, match=f"{MAX_DIM}"):
        ode_log_prob(
            lambda x, sigma: x,
            torch.zeros(2, MAX_DIM + 1),
            sigma_min=0.01,
            sigma_max=10.0,
            covariance=torch.eye(MAX_DIM + 1),
        )


def test_no_latents_give_no_values() -> None:
    value = ode_log_prob(
        mixture_denoiser, torch.zeros(0, 2), sigma_min=0.1, sigma_max=9.0, covariance=torch.eye(2)
    )
    assert value.shape == (0,)
