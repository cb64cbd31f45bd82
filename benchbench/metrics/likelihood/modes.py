"""Modes of p(z | x), where a proposal can be centred.

A mode minimises  E(z) = |x − g(z)|²/(2σ²) + ½ (z − m)ᵀ P (z − m)  for a Gaussian piece N(m, P⁻¹)
of the prior. Levenberg–Marquardt runs from several starts of all examples at once; there the
posterior is near N(z*, H⁻¹) with the Gauss–Newton Hessian H = JᵀJ/σ² + P.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from benchbench.metrics.likelihood.observation import Observation
from benchbench.metrics.likelihood.priors import MixturePrior

__all__ = ["Modes", "find_modes", "nearest_starts"]

_DAMPING = (1e-2, 1.0, 1e2, 1e4)  # times a row's own damping: all four are tried at each step
_SETTLED_NATS = 1e-3  # a step that gains less ends a row's search


@dataclass(frozen=True)
class Modes:
    """R candidate modes for each of n examples.

    z: (n, R, d) float64; piece: (n, R) the prior's component; hessian: (n, R, d, d);
    log_mass: (n, R) Laplace estimate of log ∫ p(z) p(x|z) dz around the mode, up to a constant.
    """

    z: Tensor
    piece: Tensor
    hessian: Tensor
    log_mass: Tensor

    def best(self, count: int) -> Modes:
        """The `count` heaviest modes of each example."""
        order = self.log_mass.topk(min(count, self.log_mass.shape[1]), dim=1).indices
        rows = torch.arange(len(order), device=order.device)[:, None]
        return Modes(
            self.z[rows, order],
            self.piece[rows, order],
            self.hessian[rows, order],
            self.log_mass[rows, order],
        )

    def distinct(self) -> Modes:
        """The same modes, heaviest first, with log_mass −inf where one repeats a heavier one.

        Two modes are one where they are less than a standard deviation apart (Mahalanobis
        distance below 1 in the heavier one's Hessian).
        """
        modes = self.best(self.log_mass.shape[1])
        mass = modes.log_mass.clone()
        for r in range(1, mass.shape[1]):
            gap = modes.z[:, r : r + 1] - modes.z[:, :r]
            distance = torch.einsum("nri,nrij,nrj->nr", gap, modes.hessian[:, :r], gap)
            same = (distance < 1) & mass[:, :r].isfinite()
            mass[same.any(1), r] = -math.inf
        return Modes(modes.z, modes.piece, modes.hessian, mass)


def nearest_starts(x: Tensor, z: Tensor, means: Tensor, count: int, pool: int) -> Tensor:
    """Starting points from draws of the prior: the nearest in data space, spread out in latents.

    x: (n, D); z: (N, d) draws; means: (N, D) their decodings. Of the `pool` draws nearest to x
    the nearest is taken first, then each time the one farthest from those taken: several latent
    regions that decode to the same x each get a start. Returns (n, count, d).
    """
    near = torch.cdist(x.float(), means.float()).topk(min(pool, len(z)), dim=1, largest=False)
    candidates = z[near.indices]
    rows = torch.arange(len(x), device=x.device)
    taken = [candidates[:, 0]]
    gap = (candidates - taken[0][:, None]).square().sum(-1)
    for _ in range(min(count, candidates.shape[1]) - 1):
        taken.append(candidates[rows, gap.argmax(1)])
        gap = torch.minimum(gap, (candidates - taken[-1][:, None]).square().sum(-1))
    return torch.stack(taken, 1)


def find_modes(
    observation: Observation,
    prior: MixturePrior,
    x: Tensor,
    starts: Tensor,
    piece: Tensor,
    *,
    sigma: float,
    steps: int,
) -> Modes:
    """Levenberg–Marquardt from every start: x (n, D), starts (n, R, d), piece (n, R)."""
    n, restarts, _ = starts.shape
    rows = x.repeat_interleave(restarts, 0)
    search = _Search(observation, prior, rows, starts.flatten(0, 1), piece.flatten(), sigma)
    for _ in range(steps):
        if not search.active.any():
            break
        search.step()
    search.refresh()
    sign_log_det = torch.linalg.slogdet(search.hessian)[1]
    mass = search.offset - search.energy - 0.5 * sign_log_det
    return Modes(
        search.z.unflatten(0, (n, restarts)),
        piece,
        search.hessian.unflatten(0, (n, restarts)),
        mass.unflatten(0, (n, restarts)),
    )


class _Search:
    """State of a batched Levenberg–Marquardt search; rows that have settled cost nothing."""

    def __init__(
        self,
        observation: Observation,
        prior: MixturePrior,
        x: Tensor,
        z: Tensor,
        piece: Tensor,
        sigma: float,
    ) -> None:
        self.observation, self.x, self.z, self.sigma = observation, x, z.clone(), sigma
        self.mean, root = prior.means[piece], prior.roots[piece]
        self.precision = root @ root.mT
        # log π_c |P_c|^½: what the piece adds to a Laplace mass beside its quadratic form.
        self.offset = prior.log_shares[piece] + root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        n, d = z.shape
        self.active = torch.ones(n, dtype=torch.bool, device=z.device)
        self.damping = torch.full((n,), 1e-2, dtype=torch.float64, device=z.device)
        self.energy = z.new_empty(n)
        self.gradient = z.new_empty(n, d)
        self.hessian = z.new_empty(n, d, d)
        self.stale = self.active.clone()

    def refresh(self) -> None:
        """Energy, gradient and Gauss–Newton Hessian where z has moved since the last time."""
        rows = self.stale.nonzero().squeeze(1)
        if not len(rows):
            return
        z, precision = self.z[rows], self.precision[rows]
        error, pulled, square = self.observation.normal_equations(z, self.x[rows])
        lean = (precision @ (z - self.mean[rows])[:, :, None]).squeeze(-1)
        quadratic = ((z - self.mean[rows]) * lean).sum(-1)
        self.energy[rows] = error / (2 * self.sigma**2) + 0.5 * quadratic
        self.gradient[rows] = lean - pulled / self.sigma**2
        self.hessian[rows] = square / self.sigma**2 + precision
        self.stale[rows] = False

    def step(self) -> None:
        """Try four dampings at once on each active row and keep the best that descends."""
        self.refresh()
        rows = self.active.nonzero().squeeze(1)
        factors = self.z.new_tensor(_DAMPING)
        damping = self.damping[rows, None] * factors
        trials = self.z[rows, None] - self._solve(rows, damping)
        energy = self._energy(rows, trials)
        best, choice = energy.nan_to_num(nan=math.inf, posinf=math.inf).min(1)
        gain = self.energy[rows] - best
        better = gain > 0
        moved = rows[better]
        self.z[moved] = trials[better, choice[better]]
        self.energy[moved] = best[better]
        self.stale[moved] = True
        chosen = damping[torch.arange(len(rows), device=rows.device), choice]
        self.damping[rows] = torch.where(better, chosen, damping[:, -1]).clamp(1e-8, 1e8)
        exhausted = ~better & (damping[:, -1] >= 1e6)
        self.active[rows] = ~(exhausted | (better & (gain < _SETTLED_NATS)))

    def _solve(self, rows: Tensor, damping: Tensor) -> Tensor:
        """(H + λ diag H)⁻¹ ∇E for each damping: (a,), (a, T) -> (a, T, d)."""
        hessian = self.hessian[rows, None]
        diagonal = hessian.diagonal(dim1=-2, dim2=-1)
        damped = hessian + torch.diag_embed(damping[:, :, None] * diagonal)
        factor = torch.linalg.cholesky(damped)
        right = self.gradient[rows, None, :, None].expand(-1, damping.shape[1], -1, -1)
        return torch.cholesky_solve(right, factor).squeeze(-1)

    def _energy(self, rows: Tensor, z: Tensor) -> Tensor:
        """E of trial points: (a,), (a, T, d) -> (a, T)."""
        error = self.observation.squared_error(z, self.x[rows])
        offset = z - self.mean[rows, None]
        quadratic = ((offset @ self.precision[rows]) * offset).sum(-1)
        return error / (2 * self.sigma**2) + 0.5 * quadratic
