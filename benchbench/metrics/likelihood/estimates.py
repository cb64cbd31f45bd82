"""What weighted draws say of log p(x), and how far to trust it.

log p̂ = log mean w is low by half its variance, to first order, and its variance is that of the
mean weight, relative to the mean (the delta method):

V = Var(Σ_k s_k),   s_k = w_k/Σ_j w_j,      E log p̂ ≈ log p − V/2

(Nowozin, "Debiasing Evidence Approximations: On Importance-weighted Autoencoders and Jackknife
Variational Inference", 2018). The value printed stays log p̂, a bound in expectation; intervals are
centred on log p̂ + V/2. Two intervals, by what is random:

* draws: the same examples again with fresh latents. Models that are scored on the same examples
  differ by chance this much.
* examples and draws: fresh examples as well. This is the score's `ci_low` and `ci_high`.

Neither includes σ's choice or the training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.special import stdtrit
from torch import Tensor

from benchbench.metrics.likelihood.importance import (
    Draws,
    effective_size,
    successive_variance,
)

__all__ = ["Estimates", "Interval"]

_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Interval:
    """A 95 % interval of a mean over examples, in nats of log p."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimates:
    """log p̂ of n examples, all float64 on the CPU.

    log_prob: (n,) nats; ess: (n,); own: (n,) variance of log p̂ by the draws of that example
    alone; total: (n,) the same with draws that examples share; shared: variance of the mean over
    examples that the shared draws cause. upper: (n,) upper bounds, where exact posterior draws
    were to be had.
    """

    log_prob: Tensor
    ess: Tensor
    own: Tensor
    total: Tensor
    shared: float = 0.0
    upper: Tensor | None = None

    @classmethod
    def of_draws(cls, draws: Draws, sigma: float) -> Estimates:
        """From importance weights at this σ."""
        log_prob, ess = draws.log_prob(sigma).cpu(), draws.ess(sigma).cpu()
        spread = draws.spread(sigma)
        return cls(log_prob, ess, spread.own.cpu(), spread.total.cpu(), spread.shared)

    @classmethod
    def of_chains(cls, log_weights: Tensor) -> Estimates:
        """From the weights (n, C) of annealed chains."""
        log_weights = log_weights.cpu()
        own = successive_variance(log_weights.softmax(1))
        log_prob = log_weights.logsumexp(1) - math.log(log_weights.shape[1])
        return cls(log_prob, effective_size(log_weights), own, own)

    @classmethod
    def merged(cls, n: int, parts: list[tuple[Tensor, Estimates]]) -> Estimates:
        """Of n examples from (rows, estimates of those rows); later parts replace earlier ones.

        Only the first part may hold shared draws, and no later part its rows.
        """
        names = ("log_prob", "ess", "own", "total")
        fields = {name: torch.full((n,), math.nan, dtype=torch.float64) for name in names}
        upper, shared = torch.full((n,), math.nan, dtype=torch.float64), 0.0
        for rows, part in parts:
            for name in names:
                fields[name][rows] = getattr(part, name)
            if part.upper is not None:
                upper[rows] = part.upper
            shared += part.shared * (len(rows) / n) ** 2
        return cls(**fields, shared=shared, upper=upper if upper.isfinite().all() else None)

    @property
    def corrected(self) -> float:
        """Mean of log p̂ + V/2, nats."""
        return float((self.log_prob + self.total / 2).mean())

    def over_draws(self) -> Interval:
        """Examples fixed, draws random."""
        n = len(self.log_prob)
        half = _NORMAL_95 * math.sqrt(float(self.own.sum()) / n**2 + self.shared)
        return Interval(self.corrected - half, self.corrected + half)

    def over_examples(self) -> Interval:
        """Examples and draws random. n >= 2."""
        n = len(self.log_prob)
        spread = float((self.log_prob + self.total / 2).var()) / n
        half = float(stdtrit(n - 1, 0.975)) * math.sqrt(spread + self.shared)
        return Interval(self.corrected - half, self.corrected + half)
