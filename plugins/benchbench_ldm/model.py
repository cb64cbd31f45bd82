"""Latent diffusion: an autoencoder, and a diffusion process as the prior of its latents.

    phase `autoencoder`   q(z | x), x̂ = g(z)              reconstruction with a small KL term
    phase `prior`         X = Z + sqrt(t)·ε, Ẑ = f(X, t)   on z ~ q(z | x), drawn anew each batch
    sampling              X at σ_max → Z at σ = 0 → x̂ = g(Z)

"High-Resolution Image Synthesis with Latent Diffusion Models", Rombach et al., 2022, with vector
latents. All kinds of data are flattened to vectors of length D. Short ones (D <= 8: points) keep
their dimension, an autoencoder that begins as the identity, and Fourier features; longer ones
(small images, signals) pass a bottleneck. Images of 16 pixels a side and more pass convolutions
(`images.py`), and where diffusers' networks are asked for, latents lie on a grid.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchbench.api import NotAvailable
from benchbench.api.data import DataInfo
from benchbench.api.model import Model
from benchbench.api.training import Training
from benchbench.nn.compiled import compiled_forward
from benchbench_ldm.autoencoder import Autoencoder
from benchbench_ldm.config import LDMConfig, LDMSampling
from benchbench_ldm.diffusion import Denoiser, Diffusion, Preconditioned, inject_noise
from benchbench_ldm.images import (
    ImageDecoder,
    ImageEncoder,
    UNetDenoiser,
    kl_networks,
    latent_grid,
)
from benchbench_ldm.likelihood import ode_log_prob
from benchbench_ldm.sizes import Sizes
from benchbench_ldm.solvers import evaluations, noise_levels, solve

__all__ = ["LatentDiffusion"]

WARM_UP = 0.03
"""Share of a phase in which its learning rate rises; it falls to zero over the rest."""
FLOOR = 0.5
"""σ_min over the width of q(z | x): no structure finer than the posterior's own noise is left."""
LEAST_SIGMA = 2e-3
"""The smallest σ_min, in standard deviations of the latents."""


