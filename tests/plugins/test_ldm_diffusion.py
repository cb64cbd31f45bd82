"""Noise injection, weights and solvers against closed forms."""

from __future__ import annotations

import itertools
import math
from typing import get_args

import pytest
import torch
from benchbench_ldm.config import Sampler, Schedule
from benchbench_ldm.diffusion import Denoiser, Diffusion, inject_noise, loss_weight
from benchbench_ldm.solvers import evaluations, noise_levels, solve
from torch import Tensor

SAMPLERS = get_args(Sampler)
SCHEDULES = get_args(Schedule)
VARIANCE = torch.tensor([0.25, 1.0, 1.5])
MEAN = torch.tensor([0.5, 0.0, -0.3])


def gaussian_denoiser(x: Tensor, sigma: Tensor) -> Tensor:
    """E[Z | X] for Z ~ N(MEAN, diag(VARIANCE))."""
    gain = VARIANCE / (VARIANCE + sigma[:, None].square())
    return MEAN + gain * (x - MEAN)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tiny_diffusion(weighting: str) -> Diffusion:
    torch.manual_seed(0)
    denoiser = Denoiser(3, width=16, depth=1, fourier=4, fourier_scale=1.0)
    return Diffusion(denoiser, sigma_max=10.0, weighting=weighting, ema_decay=0.9)


def start(n: int, sigma: float) -> Tensor:
    return MEAN + (VARIANCE + sigma**2).sqrt() * torch.randn(n, 3, generator=rng())


@pytest.mark.parametrize("t", [0.0, 0.01, 1.0, 9.0])
def test_variance_of_the_injected_noise_is_t(t: float) -> None:
    z = torch.randn(40_000, 3, generator=rng(1))
    x = inject_noise(z, torch.full((40_000,), t), generator=rng(2))
    assert (x - z).mean().abs() <= 4 * math.sqrt(t / 120_000)
    assert float((x - z).var()) == pytest.approx(t, rel=0.02)


def test_each_row_gets_its_own_noise_level() -> None:
    z = torch.zeros(3, 50_000)
    t = torch.tensor([0.0, 1.0, 4.0])
    x = inject_noise(z, t, generator=rng())
    torch.testing.assert_close(x.var(dim=1), t, rtol=0.03, atol=1e-6)


def test_error_of_the_optimal_denoiser_is_the_posterior_variance() -> None:
    n, sigma = 60_000, 0.7
    z = MEAN + VARIANCE.sqrt() * torch.randn(n, 3, generator=rng(3))
    x = inject_noise(z, torch.full((n,), sigma**2), generator=rng(4))
    error = (z - gaussian_denoiser(x, torch.full((n,), sigma))).square().mean(dim=0)
    torch.testing.assert_close(
        error, VARIANCE * sigma**2 / (VARIANCE + sigma**2), rtol=0.02, atol=0
    )


def test_untrained_denoiser_is_optimal_for_a_standard_normal() -> None:
    x, sigma = torch.randn(5, 3, generator=rng()), torch.tensor([0.01, 0.1, 1.0, 3.0, 10.0])
    denoiser = tiny_diffusion("edm").denoiser
    torch.testing.assert_close(denoiser(x, sigma), x / (1 + sigma.square())[:, None])


@pytest.mark.parametrize("weighting", ["edm", "none", "likelihood"])
def test_every_weighting_is_the_mean_squared_error_times_a_function_of_sigma(
    weighting: str,
) -> None:
    diffusion = tiny_diffusion(weighting)
    z = torch.randn(64, 3, generator=rng())
    loss = diffusion.loss(z, generator=rng(5))
    replay = rng(5)
    sigma = diffusion.draw_sigma(z, generator=replay)
    x = inject_noise(z, sigma.square(), generator=replay)
    squared = (z - diffusion.denoiser(x, sigma)).square().mean(dim=1)
    factor = {"edm": (sigma**2 + 1) / sigma**2, "none": 1.0, "likelihood": 1 / sigma**2}
    torch.testing.assert_close(loss, (factor[weighting] * squared).mean())


def test_likelihood_weight_makes_the_loss_a_difference_of_entropies() -> None:
    """∫ E‖Z − E[Z|X]‖²/σ³ dσ = mutual information of Z and X between the end points."""
    low, high, n = 0.05, 20.0, 20_000
    u = torch.linspace(math.log(low), math.log(high), n, dtype=torch.float64)
    sigma = u.exp()
    mmse = (VARIANCE * sigma[:, None] ** 2 / (VARIANCE + sigma[:, None] ** 2)).sum(dim=1)
    integral = torch.trapezoid(loss_weight("likelihood", sigma) * mmse, u)

    def information(level: float) -> Tensor:
        return 0.5 * torch.log1p(VARIANCE.double() / level**2).sum()

    torch.testing.assert_close(integral, information(low) - information(high), rtol=1e-4, atol=0)


def test_noise_levels_are_log_uniform_and_in_range() -> None:
    diffusion = tiny_diffusion("edm")
    sigma = diffusion.draw_sigma(torch.zeros(4000, 3), generator=rng())
    low, high = float(diffusion.sigma_min), diffusion.sigma_max
    assert low <= float(sigma.min()) and float(sigma.max()) <= high * (1 + 1e-5)
    middle = math.sqrt(low * high)
    assert float((sigma < middle).float().mean()) == pytest.approx(0.5, abs=0.01)


