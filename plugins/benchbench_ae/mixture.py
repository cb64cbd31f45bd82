"""A mixture of Gaussians that follows batches of codes by online EM.

    p(z) = Σ_k π_k N(z; μ_k, Σ_k)
    r_k(z) = π_k N(z; μ_k, Σ_k) / p(z)
    s ← (1 − η) s + η E_batch[r_k (1, z, z zᵀ)],   (π, μ, Σ) from s,   η = (step + 2)^−0.6

"On-line expectation–maximization algorithm for latent data models", Cappé and Moulines, 2009: one
pass costs what a pass of EM costs, but the parameters move after every batch, so fitting can end
wherever its share of a budget does. Centres start by k-means++ ("k-means++: The Advantages of
Careful Seeding", Arthur and Vassilvitskii, 2007). All of it is in float64: a covariance is a small
difference of moments.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["GaussianMixture"]

FLOOR = 1e-6
"""Added to every variance; codes are standardised."""
PRIOR_MASS = 1e-4
"""Share of a component's even part that keeps its first covariance, so that none is singular."""
SEEDS = 4096
"""Codes among which k-means++ chooses."""
ROWS = 4096
"""Codes whose densities are taken at once."""
FORGETTING = 0.6
"""Exponent of η: above 1/2, as the convergence of online EM asks."""


class GaussianMixture(nn.Module):
    """K Gaussians with full covariances in R^d; N(0, I) until `start`."""

    shares: Tensor
    means: Tensor
    covariances: Tensor
    first_variance: Tensor
    mass: Tensor
    sums: Tensor
    products: Tensor

    def __init__(self, dim: int, components: int) -> None:
        super().__init__()
        k, float64 = components, torch.float64
        eye = torch.eye(dim, dtype=float64).expand(k, dim, dim)
        self.register_buffer("shares", torch.full((k,), 1 / k, dtype=float64))
        self.register_buffer("means", torch.zeros(k, dim, dtype=float64))
        self.register_buffer("covariances", eye.clone())
        self.register_buffer("first_variance", torch.ones((), dtype=float64))
        self.register_buffer("mass", torch.full((k,), 1 / k, dtype=float64))
        self.register_buffer("sums", torch.zeros(k, dim, dtype=float64))
        self.register_buffer("products", eye / k)

    @torch.no_grad()
    def start(self, z: Tensor, *, generator: torch.Generator) -> None:
        """Centres among codes z (n, d), n >= 1; one isotropic covariance for all."""
        rows = torch.randperm(len(z), generator=generator, device=z.device)[:SEEDS]
        z = z[rows].double()
        chosen, nearest = [z[0]], z.new_full((len(z),), math.inf)
        for _ in range(len(self.means) - 1):
            nearest = nearest.minimum((z - chosen[-1]).square().sum(dim=1))
            # Where every code is a centre already, any of them will do.
            weights = nearest if float(nearest.sum()) > 0 else torch.ones_like(nearest)
            chosen.append(z[int(torch.multinomial(weights, 1, generator=generator))])
        nearest = nearest.minimum((z - chosen[-1]).square().sum(dim=1))
        self.means.copy_(torch.stack(chosen))
        self.first_variance.copy_(nearest.mean() / z.shape[1] + FLOOR)
        eye = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
        self.covariances.copy_(self.first_variance * eye.expand_as(self.covariances))
        self.shares.fill_(1 / len(self.means))
        self.mass.copy_(self.shares)
        self.sums.copy_(self.mass[:, None] * self.means)
        outer = self.means[:, :, None] * self.means[:, None, :]
        self.products.copy_(self.mass[:, None, None] * (self.covariances + outer))

    @torch.no_grad()
    def follow(self, z: Tensor, step: int) -> Tensor:
        """One step of online EM on codes (n, d): their mean log density before it, nats."""
        z = z.double()
        joint = self._joint(z)
        r = joint.softmax(dim=1)
        eta = (step + 2) ** -FORGETTING
        self.mass.lerp_(r.mean(dim=0), eta)
        self.sums.lerp_(r.T @ z / len(z), eta)
        weighted = (r[:, :, None] * z[:, None, :]).flatten(1)  # (n, K d)
        products = (weighted.T @ z / len(z)).unflatten(0, self.means.shape)
        self.products.lerp_(products, eta)
        self._maximise()
        return joint.logsumexp(dim=1).mean()

    def _maximise(self) -> None:
        """Parameters from the running moments."""
        mass = self.mass.clamp_min(1e-300)[:, None]
        self.shares.copy_(self.mass / self.mass.sum())
        self.means.copy_(self.sums / mass)
        prior = PRIOR_MASS / len(self.mass)
        eye = torch.eye(self.means.shape[1], dtype=self.means.dtype, device=self.means.device)
        outer = self.means[:, :, None] * self.means[:, None, :]
        scatter = self.products - mass[:, :, None] * outer + prior * self.first_variance * eye
        covariances = scatter / (mass[:, :, None] + prior) + FLOOR * eye
        self.covariances.copy_((covariances + covariances.mT) / 2)

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) of codes (n, d): (n,) float64 nats."""
        return torch.cat([self._joint(rows.double()).logsumexp(dim=1) for rows in z.split(ROWS)])

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """n codes (n, d) float64."""
        k = torch.multinomial(self.shares, n, replacement=True, generator=generator)
        noise = torch.randn(
            (n, self.means.shape[1], 1),
            generator=generator,
            device=self.means.device,
            dtype=self.means.dtype,
        )
        roots = torch.linalg.cholesky(self.covariances)
        return self.means[k] + (roots[k] @ noise).squeeze(2)

    def _joint(self, z: Tensor) -> Tensor:
        """log π_k + log N(z; μ_k, Σ_k): (n, d) float64 -> (n, K)."""
        roots = torch.linalg.cholesky(self.covariances)
        eye = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
        whiten = torch.linalg.solve_triangular(roots, eye.expand_as(roots), upper=False)
        # (K, d, d) (K, d, n): every code in the coordinates of every component.
        white = whiten @ (z - self.means[:, None, :]).mT
        log_det = whiten.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        constant = log_det - 0.5 * z.shape[1] * math.log(2 * math.pi) + self.shares.log()
        return (constant[:, None] - 0.5 * white.square().sum(dim=1)).T
