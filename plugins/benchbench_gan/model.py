"""A generative adversarial network with regularised training.

    x = G(z),   z ~ N(0, I);   the critic D tells x from data, and G follows ∇_x D(x)

The recipe is that of "The GAN is dead; long live the GAN! A Modern GAN Baseline" (Huang et al.,
2024): a relativistic loss with zero-centred gradient penalties on real and on generated examples
(`benchbench_gan.losses`), Adam without momentum, a penalty that weakens as training goes on, and
an average of the generator's weights to sample from. Options and what they come from:

- the penalty every k-th step with k times the weight: "Analyzing and Improving the Image Quality
  of StyleGAN", Karras et al., 2020 (lazy regularisation);
- noise on everything the critic sees, falling to 0: "Amortised MAP Inference for Image
  Super-resolution", Sønderby et al., 2017 (instance noise);
- packing: PacGAN, in `benchbench_gan.networks` and `benchbench_gan.convolutional`;
- differentiable augmentation, in `benchbench_gan.augment`.

Both players step on the same scores: one pass of the critic over real and over generated
examples gives the critic's gradient and, at the same parameters, the generator's. That is
simultaneous gradient descent, the setting of the convergence proof for these penalties
(Mescheder et al., 2018), and saves the critic's second pass.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from benchbench.api import DataInfo, Model, Training, UsageError
from benchbench.nn import EMA
from benchbench_gan.augment import augment
from benchbench_gan.config import GanConfig, Settings
from benchbench_gan.convolutional import ConvCritic, ConvGenerator
from benchbench_gan.losses import (
    critic_loss,
    generator_loss,
    gradient,
    one_centred,
    zero_centred,
)
from benchbench_gan.networks import Critic, Generator

__all__ = ["Gan", "rate"]

WARMUP, PLATEAU, LAST_RATE = 0.02, 0.3, 0.02
"""Learning rate: rises until WARMUP, holds until PLATEAU, ends at LAST_RATE of its peak."""
NOISE_ENDS, PENALTY_SETTLES = 0.8, 0.9
"""Progress at which the instance noise reaches 0 and the penalty's weight its last value."""


