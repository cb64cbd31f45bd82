"""Samplers: from noise at σ_max down to a sample, along dX/dσ = (X − f(X, σ²))/σ.

That is the probability-flow ODE of X = Z + σ·ε, whose solution has the same marginals as the
noise injection itself.

    euler        first order: DDIM ("Denoising Diffusion Implicit Models", Song et al., 2021) is
                 this step in this parametrisation
    heun         second order, two evaluations a step
    dpmpp-2m     second order, one evaluation a step, the last one used again: DPM-Solver++(2M)
                 ("DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic
                 Models", Lu et al., 2022), in λ = −ln σ, h = λ' − λ, r = h_before/h:
                 X' = (σ'/σ) X + (1 − σ'/σ) (f + (f − f_before)/(2r))
    ab2          second order, one evaluation a step: Adams-Bashforth in φ = arctan σ, where
                 Y = X/sqrt(1 + σ²) moves by dY/dφ = −F and F is the preconditioned network's own
                 output ("Simplifying, Stabilizing and Scaling Continuous-Time Consistency
                 Models", Lu and Song, 2025); for a standard normal Z, F = 0 and every step is
                 exact. Multistep after "Pseudo Numerical Methods for Diffusion Models on
                 Manifolds", Liu et al., 2022
    stochastic   heun with fresh noise before every step, σ → (1 + churn)σ

heun and stochastic are algorithms 1 and 2 of "Elucidating the Design Space of Diffusion-Based
Generative Models", Karras et al., 2022. The level never passes σ_max, beyond which no network is
trained: the first step starts there, from pure noise. All are exact in the limit of many steps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from benchbench_ldm.config import Sampler, Schedule

__all__ = ["Denoise", "evaluations", "noise_levels", "solve"]

Denoise = Callable[[Tensor, Tensor], Tensor]
"""(X (n, d), σ (n,)) -> the estimate of Z, (n, d)."""

BETA_MIN, BETA_MAX = 0.1, 20.0
"""Of the linear schedule, β(t) = BETA_MIN + t (BETA_MAX − BETA_MIN)."""


def noise_levels(
    steps: int,
    sigma_min: float,
    sigma_max: float,
    rho: float = 7.0,
    schedule: Schedule = "karras",
) -> list[float]:
    """σ_0 = sigma_max > … > σ_{steps−1} = sigma_min > σ_steps = 0, evenly spaced in g(σ):

    karras   g = σ^(1/rho) (Karras et al., 2022)
    linear   g = t of a variance-preserving process with linear β(t), ln(1 + σ²) = ∫₀ᵗ β
             ("Denoising Diffusion Probabilistic Models", Ho et al., 2020, in continuous time)
    cosine   g = arctan σ: ᾱ = cos²(·) = 1/(1 + σ²) ("Improved Denoising Diffusion Probabilistic
             Models", Nichol and Dhariwal, 2021)
    """
    if steps == 1:
        return [sigma_max, 0.0]
    forth, back = _spacing(schedule, rho)
    top, bottom = forth(sigma_max), forth(sigma_min)
    ramp = [back(top + i / (steps - 1) * (bottom - top)) for i in range(steps)]
    return [*ramp, 0.0]


def _spacing(
    schedule: Schedule, rho: float
) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """g and its inverse."""
    if schedule == "cosine":
        return math.atan, math.tan
    if schedule == "karras":
        return lambda sigma: sigma ** (1 / rho), lambda g: g**rho
    rise = BETA_MAX - BETA_MIN

    def time(sigma: float) -> float:
        total = math.log1p(sigma**2)
        return (math.sqrt(BETA_MIN**2 + 2 * rise * total) - BETA_MIN) / rise

    return time, lambda t: math.sqrt(math.expm1(BETA_MIN * t + 0.5 * rise * t**2))


def evaluations(sampler: Sampler, steps: int) -> int:
    """Network evaluations of `solve`.

    One a step for euler, dpmpp-2m and ab2; else two, but one in the last, which goes to σ = 0.
    """
    return 2 * steps - 1 if sampler in ("heun", "stochastic") else steps


def solve(
    denoise: Denoise,
    x: Tensor,
    levels: list[float],
    *,
    sampler: Sampler = "heun",
    churn: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """From X at levels[0] to levels[-1]. x: (n, d) -> (n, d).

    churn, generator: of the stochastic sampler's noise.
    """
    if sampler == "euler":
        for now, then in itertools.pairwise(levels):
            x = x + (then - now) * _slope(denoise, x, now)
        return x
    if sampler == "dpmpp-2m":
        return _multistep(denoise, x, levels)
    if sampler == "ab2":
        return _adams_bashforth(denoise, x, levels)
    return _heun(denoise, x, levels, churn if sampler == "stochastic" else 0.0, generator)


def _heun(
    denoise: Denoise,
    x: Tensor,
    levels: list[float],
    churn: float,
    generator: torch.Generator | None,
) -> Tensor:
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


def _multistep(denoise: Denoise, x: Tensor, levels: list[float]) -> Tensor:
    """DPM-Solver++(2M); its first step and the one to σ = 0 are of first order."""
    before: tuple[float, Tensor] | None = None
    for now, then in itertools.pairwise(levels):
        clean = guess = denoise(x, x.new_full((x.shape[0],), now))
        if before is not None and then > 0:
            previous, last = before
            r = math.log(previous / now) / math.log(now / then)
            guess = clean + (clean - last) / (2 * r)
        x = then / now * x + (1 - then / now) * guess
        before = now, clean
    return x


def _adams_bashforth(denoise: Denoise, x: Tensor, levels: list[float]) -> Tensor:
    """The second-order scheme in arctan σ; its first step is Euler's, its last one is f itself."""
    before: tuple[float, Tensor] | None = None
    for now, then in itertools.pairwise(levels):
        clean = denoise(x, x.new_full((x.shape[0],), now))
        if then == 0:
            return clean
        length = math.sqrt(1 + now**2)
        slope = length / now * (x / length**2 - clean)  # −F
        push, h = slope, math.atan(then) - math.atan(now)
        if before is not None:
            h_before, last = before
            push = slope + h / (2 * h_before) * (slope - last)
        x = math.sqrt(1 + then**2) * (x / length + h * push)
        before = h, slope
    return x


def _slope(denoise: Denoise, x: Tensor, sigma: float) -> Tensor:
    return (x - denoise(x, x.new_full((x.shape[0],), sigma))) / sigma
