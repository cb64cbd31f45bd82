"""σ of the observation model: what maximises the mean of log p̂(x) over validation examples.

The weights of one set of draws are a function of σ, so the estimate can be maximised over σ near
the σ they were drawn at; then the proposal is fitted again there, until σ stays where it is.
(The maximiser obeys σ² = Σ_k w_k |x − g(z_k)|²/D, the M-step of EM, but needs fewer rounds.)

Where the true prior is costly its stand-in only narrows σ down: with as many latents as data
dimensions its estimate f_s(σ) can be nearly flat in σ while the true one is not. What the true
prior changes, Δ(σ) = f(σ) − f_s(σ), is smooth in log σ, so it is taken at a few σ, interpolated,
and taken again where f_s + Δ is largest.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from scipy.optimize import minimize_scalar

from benchbench.metrics.likelihood.importance import Draws

__all__ = ["FLOOR", "SigmaChoice", "choose_sigma", "corrected_sigma", "open_levels"]

# Model space has unit scale. Below the floor σ no longer changes a density that anything here can
# tell from its limit; above the ceiling a decoder explains nothing.
FLOOR, CEILING = 1e-3, 4.0
_TOLERANCE = 0.01
_OPEN_NATS = 1.0  # a level this much below the stand-in's best is closed
_FINE = 121  # values of σ compared
_NEAR = 0.1  # in log σ: Δ is known well enough this close to where it was taken


@dataclass(frozen=True)
class SigmaChoice:
    """σ in model space, how often proposals were fitted, mean validation log p̂ (model space)."""

    sigma: float
    rounds: int
    log_prob: float


def choose_sigma(
    draws_at: Callable[[float], Draws], start: float, *, rounds: int, trust: float = 2.0
) -> SigmaChoice:
    """Maximise the mean validation log p̂ from `start`; rounds >= 1.

    draws_at: fits proposals at a σ and returns their weighted draws on validation examples.
    rounds: most calls of it. trust: how far σ may move on one set of draws, as a factor.
    """
    sigma = min(max(start, FLOOR), CEILING)
    done = 0
    while done < rounds:
        done += 1
        draws = draws_at(sigma)
        low, high = max(FLOOR, sigma / trust), min(CEILING, sigma * trust)
        found = minimize_scalar(
            lambda log_sigma, draws=draws: -float(draws.log_prob(math.exp(log_sigma)).mean()),
            bounds=(math.log(low), math.log(high)),
            method="bounded",
            options={"xatol": 1e-4},
        )
        moved = abs(float(found.x) - math.log(sigma))
        sigma = math.exp(float(found.x))
        if moved < _TOLERANCE:
            break
    return SigmaChoice(sigma, done, -float(found.fun))


def open_levels(
    draws_at: Callable[[float], Draws], best: float, *, factor: float = 2.0
) -> dict[float, Draws]:
    """Levels of σ around the stand-in's optimum `best` that it does not rule out, ascending.

    Steps by `factor` either way for as long as the mean validation log p̂ under the stand-in
    stays within a nat of the best.
    """
    levels = {best: draws_at(best)}
    peak = float(levels[best].log_prob(best).mean())
    for direction in (factor, 1 / factor):
        sigma = best * direction
        while FLOOR <= sigma <= CEILING:
            draws = draws_at(sigma)
            if float(draws.log_prob(sigma).mean()) < peak - _OPEN_NATS:
                break
            levels[sigma] = draws
            sigma *= direction
    return dict(sorted(levels.items()))


def corrected_sigma(
    levels: dict[float, Draws], correction: Callable[[float], float], *, evaluations: int
) -> SigmaChoice:
    """The σ that maximises f_s + Δ, within a factor of 1.4 of the outer levels.

    levels: ascending σ and the stand-in's draws made there. correction: Δ at a σ, at the cost of
    the true prior. evaluations: most calls of it, >= 3.
    """
    steps = [math.log(sigma) for sigma in levels]
    low = max(math.log(FLOOR), steps[0] - math.log(1.4))
    high = min(math.log(CEILING), steps[-1] + math.log(1.4))
    scale = np.linspace(low, high, _FINE)
    stand_in = np.array([_pooled(levels, steps, float(at)) for at in scale])
    first = {steps[0], steps[-1], float(scale[int(stand_in.argmax())])}
    known = {at: correction(math.exp(at)) for at in sorted(first)}
    while True:
        total = stand_in + _interpolated(known, scale)
        best = int(total.argmax())
        at = float(scale[best])
        if len(known) >= evaluations or min(abs(at - k) for k in known) < _NEAR:
            return SigmaChoice(math.exp(at), len(levels) + len(known), float(total[best]))
        known[at] = correction(math.exp(at))


def _interpolated(known: dict[float, float], scale: np.ndarray) -> np.ndarray:
    """Δ along log σ: monotone cubic between its known values, constant beyond them."""
    at = np.array(sorted(known))
    values = np.array([known[float(k)] for k in at])
    if len(at) == 1:
        return np.full_like(scale, values[0])
    return PchipInterpolator(at, values)(scale.clip(at[0], at[-1]))


def _pooled(levels: dict[float, Draws], steps: list[float], log_sigma: float) -> float:
    """Mean log p̂ at this σ under the stand-in, from the draws of the levels beside it.

    p̂ = (1 − a) p̂_low + a p̂_high, with a from 0 to 1 between the two levels.
    """
    sigma, draws = math.exp(log_sigma), list(levels.values())
    above = bisect.bisect_left(steps, log_sigma)
    if above == 0 or above == len(steps):
        return float(draws[min(above, len(steps) - 1)].log_prob(sigma).mean())
    share = (log_sigma - steps[above - 1]) / (steps[above] - steps[above - 1])
    if share == 1:
        return float(draws[above].log_prob(sigma).mean())
    lower = draws[above - 1].log_prob(sigma) + math.log1p(-share)
    upper = draws[above].log_prob(sigma) + math.log(share)
    return float(torch.logaddexp(lower, upper).mean())