class LatentDiffusion(Model):
    """The model `ldm`. Latents are standardised: encoder, diffusion and decoder share one space."""

    def __init__(self, config: LDMConfig, data: DataInfo) -> None:
        super().__init__(config, data)
        self.sizes = Sizes.choose(config, data)
        self.autoencoder = self._autoencoder()
        denoiser = self._denoiser()
        self.diffusion = Diffusion(
            denoiser,
            sigma_max=config.sigma_max,
            weighting=config.weighting,
            ema_decay=config.ema_decay,
        )

    def _autoencoder(self) -> Autoencoder:
        sizes, shape = self.sizes, self.data.shape
        d, width, depth = sizes.latent_dim, sizes.ae_width, sizes.ae_depth
        networks: tuple[nn.Module, nn.Module] | None = None
        if sizes.autoencoder == "conv":
            networks = (
                ImageEncoder(shape, d, width=width, depth=depth),
                ImageDecoder(shape, d, width=width, depth=depth),
            )
        elif sizes.autoencoder == "diffusers":
            networks = kl_networks(shape, latent_grid(shape, d), width=width, depth=depth)
        return Autoencoder(self.data.dim, d, width=width, depth=depth, networks=networks)

    def _denoiser(self) -> Preconditioned:
        sizes, config = self.sizes, self.config
        if sizes.denoiser == "unet":
            grid = latent_grid(self.data.shape, sizes.latent_dim)
            return UNetDenoiser(grid, width=sizes.width, depth=sizes.depth)
        return Denoiser(
            sizes.latent_dim,
            width=sizes.width,
            depth=sizes.depth,
            fourier=sizes.fourier,
            fourier_scale=config.fourier_scale,
        )

    # --- training ------------------------------------------------------------------------------

    def fit(self, training: Training) -> None:
        """Two phases; the latents are encoded between them, and the encoder then stays."""
        auto, denoiser = self.autoencoder, self.diffusion.denoiser
        networks = (auto.encoder, auto.decoder, denoiser)
        with compiled_forward(*networks, enabled=self.config.compile):
            self._fit_autoencoder(training)
            mean, std = self.autoencoder.standardise(
                x.flatten(1) for x in training.sweep(self.sizes.sweep)
            )
            floor = FLOOR * float(std.log().mean().exp())
            self.diffusion.set_latents(mean, std, sigma_min=max(LEAST_SIGMA, floor))
            self._fit_prior(training, mean, std)

    def _fit_autoencoder(self, training: Training) -> None:
        sizes, rate = self.sizes, self.sizes.ae_learning_rate
        noise = training.generator("posterior")
        optimizer = _adamw(self.autoencoder, rate)
        training.track(autoencoder_optimizer=optimizer)
        for x in training.batches(
            "autoencoder", share=sizes.ae_share, batch_size=sizes.ae_batch_size
        ):
            _set_rate(optimizer, rate, training.progress)
            loss = self.autoencoder.loss(x.flatten(1), kl_weight=sizes.kl_weight, generator=noise)
            _descend(optimizer, loss)
            training.log(loss=loss.detach())

    def _fit_prior(self, training: Training, mean: Tensor, std: Tensor) -> None:
        rate = self.sizes.learning_rate
        noise = training.generator("diffusion")
        optimizer = _adamw(self.diffusion.denoiser, rate)
        training.track(prior_optimizer=optimizer)
        for centre, spread in training.batches(
            "prior",
            share=1 - self.sizes.ae_share,
            batch_size=self.sizes.batch_size,
            source=(mean, std),
        ):
            _set_rate(optimizer, rate, training.progress)
            z = centre + spread * torch.randn(
                centre.shape, generator=noise, device=centre.device, dtype=centre.dtype
            )
            loss = self.diffusion.loss(z, generator=noise)
            _descend(optimizer, loss)
            self.diffusion.ema.update(self.diffusion.denoiser)
            training.log(loss=loss.detach())

    # --- the trained model ---------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        """(n, *shape); images clamped to [−1, 1]. sampling: fields of `LDMSampling`."""
        options = LDMSampling(**sampling)
        if options.prior == "gaussian":
            z = self.diffusion.draw_gaussian(n, generator=generator)
        else:
            z = self._solve(n, options, generator)
        x = self.decode(z)
        return x.clamp(-1, 1) if self.data.kind == "image" else x

    def _solve(self, n: int, options: LDMSampling, generator: torch.Generator) -> Tensor:
        """Latents by the diffusion prior, (n, d)."""
        low, high = float(self.diffusion.sigma_min), self.diffusion.sigma_max
        return solve(
            self.diffusion.denoise,
            self.diffusion.draw_start(n, generator=generator),
            noise_levels(options.steps, low, high, options.rho),
            churn=options.churn if options.sampler == "stochastic" else 0.0,
            generator=generator,
        )

    def nfe(self, **sampling: Any) -> int:
        """Evaluations of the denoiser for one sample; the decoder's single pass is not counted."""
        options = LDMSampling(**sampling)
        return 0 if options.prior == "gaussian" else evaluations(options.steps)

    def describe(self) -> dict[str, Any]:
        """Facts for the score detail."""
        return {
            "latent_dim": self.latent_dim,
            "prior": "diffusion" if self.sizes.no_trace else "probability-flow ODE, exact trace",
            "loss": f"mean squared error of the denoised latent, weighting {self.config.weighting}",
            "sigma_min": float(self.diffusion.sigma_min),
            "sigma_max": self.diffusion.sigma_max,
        }

    @property
    def latent_dim(self) -> int:
        """The dimension d of a latent."""
        return self.sizes.latent_dim

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, *shape) -> mean and standard deviation of q(z | x), (n, d) each."""
        return self.autoencoder.encode(x.flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        """(n, d) -> x̂ (n, *shape), not clamped, so that its gradient never vanishes."""
        return self.autoencoder.decode(z).unflatten(1, self.data.shape)

    def prior_log_prob(self, z: Tensor) -> Tensor:
        """ln p(z) through the probability-flow ODE with exact trace: (n, d) -> (n,) nats.

        Raises NotAvailable above `likelihood.MAX_DIM` dimensions, and for a U-Net.
        """
        denoiser = self.diffusion.ema.module
        if not isinstance(denoiser, Denoiser):
            raise NotAvailable(
                "exact likelihood through a U-Net costs too much: its trace has no closed form, "
                "and an estimated one would bias importance weights; use denoiser=mlp"
            )
        return ode_log_prob(
            denoiser,
            z,
            sigma_min=float(self.diffusion.sigma_min),
            sigma_max=self.diffusion.sigma_max,
            covariance=self.diffusion.covariance,
            trace=denoiser.trace,
        )

    def add_noise(self, z: Tensor, t: Tensor, *, generator: torch.Generator) -> Tensor:
        """X = Z + sqrt(t)·ε. z: (n, d), t: (n,) -> (n, d)."""
        return inject_noise(z, t, generator=generator)

    def denoise(self, x: Tensor, t: Tensor) -> Tensor:
        """Ẑ = f(X, t). x: (n, d), t: (n,) -> (n, d)."""
        return self.diffusion.denoise(x, t.sqrt())


def _adamw(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        module.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
    )


def _set_rate(optimizer: torch.optim.Optimizer, rate: float, progress: float) -> None:
    """Linear warm-up, then linear decay to zero. progress: in [0, 1]."""
    factor = min((progress + 1e-3) / WARM_UP, (1 - progress) / (1 - WARM_UP), 1.0)
    for group in optimizer.param_groups:
        group["lr"] = rate * max(factor, 0.0)


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
