"""Diffusion in data space: the process of `ldm` with the identity in place of the autoencoder.

    Z = (x − m)/k,   X = Z + σ·ε,   Ẑ = f(X, σ²)

"Denoising Diffusion Probabilistic Models", Ho et al., 2020, in the continuous-time form of
"Elucidating the Design Space of Diffusion-Based Generative Models", Karras et al., 2022. Points
and signals are standardised as they come (m = 0, k = 1); images lose their mean image and are
divided by one number. Images are dequantised anew in each batch, so the density is that of the
dequantised image that every likelihood here is stated for.

Every kind of data is a flat vector and f is the residual MLP of `ldm`, for images too: a U-Net's
convolutions at every one of a few dozen evaluations cost a one-thread CPU more than a budget of
minutes holds.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from benchbench.api.data import DataInfo
from benchbench.api.training import Training
from benchbench.nn.compiled import compiled_forward
from benchbench_ldm.config import DDPMConfig, DDPMSampling
from benchbench_ldm.diffusion import Denoiser, Diffusion, inject_noise
from benchbench_ldm.process import DiffusionModel, least_sigma
from benchbench_ldm.sizes import DataSpaceSizes
from benchbench_ldm.solvers import evaluations

__all__ = ["DataDiffusion"]

SWEEP = 1024
"""Examples read at once for the moments of the training split."""


class DataDiffusion(DiffusionModel):
    """The model `ddpm`. Outside, X is in model space, flat; inside, in standard deviations."""

    shift: Tensor
    scale: Tensor

    def __init__(self, config: DDPMConfig, data: DataInfo) -> None:
        super().__init__(config, data)
        self.sizes = sizes = DataSpaceSizes.choose(config, data)
        self.register_buffer("shift", torch.zeros(data.dim))
        self.register_buffer("scale", torch.ones(()))
        denoiser = Denoiser(
            data.dim,
            width=sizes.width,
            depth=sizes.depth,
            fourier=sizes.fourier,
            fourier_scale=config.fourier_scale,
        )
        self.diffusion = Diffusion(
            denoiser,
            sigma_max=sizes.sigma_max,
            weighting=config.weighting,
            ema_decay=config.ema_decay,
        )

    # --- training ------------------------------------------------------------------------------

    def fit(self, training: Training) -> None:
        """One phase, after a look at the moments of the training split."""
        with compiled_forward(self.diffusion.denoiser, enabled=self.config.compile):
            self._look(torch.cat([x.flatten(1) for x in training.sweep(SWEEP)]))
            self._fit_diffusion(
                training,
                "diffusion",
                self._standardised,
                share=1.0,
                batch_size=min(self.sizes.batch_size, self.data.n_train),
                rate=self.sizes.learning_rate,
            )

    @torch.no_grad()
    def _look(self, x: Tensor) -> None:
        """Set the buffers from the training split, (n, D)."""
        noise = 0.0
        if self.data.levels is not None:
            noise = self._step / math.sqrt(12)
            self.shift.copy_(x.double().mean(dim=0))
            variance = x.double().var(dim=0, correction=0).mean() + noise**2
            self.scale.copy_(variance.sqrt().clamp_min(1e-6))
        std = x.new_full((1, self.data.dim), noise) / self.scale
        self.diffusion.set_latents((x - self.shift) / self.scale, std, sigma_min=least_sigma(std))

    @property
    def _step(self) -> float:
        """From one level of an image to the next, in model space."""
        assert self.data.levels is not None
        return 2 / (self.data.levels - 1)

    def _standardised(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Z of a batch (b, *shape), images with uniform noise of one level's width: (b, D)."""
        x = x.flatten(1)
        if self.data.levels is not None:
            u = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            x = x + self._step * (u - 0.5)
        return (x - self.shift) / self.scale

    # --- the trained model ---------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        """(n, *shape); images clamped to [−1, 1]. sampling: fields of `DDPMSampling`."""
        z = self._solve(n, DDPMSampling(**sampling), generator)
        x = (z * self.scale + self.shift).unflatten(1, self.data.shape)
        return x.clamp(-1, 1) if self.data.kind == "image" else x

    def nfe(self, **sampling: Any) -> int:
        """Evaluations of the denoiser for one sample."""
        options = DDPMSampling(**sampling)
        return evaluations(options.sampler, options.steps)

    def describe(self) -> dict[str, Any]:
        """Facts for the score detail; noise levels in standard deviations of the data."""
        return {
            "latent_dim": self.data.dim,
            "prior": "none: the process runs in data space",
            "loss": f"mean squared error of the denoised data, weighting {self.config.weighting}",
            **self._sigmas(),
        }

    def log_prob(self, x: Tensor) -> Tensor:
        """ln p(x) in model space through the probability-flow ODE: (n, *shape) -> (n,) nats.

        Raises NotAvailable above `likelihood.MAX_DIM` dimensions.
        """
        z = (x.flatten(1) - self.shift) / self.scale
        return self._log_density(z) - self.data.dim * self.scale.log()

    def add_noise(self, z: Tensor, t: Tensor, *, generator: torch.Generator) -> Tensor:
        """X = Z + sqrt(t)·ε in model space. z: (n, D), t: (n,) -> (n, D)."""
        return inject_noise(z, t, generator=generator)

    def denoise(self, x: Tensor, t: Tensor) -> Tensor:
        """Ẑ in model space. x: (n, D), t: (n,) -> (n, D)."""
        z = self.diffusion.denoise((x - self.shift) / self.scale, t.sqrt() / self.scale)
        return z * self.scale + self.shift
