"""Latent priors as mixtures of Gaussians, the form that a Gauss–Newton proposal can use.

p(z) = Σ_c π_c N(z; m_c, P_c⁻¹)

N(0, I) is the mixture of one. A prior that is itself a network (a diffusion model's, known by
value only and at a cost) is stood in for by a mixture fitted to encoded samples of the model:
proposals and σ's search use the stand-in, the final weights use the true density.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

__all__ = ["MixturePrior"]

_GLOBAL_SHARE = 0.05
# Components and least variance (latents whitened): many sharp pieces in few dimensions, fewer and
# smoother ones where there are too few latents to tell pieces apart.
_MIXTURES = ((48, 1e-5), (24, 1e-5), (24, 0.05), (12, 0.05))


@dataclass(frozen=True)
class MixturePrior:
    """log_shares: (C,) log π_c; means: (C, d); roots: (C, d, d) lower Cholesky factors of P_c."""

    log_shares: Tensor
    means: Tensor
    roots: Tensor

    @classmethod
    def standard(cls, dim: int, device: torch.device | str = "cpu") -> MixturePrior:
        """N(0, I) in R^dim.

        >>> MixturePrior.standard(2).log_prob(torch.zeros(1, 2, dtype=torch.float64)).item()
        -1.8378770664093453
        """
        eye = torch.eye(dim, dtype=torch.float64, device=device)
        return cls(eye.new_zeros(1), eye.new_zeros(1, dim), eye[None])

    @classmethod
    def fitted(cls, z: Tensor, *, generator: torch.Generator) -> MixturePrior:
        """A mixture fitted to latents z (n, d) by EM, and one broad component of all of them.

        The broad component (covariance of z, doubled) keeps the tails of a proposal covered.
        """
        mean, scale = z.mean(0), z.std(0).clamp_min(1e-6)
        white = ((z - mean) / scale).cpu()
        seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
        fit = _best_mixture(white.numpy(), seed)
        covariances = torch.cat([torch.from_numpy(fit.covariances_), 2 * white.T.cov()[None]])
        covariances[-1].diagonal().add_(1e-5)
        means = torch.cat([torch.from_numpy(fit.means_), torch.zeros(1, z.shape[1]).double()])
        shares = torch.cat([torch.from_numpy(fit.weights_), torch.zeros(1).double()])
        shares = shares * (1 - _GLOBAL_SHARE)
        shares[-1] = _GLOBAL_SHARE
        # Back from the whitened coordinates: P = D⁻¹ P_white D⁻¹, and so is its factor.
        roots = torch.linalg.cholesky(torch.linalg.inv(covariances)).to(z.device)
        return cls(
            shares.log().to(z.device),
            means.to(z.device) * scale + mean,
            roots / scale[:, None],
        )

    @property
    def dim(self) -> int:
        """d."""
        return self.means.shape[1]

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z): (..., d) -> (...), nats."""
        flat = z.reshape(-1, self.dim)
        total = flat.new_full((len(flat),), -math.inf)
        for c in range(len(self.means)):
            total = torch.logaddexp(total, self._joint(flat, c))
        return total.reshape(z.shape[:-1])

    def gradient(self, z: Tensor) -> Tensor:
        """∇ log p(z): (n, d) -> (n, d)."""
        joint = torch.stack([self._joint(z, c) for c in range(len(self.means))], dim=1)
        share = joint.softmax(1)
        pulls = torch.stack(
            [
                (mean - z) @ root @ root.mT
                for mean, root in zip(self.means, self.roots, strict=True)
            ],
            dim=1,
        )
        return (share[:, :, None] * pulls).sum(1)

    def likeliest(self, z: Tensor, count: int) -> Tensor:
        """The components most responsible for each z (n, d): indices (n, count).

        Where count > 1 the last of them is the mixture's last component, the broad one.
        """
        last = len(self.means) - 1
        if last == 0:
            return torch.zeros(len(z), 1, dtype=torch.int64, device=z.device)
        joint = torch.stack([self._joint(z, c) for c in range(last)], dim=1)
        top = joint.topk(max(1, min(count - 1, last)), dim=1).indices
        return torch.cat([top, torch.full_like(top[:, :1], last)], dim=1)[:, :count]

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """n draws: (n, d) float64."""
        device = generator.device
        shares = self.log_shares.exp().to(device)
        index = torch.multinomial(shares, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.dim, generator=generator, device=device, dtype=torch.float64)
        index, noise = index.to(self.means.device), noise.to(self.means.device)
        out = torch.empty_like(noise)
        for c in index.unique().tolist():
            rows = index == c
            white = torch.linalg.solve_triangular(self.roots[c].mT, noise[rows].mT, upper=True)
            out[rows] = self.means[c] + white.mT
        return out

    def _joint(self, z: Tensor, c: int) -> Tensor:
        """log π_c N(z; m_c, P_c⁻¹): (n, d) -> (n,)."""
        white = (z - self.means[c]) @ self.roots[c]
        norm = self.roots[c].diagonal().log().sum() - 0.5 * self.dim * math.log(2 * math.pi)
        return self.log_shares[c] + norm - 0.5 * white.square().sum(-1)


def _best_mixture(white: np.ndarray, seed: int) -> GaussianMixture:
    """Of a few sizes and floors of the variance, the one that explains a held-out fifth best."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    n, dim = white.shape
    held = n // 5
    best, best_score = None, -math.inf
    for count, floor in _MIXTURES:
        # k-means++ seeding, not k-means: its threaded sums are not the same bits every time.
        fit = GaussianMixture(
            max(1, min(count, n // (4 * dim))),
            reg_covar=floor,
            init_params="k-means++",
            max_iter=30,
            tol=1e-2,
            random_state=seed,
        )
        with warnings.catch_warnings():
            # EM stopped early is good enough for a proposal.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit.fit(white[held:])
        score = fit.score(white[:held])
        if best is None or score > best_score:
            best, best_score = fit, score
    return best
