"""A model that is its data's distribution, with everything that a model can declare.

    z = x,   p(z) = 1/m Σ_i N(z; c_i, diag s²)   in model space

The latents are the data themselves, so the encoder and the decoder are the identity, the prior is
the density, and E[Z | X] of Z in noise is closed. A metric that asks a trained model for anything
can be checked on it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from benchbench.api import CAPABILITIES, Config
from benchbench.api.data import DataInfo
from benchbench.api.model import Model
from benchbench.api.training import Training

__all__ = ["TRUE_CAPABILITIES", "Truth"]

TRUE_CAPABILITIES: frozenset[Any] = frozenset(CAPABILITIES) - {"standard_prior"}
NARROW = 1e-3
"""Standard deviation of the encoder."""


class Truth(Model):
    """An equal mixture of Gaussians with known centres and widths."""

    def __init__(self, config: Config, data: DataInfo) -> None:
        super().__init__(config, data)
        self.centres = nn.Parameter(torch.zeros(1, data.dim), requires_grad=False)
        self.widths = nn.Parameter(torch.ones(data.dim), requires_grad=False)

    def set(self, centres: Tensor, widths: Tensor) -> None:
        """centres: (m, D), widths: (D,), in model space."""
        self.centres = nn.Parameter(centres.float(), requires_grad=False)
        self.widths = nn.Parameter(widths.float().clone(), requires_grad=False)

    def fit(self, training: Training) -> None:
        """There is nothing to learn."""

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        """Exact draws; images are clipped."""
        device = generator.device
        mode = torch.randint(len(self.centres), (n,), generator=generator, device=device)
        noise = torch.randn(n, self.data.dim, generator=generator, device=device)
        x = (self.centres[mode] + self.widths * noise).unflatten(1, self.data.shape)
        return x.clamp(-1, 1) if self.data.kind == "image" else x

    def describe(self) -> dict[str, Any]:
        """Facts for a detail."""
        return {"latent_dim": self.data.dim, "prior": "the data's own density"}

    @property
    def latent_dim(self) -> int:
        """D: latents are examples, flattened."""
        return self.data.dim

    def decode(self, z: Tensor) -> Tensor:
        """(n, D) -> (n, *shape)."""
        return z.unflatten(1, self.data.shape)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The example itself, and a narrow width."""
        mean = x.flatten(1)
        return mean, torch.full_like(mean, NARROW)

    def prior_log_prob(self, z: Tensor) -> Tensor:
        """The density of latents (n, D), (n,)."""
        return self._log_density(z, self.widths.square()).logsumexp(1) - math.log(len(self.centres))

    def log_prob(self, x: Tensor) -> Tensor:
        """The density of examples in model space."""
        return self.prior_log_prob(x.flatten(1))

    def elbo(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """The tightest bound there is."""
        return self.log_prob(x)

    def add_noise(self, z: Tensor, t: Tensor, *, generator: torch.Generator) -> Tensor:
        """X = Z + sqrt(t)·ε."""
        noise = torch.randn(z.shape, generator=generator, device=z.device)
        return z + t.sqrt()[:, None] * noise

    def denoise(self, x: Tensor, t: Tensor) -> Tensor:
        """E[Z | X]."""
        squared = self.widths.square()
        noisy = squared + t[:, None]  # (n, D)
        share = self._log_density(x, noisy).softmax(dim=1)  # (n, m)
        return share @ self.centres + squared / noisy * (x - share @ self.centres)

    def _log_density(self, z: Tensor, variance: Tensor) -> Tensor:
        """log N(z; c_i, diag variance) for each mode: (n, m). variance: (D,) or (n, D)."""
        weight = (1 / variance).expand_as(z)
        away = z[:, None, :] - self.centres
        squared = (away.square() * weight[:, None, :]).sum(dim=2)
        log_det = (2 * math.pi * variance).log().expand_as(z).sum(dim=1, keepdim=True)
        return -0.5 * (squared + log_det)