class Gan(Model):
    """The GAN for points, images and signals.

    Images of 16 pixels a side and more meet convolutions; all else are flat vectors.
    """

    def __init__(self, config: GanConfig, data: DataInfo) -> None:
        super().__init__(config, data)
        self.settings = s = config.settings(data.kind, data.shape)
        self.generator, self.critic = players(data, s)
        self.average = EMA(self.generator, s.ema_decay)

    # --- training ------------------------------------------------------------------------------

    def fit(self, training: Training) -> None:
        """Steps of both players until the budget is spent."""
        s = self.settings
        betas = (s.beta1, s.beta2)
        if s.convolved and training.device.type == "cuda":
            self.to(memory_format=torch.channels_last)
        for_generator = torch.optim.Adam(
            self.generator.parameters(), lr=s.lr_generator, betas=betas, fused=True
        )
        for_critic = torch.optim.Adam(
            self.critic.parameters(), lr=s.lr_critic, betas=betas, fused=True
        )
        training.track(generator_optimizer=for_generator, critic_optimizer=for_critic)
        noise = training.generator("noise")
        for x in training.batches("gan", batch_size=self._batch_size()):
            step, progress = training.step, training.progress
            for_generator.param_groups[0]["lr"] = s.lr_generator * rate(progress)
            for_critic.param_groups[0]["lr"] = s.lr_critic * rate(progress)
            both_play = (step + 1) % s.critic_steps == 0
            with torch.set_grad_enabled(both_play):
                fake = self.generator(_normal((len(x), s.latent_dim), noise, x))
                fake = augment(fake, s.augment, noise)
            x = augment(x, s.augment, noise)
            weight = self._penalty_weight(step, progress)
            real, shown = (self._noised(v, progress, noise) for v in (x, fake.detach()))
            with self._precision(weight):
                loss, penalty, push = self._critique(real, shown, weight, noise, both_play)
            if push is not None:
                for_generator.zero_grad()
                fake.backward(push)
                for_generator.step()
                self.average.update(self.generator)
            for_critic.zero_grad()
            (loss + penalty).backward(inputs=list(self.critic.parameters()))
            for_critic.step()
            training.log(loss=loss, penalty=penalty)

    def _critique(
        self, real: Tensor, fake: Tensor, weight: float, noise: torch.Generator, push: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """One pass of the critic over real and fake, (n, *shape) each.

        weight: of the gradient penalty in this step. push: whether the generator steps too.

        Returns the critic's loss, its weighted penalty, and the gradient of the generator's loss
        in the fake examples, (n, *shape), or None.
        """
        kind = self.settings.loss
        real, fake = real.requires_grad_(weight > 0), fake.requires_grad_()
        # Two calls, not one on both joined: the gradient in fake then costs no pass through real.
        r, f = self.critic(real), self.critic(fake)
        pushed = None
        if push:
            target = generator_loss(kind, r.detach(), f)
            (pushed,) = torch.autograd.grad(target, fake, retain_graph=True)
        penalty = real.new_zeros(())
        if weight > 0:
            penalty = weight * self._penalty(real, fake, r, f, noise)
        return critic_loss(kind, r, f), penalty, pushed

    def _penalty(
        self, real: Tensor, fake: Tensor, r: Tensor, f: Tensor, noise: torch.Generator
    ) -> Tensor:
        """The gradient penalty without its weight; r and f are the scores of real and fake."""
        name = self.settings.penalty
        if name == "wgan-gp":
            pack = self.settings.pack
            u = torch.rand((len(r),) + (1,) * (real.ndim - 1), generator=noise, device=real.device)
            u = u.repeat_interleave(pack, dim=0)
            between = real.lerp(fake, u).detach().requires_grad_()
            return one_centred(gradient(self.critic(between), between))
        total = zero_centred(gradient(r, real))
        return total + zero_centred(gradient(f, fake)) if name == "r1r2" else total

    def _penalty_weight(self, step: int, progress: float) -> float:
        """γ of this step: geometric in progress, times the period on the steps that have one."""
        s = self.settings
        if s.penalty == "none" or step % s.penalty_period:
            return 0.0
        return s.penalty_period * s.gamma * s.gamma_decay ** min(1.0, progress / PENALTY_SETTLES)

    def _precision(self, weight: float) -> AbstractContextManager[Any]:
        """float32 for convolutions on the steps with a penalty: bfloat16's three digits are too
        few for a gradient's gradient. Elsewhere what the harness set."""
        if self.settings.convolved and weight > 0:
            return torch.autocast(next(self.parameters()).device.type, enabled=False)
        return nullcontext()

    def _noised(self, x: Tensor, progress: float, noise: torch.Generator) -> Tensor:
        """x with instance noise: (n, *shape)."""
        sigma = self.settings.instance_noise * max(0.0, 1 - progress / NOISE_ENDS)
        return x + sigma * _normal(x.shape, noise, x) if sigma > 0 else x

    def _batch_size(self) -> int:
        """The largest multiple of the pack that neither the option nor the data forbid."""
        pack, most = self.settings.pack, min(self.settings.batch_size, self.data.n_train)
        if most < pack:
            raise UsageError(
                f"gan.pack = {pack} is more than a batch of {most}; allowed: at most {most}"
            )
        return most // pack * pack

    # --- what it can do ------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        """z ~ N(0, I) through the averaged generator."""
        like = next(self.average.parameters())
        x = self.decode(_normal((n, self.latent_dim), generator, like))
        return x.clamp(-1, 1) if self.data.kind == "image" else x

    @property
    def latent_dim(self) -> int:
        """d of z."""
        return self.settings.latent_dim

    def decode(self, z: Tensor) -> Tensor:
        """(n, d) to the averaged generator's output: (n, *shape)."""
        return self.average.module(z)

    def describe(self) -> dict[str, Any]:
        """Latent dimension, prior, loss, penalty, pack."""
        s = self.settings
        return {
            "latent_dim": self.latent_dim,
            "prior": "N(0, I)",
            "loss": f"{s.loss}, gradient penalty {s.penalty}",
            "pack": s.pack,
            "critic_steps": s.critic_steps,
        }


def players(data: DataInfo, s: Settings) -> tuple[Generator | ConvGenerator, Critic | ConvCritic]:
    """Generator and critic for data of this shape."""
    if s.convolved:
        return ConvGenerator(data.shape, s), ConvCritic(data.shape, s)
    return Generator(data.shape, s, bounded=data.kind == "image"), Critic(data.dim, s)


def rate(progress: float) -> float:
    """Learning rate over its peak: a short rise, a plateau, a cosine down."""
    if progress < WARMUP:
        return max(0.02, progress / WARMUP)
    falling = max(0.0, progress - PLATEAU) / (1 - PLATEAU)
    return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * falling))


def _normal(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal numbers of this shape, with the device and type of `like`."""
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
