"""An autoencoder, and a mixture of Gaussians fitted to its codes after training.

    phase `autoencoder`   L = E |x − g(f(x))|² + (λ/2) E |f(x)|²,   weights decay
    phase `density`       p(z) a mixture of Gaussians, by online EM on z = f(x)
    sampling              z ~ p(z),   x = g(z)

"From Variational to Deterministic Autoencoders", Ghosh et al., 2020: an autoencoder has no prior
of its own, and a density fitted to the codes it has gives it one. The fit is a phase of its own, so
the budget pays for it; it ends early where more passes over the codes would change nothing.

Codes are standardised by fixed buffers after the first phase. f is a function, no distribution:
q(z | x) has no width, so the capability `encode`, which promises one, is not declared.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from benchbench.api import DataInfo, Model, Training
from benchbench.nn import ConvDecoder, ConvEncoder, ResidualMLP
from benchbench_ae.config import AeConfig, Settings
from benchbench_ae.mixture import GaussianMixture

__all__ = ["Autoencoder"]

WARMUP = 0.02
"""Share of the first phase over which the learning rate rises; then a cosine to 0."""
DENSITY_BATCH = 1024
SWEEP_ROWS = 1000


class Autoencoder(Model):
    """The model `ae` for points, images and signals; the MLPs see all of them as flat vectors."""

    shift: Tensor
    scale: Tensor

    def __init__(self, config: AeConfig, data: DataInfo) -> None:
        super().__init__(config, data)
        self.settings = s = config.settings(data)
        self.encoder, self.decoder = _networks(data, s)
        self.density = GaussianMixture(s.latent_dim, s.components)
        self.register_buffer("shift", torch.zeros(s.latent_dim))
        self.register_buffer("scale", torch.ones(s.latent_dim))

    # --- training ------------------------------------------------------------------------------

    def fit(self, training: Training) -> None:
        """Both phases; codes are made between them, and the encoder then stays."""
        self._fit_autoencoder(training)
        codes = self._standardised(training)
        self._fit_density(training, codes)

    def _fit_autoencoder(self, training: Training) -> None:
        s = self.settings
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        optimizer = torch.optim.AdamW(
            parameters, lr=s.lr, betas=(0.9, 0.99), weight_decay=s.weight_decay, fused=True
        )
        training.track(optimizer=optimizer)
        for x in training.batches(
            "autoencoder",
            share=1 - s.density_share,
            batch_size=min(s.batch_size, self.data.n_train),
        ):
            optimizer.param_groups[0]["lr"] = s.lr * _rate(training.progress)
            z = self._code(x)
            error = (x - self._reconstruct(z)).flatten(1).square().sum(dim=1).mean()
            loss = error + 0.5 * s.code_weight * z.square().sum(dim=1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            training.log(loss=loss.detach(), error=error.detach())

    @torch.no_grad()
    def _standardised(self, training: Training) -> Tensor:
        """Codes of the training split, (n, d), and the buffers that standardise them."""
        codes = torch.cat([self._code(x) for x in training.sweep(SWEEP_ROWS)])
        self.shift.copy_(codes.double().mean(dim=0))
        self.scale.copy_(codes.double().std(dim=0, correction=0).clamp_min(1e-6))
        return (codes - self.shift) / self.scale

    def _fit_density(self, training: Training, codes: Tensor) -> None:
        s = self.settings
        batch_size = min(DENSITY_BATCH, len(codes))
        last = max(1, s.density_passes * len(codes) // batch_size) - 1
        for z in training.batches(
            "density", share=s.density_share, batch_size=batch_size, source=codes
        ):
            if training.step == 0:  # here and not before the loop: a resumed phase goes on
                self.density.start(codes, generator=training.generator("density"))
            training.log(log_prob=self.density.follow(z, training.step))
            if training.step == last:
                break

    def _code(self, x: Tensor) -> Tensor:
        """(n, *shape) to codes as trained, (n, d) float32."""
        return self.encoder(x if self.settings.conv else x.flatten(1)).float()

    def _reconstruct(self, z: Tensor) -> Tensor:
        """Codes as trained, (n, d), to (n, *shape) float32."""
        x = self.decoder(z).float().reshape(len(z), *self.data.shape)
        return x.tanh() if self.data.kind == "image" else x

    # --- what it can do ------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        """z ~ p(z) through the decoder."""
        return self.decode(self.density.sample(n, generator=generator).float())

    @property
    def latent_dim(self) -> int:
        """d of z."""
        return self.settings.latent_dim

    def decode(self, z: Tensor) -> Tensor:
        """Standardised codes (n, d) to (n, *shape)."""
        return self._reconstruct(z * self.scale + self.shift)

    @torch.no_grad()
    def prior_log_prob(self, z: Tensor) -> Tensor:
        """log p(z) of standardised codes (n, d): (n,) nats."""
        return self.density.log_prob(z).to(z.dtype)

    def describe(self) -> dict[str, Any]:
        """Latent dimension, prior, loss."""
        return {
            "latent_dim": self.latent_dim,
            "prior": f"mixture of {self.settings.components} Gaussians fitted to the codes",
            "loss": "squared error of the reconstruction",
        }


def _networks(data: DataInfo, s: Settings) -> tuple[nn.Module, nn.Module]:
    """Encoder to (n, d) and decoder from it."""
    d, width, depth = s.latent_dim, s.width, s.depth
    if s.conv:
        return (
            ConvEncoder(data.shape, d, width=width, depth=depth),
            ConvDecoder(d, data.shape, width=width, depth=depth),
        )
    return (
        ResidualMLP(data.dim, d, width=width, depth=depth),
        ResidualMLP(d, data.dim, width=width, depth=depth),
    )


def _rate(progress: float) -> float:
    """Learning rate over its peak: a short rise, then a cosine down."""
    if progress < WARMUP:
        return max(0.02, progress / WARMUP)
    return 0.5 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP)))
