"""Samplers: from noise at σ_max down to a sample, along dX/dσ = (X − f(X, σ²))/σ.

That is the probability-flow ODE of X = Z + σ·ε, whose solution has the same marginals as the
noise injection itself. `heun` solves it in second order. `stochastic` adds fresh noise before
every step, σ → (1 + churn)σ, and steps down from there ("Elucidating the Design Space of
Diffusion-Based Generative Models", Karras et al., 2022, algorithms 1 and 2). The level never
passes σ_max, beyond which no network is trained: the first step starts there, from pure noise.
Both are exact in the limit of many steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Denoise", "evaluations", "noise_levels", "solve"]

Denoise = Callable[[Tensor, Tensor], Tensor]
"""(X (n, d), σ (n,)) -> the estimate of Z, (n, d)."""


def noise_levels(steps: int, sigma_min: float, sigma_max: float, rho: float) -> list[float]:
    """σ_0 = sigma_max > … > σ_{steps−1} = sigma_min > σ_steps = 0, evenly spaced in σ^(1/rho)."""
    if steps == 1:
        return [sigma_max, 0.0]
    top, bottom = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    ramp = [(top + i / (steps - 1) * (bottom - top)) ** rho for i in range(steps)]
    return [*ramp, 0.0]


def evaluations(steps: int) -> int:
    """Network evaluations of `solve`: two a step, one in the last, which goes to σ = 0."""
    return 2 * steps - 1


def solve(
    denoise: Denoise,
    x: Tensor,
    levels: list[float],
    *,
    churn: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Heun's method from X at levels[0] to levels[-1] = 0. x: (n, d) -> (n, d).

    churn: each step first adds noise up to (1 + churn) times its level; 0: deterministic.
    generator: of that noise; needed where churn > 0.
    """
    for now, then in itertools.pairwise(levels):
        raised = min(now * (1 + churn), levels[0])
        if raised > now:
            noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            x = x + (raised**2 - now**2) ** 0.5 * noise
            now = raised
        slope = _slope(denoise, x, now)
        ahead = x + (then - now) * slope
        if then > 0:
            slope = 0.5 * (slope + _slope(denoise, ahead, then))
            ahead = x + (then - now) * slope
        x = ahead
    return x


def _slope(denoise: Denoise, x: Tensor, sigma: float) -> Tensor:
    return (x - denoise(x, x.new_full((x.shape[0],), sigma))) / sigma