def test_start_has_the_covariance_of_noised_latents() -> None:
    diffusion = tiny_diffusion("edm")
    mixing = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    mean = torch.randn(5000, 3, generator=rng()) @ mixing.T
    std = torch.full_like(mean, 0.3)
    diffusion.set_latents(mean, std, sigma_min=0.1)
    expected = torch.cov(mean.T, correction=0) + 0.09 * torch.eye(3)
    torch.testing.assert_close(diffusion.covariance, expected, rtol=1e-4, atol=1e-4)
    x = diffusion.draw_start(200_000, generator=rng(9))
    torch.testing.assert_close(torch.cov(x.T), expected + 100 * torch.eye(3), rtol=0.02, atol=0.9)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_runs_from_sigma_max_through_sigma_min_to_zero(schedule: Schedule) -> None:
    levels = noise_levels(9, 0.01, 10.0, schedule=schedule)
    assert len(levels) == 10 and levels[-1] == 0.0
    assert levels[0] == pytest.approx(10.0) and levels[-2] == pytest.approx(0.01)
    assert all(a > b for a, b in itertools.pairwise(levels))


def test_cosine_and_linear_levels_are_even_in_their_own_time() -> None:
    """cos²(φ) = 1/(1 + σ²) for the one, ln(1 + σ²) = ∫ β for the other."""
    sigma = torch.tensor(noise_levels(7, 0.01, 10.0, schedule="cosine")[:-1], dtype=torch.float64)
    phase = (1 / (1 + sigma**2)).sqrt().acos()
    torch.testing.assert_close(phase.diff(), phase.diff().mean().expand(6))
    sigma = torch.tensor(noise_levels(7, 0.01, 10.0, schedule="linear")[:-1], dtype=torch.float64)
    total = torch.log1p(sigma**2)  # a parabola in time: second differences of even times are equal
    bend = total.diff().diff()
    torch.testing.assert_close(bend, bend.mean().expand(5), rtol=1e-6, atol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_nfe_is_exact(steps: int, sampler: Sampler) -> None:
    calls = 0

    def counting(x: Tensor, sigma: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return gaussian_denoiser(x, sigma)

    levels = noise_levels(steps, 0.01, 10.0)
    solve(counting, start(4, 10.0), levels, sampler=sampler, churn=0.4, generator=rng())
    assert calls == evaluations(sampler, steps)


@pytest.mark.parametrize(
    ("sampler", "steps"),
    [("euler", 400), ("heun", 48), ("dpmpp-2m", 48), ("ab2", 48), ("stochastic", 48)],
)
def test_samplers_reproduce_a_gaussian(sampler: Sampler, steps: int) -> None:
    n = 40_000
    levels = noise_levels(steps, 0.005, 10.0)
    x = start(n, 10.0)
    z = solve(gaussian_denoiser, x, levels, sampler=sampler, churn=0.4, generator=rng(6))
    torch.testing.assert_close(z.mean(dim=0), MEAN, rtol=0, atol=0.03)
    torch.testing.assert_close(z.var(dim=0), VARIANCE, rtol=0.04, atol=0)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("sampler", "order"), [("euler", 1), ("heun", 2), ("dpmpp-2m", 2), ("ab2", 2)]
)
def test_order_of_convergence(sampler: Sampler, order: int, schedule: Schedule) -> None:
    """From σ_max to σ_min the exact solution scales X − MEAN by a known factor."""
    x = start(64, 10.0).double()

    def error(steps: int) -> float:
        levels = noise_levels(steps, 0.05, 10.0, schedule=schedule)[:-1]
        scale = ((VARIANCE.double() + 0.05**2) / (VARIANCE.double() + 10.0**2)).sqrt()
        exact = MEAN + (x - MEAN) * scale
        return float((solve(gaussian_denoiser, x, levels, sampler=sampler) - exact).abs().max())

    ratio = error(128) / error(256)
    assert 2**order * 0.85 < ratio < 2**order * 1.15


def test_a_euler_step_is_a_ddim_step() -> None:
    """DDIM: X' / sqrt(1 + σ'²) = sqrt(ᾱ') Ẑ + sqrt(1 − ᾱ') ε̂, with ᾱ = 1/(1 + σ²)."""
    x, now, then = start(16, 2.0), 2.0, 1.2
    clean = gaussian_denoiser(x, torch.full((16,), now))
    alpha = 1 / (1 + then**2)
    ddim = alpha**0.5 * clean + (1 - alpha) ** 0.5 * (x - clean) / now
    euler = solve(gaussian_denoiser, x, [now, then], sampler="euler")
    torch.testing.assert_close(euler / (1 + then**2) ** 0.5, ddim)


def test_stochastic_sampler_draws_noise_and_the_deterministic_does_not() -> None:
    x, levels = start(32, 10.0), noise_levels(12, 0.01, 10.0, 7.0)

    def run(churn: float, seed: int) -> Tensor:
        return solve(
            gaussian_denoiser, x, levels, sampler="stochastic", churn=churn, generator=rng(seed)
        )

    assert torch.equal(run(0.0, 1), run(0.0, 2))
    assert torch.equal(run(0.4, 1), run(0.4, 1))
    assert (run(0.4, 1) - run(0.4, 2)).abs().mean() > 0.1


def test_fresh_noise_comes_before_every_step_but_the_first() -> None:
    seen: list[float] = []

    def spy(x: Tensor, sigma: Tensor) -> Tensor:
        seen.append(float(sigma[0]))
        return gaussian_denoiser(x, sigma)

    levels = noise_levels(6, 0.01, 10.0, 7.0)
    solve(spy, start(4, 10.0), levels, sampler="stochastic", churn=0.1, generator=rng())
    assert seen[0] == pytest.approx(levels[0])
    assert seen[2::2] == pytest.approx([1.1 * level for level in levels[1:-1]])
