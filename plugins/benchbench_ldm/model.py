"""Latent diffusion: an autoencoder, and a diffusion process as the prior of its latents.

    phase `autoencoder`   q(z | x), x̂ = g(z)              reconstruction with a small KL term
    phase `prior`         X = Z + sqrt(t)·ε, Ẑ = f(X, t)   on z ~ q(z | x), drawn anew each batch
    sampling              X at σ_max → Z at σ = 0 → x̂ = g(Z)

"High-Resolution Image Synthesis with Latent Diffusion Models", Rombach et al., 2022, with vector
latents. All kinds of data are flattened to vectors of length D. Short ones (D <= 8: points) keep
their dimension, an autoencoder that begins as the identity, and Fourier features; longer ones
(small images, signals) pass a bottleneck. Images of 16 pixels a side and more pass convolutions
(`images.py`) and an autoencoder that also has to get past a critic (`adversarial.py`); where
diffusers' networks are asked for, latents lie on a grid.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchbench.api.data import DataInfo
from benchbench.api.training import Training
from benchbench.nn.compiled import compiled_forward
from benchbench_ldm.adversarial import PatchCritic, duel, scaled
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
from benchbench_ldm.process import DiffusionModel, adamw, descend, least_sigma, set_rate
from benchbench_ldm.sizes import Sizes
from benchbench_ldm.solvers import evaluations

__all__ = ["LatentDiffusion"]

ADVERSARIAL_BETAS = (0.5, 0.99)
"""Of Adam for the autoencoder and its critic: less momentum than alone, as GANs want it."""


class LatentDiffusion(DiffusionModel):
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
        self.critic: PatchCritic | None = None
        if self.sizes.ae_adversarial:
            self.critic = PatchCritic(data.shape, width=self.sizes.ae_critic_width)

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
            self.diffusion.set_latents(mean, std, sigma_min=least_sigma(std))
            self._fit_diffusion(
                training,
                "prior",
                _posterior_draw,
                share=1 - self.sizes.ae_share,
                batch_size=self.sizes.batch_size,
                rate=self.sizes.learning_rate,
                source=(mean, std),
            )

    def _fit_autoencoder(self, training: Training) -> None:
        sizes, rate = self.sizes, self.sizes.ae_learning_rate
        noise = training.generator("posterior")
        optimizer = adamw(self.autoencoder, rate)
        training.track(autoencoder_optimizer=optimizer)
        rival = None
        if self.critic is not None:
            optimizer.param_groups[0]["betas"] = ADVERSARIAL_BETAS
            rival = adamw(self.critic, rate)
            rival.param_groups[0]["betas"] = ADVERSARIAL_BETAS
            training.track(critic_optimizer=rival)
        for x in training.batches(
            "autoencoder", share=sizes.ae_share, batch_size=sizes.ae_batch_size
        ):
            set_rate(optimizer, rate, training.progress)
            if rival is None:
                loss = self.autoencoder.loss(
                    x.flatten(1), kl_weight=sizes.kl_weight, generator=noise
                )
            else:
                set_rate(rival, rate, training.progress)
                loss = self._against_critic(x, rival, noise, training.step)
            descend(optimizer, loss)
            training.log(loss=loss.detach())

    def _against_critic(
        self, x: Tensor, rival: torch.optim.Optimizer, noise: torch.Generator, step: int
    ) -> Tensor:
        """The autoencoder's loss with the critic's pull in it, after the critic's own step.

        x: (n, *shape) -> ().
        """
        assert self.critic is not None
        rebuilt, kl = self.autoencoder.rebuild(x.flatten(1), generator=noise)
        rebuilt = rebuilt.unflatten(1, self.data.shape)
        loss, push = duel(self.critic, x, rebuilt, step=step)
        push = scaled(push, x, rebuilt, self.sizes.ae_adversarial)
        rival.zero_grad()
        loss.backward(inputs=list(self.critic.parameters()))
        rival.step()
        error = (x - rebuilt).square().flatten(1).sum(dim=1)
        plain = (error + self.sizes.kl_weight * kl).mean()
        pull = (push * rebuilt).sum()
        return plain + pull - pull.detach()  # its gradient counts, its value says nothing

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

    def nfe(self, **sampling: Any) -> int:
        """Evaluations of the denoiser for one sample; the decoder's single pass is not counted."""
        options = LDMSampling(**sampling)
        return 0 if options.prior == "gaussian" else evaluations(options.sampler, options.steps)

    def describe(self) -> dict[str, Any]:
        """Facts for the score detail."""
        return {
            "latent_dim": self.latent_dim,
            "prior": "diffusion" if self.sizes.no_trace else "probability-flow ODE, exact trace",
            "loss": f"mean squared error of the denoised latent, weighting {self.config.weighting}",
            **self._sigmas(),
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
        return self._log_density(z)

    def add_noise(self, z: Tensor, t: Tensor, *, generator: torch.Generator) -> Tensor:
        """X = Z + sqrt(t)·ε. z: (n, d), t: (n,) -> (n, d)."""
        return inject_noise(z, t, generator=generator)

    def denoise(self, x: Tensor, t: Tensor) -> Tensor:
        """Ẑ = f(X, t). x: (n, d), t: (n,) -> (n, d)."""
        return self.diffusion.denoise(x, t.sqrt())


def _posterior_draw(batch: tuple[Tensor, Tensor], generator: torch.Generator) -> Tensor:
    """z ~ q(z | x) from its mean and standard deviation, (b, d) each."""
    centre, spread = batch
    noise = torch.randn(centre.shape, generator=generator, device=centre.device, dtype=centre.dtype)
    return centre + spread * noise
