"""σ of the observation model: what maximises the mean of log p̂(x) over validation examples.

The weights of one set of draws are a function of σ, so the estimate can be maximised over σ near
the σ they were drawn at; then the proposal is fitted again there, until σ stays where it is.
(The maximiser obeys σ² = Σ_k w_k |x − g(z_k)|²/D, the M-step of EM, but needs fewer rounds.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.optimize import minimize_scalar

from benchbench.metrics.likelihood.importance import Draws

__all__ = ["FLOOR", "SigmaChoice", "choose_sigma"]

# Model space has unit scale. Below the floor σ no longer changes a density that anything here can
# tell from its limit; above the ceiling a decoder explains nothing.
FLOOR, CEILING = 1e-3, 4.0
_TOLERANCE = 0.01


@dataclass(frozen=True)
class SigmaChoice:
    """σ in model space, rounds of refitting, and the mean log p̂ on validation (model space)."""

    sigma: float
    rounds: int
    log_prob: float
    ess: float


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
    return SigmaChoice(sigma, done, -float(found.fun), float(draws.ess(sigma).mean()))
