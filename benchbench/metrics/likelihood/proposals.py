"""The proposal for p(z | x): a mixture of Gaussians over the modes that were found.

q(z) = Σ_r π_r ½ [N(z; z_r, H_r⁻¹) + N(z; z_r, s² H_r⁻¹)]

Half of each component is widened by s to guard the tails. The unwidened half keeps the weights
bounded in many dimensions, where widening alone by s = 1.3 would cost a factor 1.0955^d in their
second moment (Hesterberg, "Weighted Average Importance Sampling and Defensive Mixture
Distributions", 1995).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchbench.metrics.likelihood.modes import Modes

__all__ = ["Proposal", "systematic"]

_DEFENSIVE_SHARE = 0.2  # of the mixture's weight, spread evenly over the modes worth keeping
_WORTH_NATS = 20.0  # a mode whose mass is this far below the best is dropped


class Proposal:
    """The mixture q(z) for each of n examples.

    log_shares: (n, R) log π_r, −inf where a component is unused; means: (n, R, d);
    roots: (n, R, d, d) lower Cholesky factors of the precisions H_r; widths: (1, s).
    """

    def __init__(self, modes: Modes, widening: float) -> None:
        mass = modes.distinct()
        best = mass.log_mass.amax(1, keepdim=True)
        kept = mass.log_mass > best - _WORTH_NATS
        share = mass.log_mass.masked_fill(~kept, -math.inf).softmax(1) * (1 - _DEFENSIVE_SHARE)
        share = share + _DEFENSIVE_SHARE * kept / kept.sum(1, keepdim=True)
        # Unused components last, and away where no example uses them.
        order = share.argsort(dim=1, descending=True, stable=True)[:, : int(kept.sum(1).max())]
        rows = torch.arange(len(order), device=order.device)[:, None]
        self.log_shares = share[rows, order].log()
        self.means = mass.z[rows, order]
        self.roots = torch.linalg.cholesky(mass.hessian[rows, order])
        self.widths = (1.0, widening)

    def __len__(self) -> int:
        return len(self.means)

    def rows(self, index: Tensor) -> Proposal:
        """The proposals of these examples only."""
        part = object.__new__(Proposal)
        part.log_shares, part.means = self.log_shares[index], self.means[index]
        part.roots, part.widths = self.roots[index], self.widths
        return part

    def modes_per_example(self) -> float:
        """Distinct modes that carry weight, mean over examples."""
        return float(self.log_shares.isfinite().sum(1).double().mean())

    def sample(
        self, count: int, *, generator: torch.Generator, independent: bool = False
    ) -> Tensor:
        """`count` latents for each example, in the order of their components: (n, count, d).

        Components are drawn by systematic resampling: each draw has the mixture as its marginal,
        so the mean of the weights stays unbiased, with less noise than independent draws.
        independent: such draws, for arguments that need them.
        """
        n, modes, d = self.means.shape
        shares = self.log_shares.exp().repeat_interleave(2, 1) / 2
        pick = (_independent if independent else systematic)(shares, count, generator=generator)
        noise = torch.randn(n, count, d, generator=generator, dtype=torch.float64)
        noise = noise.to(self.means.device)
        mode, width = pick // 2, noise.new_tensor(self.widths)[pick % 2]
        out = torch.empty_like(noise)
        for r in range(modes):
            out = torch.where((mode == r)[:, :, None], self.means[:, r, None], out)
        return out + width[:, :, None] * self.whiten(noise, mode, back=True)

    def component_log_probs(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """log π_r q_r(z) and its gradient: z (n, K, d) -> (n, K, R), (n, K, R, d)."""
        values, gradients = [], []
        for r in range(self.means.shape[1]):
            white = (z - self.means[:, r, None]) @ self.roots[:, r]
            terms = self._width_terms(white.square().sum(-1), r)
            inverse = terms.new_tensor([s**-2 for s in self.widths])
            slope = (terms.softmax(-1) * inverse).sum(-1)
            values.append(terms.logsumexp(-1) + self.log_shares[:, r, None])
            gradients.append(-slope[..., None] * (white @ self.roots[:, r].mT))
        return torch.stack(values, -1), torch.stack(gradients, -2)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z) of K latents for each example: (n, K, d) -> (n, K)."""
        total = z.new_full(z.shape[:2], -math.inf)
        for r in range(self.means.shape[1]):
            white = (z - self.means[:, r, None]) @ self.roots[:, r]
            terms = self._width_terms(white.square().sum(-1), r)
            total = torch.logaddexp(total, terms.logsumexp(-1) + self.log_shares[:, r, None])
        return total

    def whiten(self, vector: Tensor, component: Tensor, *, back: bool = False) -> Tensor:
        """L⁻¹ v with the factor of each row's component, or L⁻ᵀ v (`back`).

        A gradient in latents goes to whitened coordinates by the first, a velocity in whitened
        coordinates to latents by the second. vector: (n, K, d), component: (n, K).
        """
        out = torch.empty_like(vector)
        for r in range(self.means.shape[1]):
            root = self.roots[:, r].mT if back else self.roots[:, r]
            solved = torch.linalg.solve_triangular(root, vector.mT, upper=back).mT
            out = torch.where((component == r)[:, :, None], solved, out)
        return out

    def _width_terms(self, distance: Tensor, r: int) -> Tensor:
        """log of the two halves of q_r from |Lᵀ(z − z_r)|² (n, K): (n, K, 2)."""
        d = self.means.shape[-1]
        norm = self.roots[:, r].diagonal(dim1=-2, dim2=-1).log().sum(-1)
        norm = norm - 0.5 * d * math.log(2 * math.pi) - math.log(2)
        terms = [norm[:, None] - d * math.log(s) - distance / (2 * s**2) for s in self.widths]
        return torch.stack(terms, -1)


def systematic(shares: Tensor, count: int, *, generator: torch.Generator) -> Tensor:
    """Systematic resampling: shares (n, C), rows summing to 1 -> sorted indices (n, count)."""
    start = torch.rand(len(shares), 1, generator=generator, dtype=torch.float64).to(shares.device)
    steps = torch.arange(count, dtype=torch.float64, device=shares.device)
    edges = shares.cumsum(1) / shares.sum(1, keepdim=True)
    found = torch.searchsorted(edges.contiguous(), (start + steps) / count, right=True)
    return found.clamp_max(shares.shape[1] - 1)


def _independent(shares: Tensor, count: int, *, generator: torch.Generator) -> Tensor:
    """Multinomial resampling: shares (n, C) -> indices (n, count)."""
    drawn = torch.multinomial(shares.cpu(), count, replacement=True, generator=generator)
    return drawn.to(shares.device)
