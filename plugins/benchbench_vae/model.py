"""A variational autoencoder with learned observation noise.

    p(z) = N(0, I),   p(x | z) = N(μ(z), σ² I),   q(z | x) = N(m(x), diag s(x)²)
    log p(x) >= E_q[log p(x | z)] − KL(q(z | x) ‖ p(z))

"Auto-Encoding Variational Bayes", Kingma and Welling, 2014. σ is one number for all dimensions,
learned from the data: given the networks, the bound is largest at σ² = the mean squared error of
the reconstructions, so σ² follows a running mean of it ("Simple and Effective VAE Training with
Calibrated Decoders", Rybkin et al., 2021, the optimal σ-VAE). One σ and not one a dimension,
because a pixel that is always black would drive its own σ to 0 and the bound to infinity.

The KL term's weight grows from a small value to 1 early in training ("Generating Sentences from a
Continuous Space", Bowman et al., 2016): with standardised data and σ near 1, ignoring z is a
local optimum. From then on the loss is the negative bound itself.

A data set of a thousand images is soon known by heart: the encoder then places held-out images
wrongly. So in training the encoder sees images through Gaussian noise ("Denoising Criterion for
Variational Auto-Encoding Framework", Im et al., 2017), and all weights decay (AdamW, "Decoupled
Weight Decay Regularization", Loshchilov and Hutter, 2019), which also evens out the modes.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from benchbench.api import DataInfo, Model, Training
from benchbench.nn.compiled import compiled_forward
from benchbench_vae.config import VaeConfig
from benchbench_vae.networks import Decoder, Encoder, ImageDecoder, ImageEncoder

__all__ = ["Vae", "gaussian_kl"]

FIRST_KL_WEIGHT = 0.02
LR_WARMUP = 0.02
"""Share of training over which the learning rate rises."""
MEMORY = 0.01
"""Weight of the newest batch in the running mean of the squared error."""
LEAST_SIGMA = 1e-3
"""Keeps the bound finite on data that a decoder can repeat exactly."""


def gaussian_kl(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, diag std²) ‖ N(0, I)) in nats: (n, d), (n, d) -> (n,)."""
    return 0.5 * (mean.square() + (2 * log_std).exp() - 2 * log_std - 1).sum(dim=1)


class Vae(Model):
    """The VAE for points, images and signals; the MLPs see all of them as flat vectors."""

    variance: Tensor

    def __init__(self, config: VaeConfig, data: DataInfo) -> None:
        super().__init__(config, data)
        self.settings = config.settings(data)
        self.encoder: Encoder | ImageEncoder
        self.decoder: Decoder | ImageDecoder
        if self.settings.conv:
            self.encoder = ImageEncoder(data.shape, self.settings)
            self.decoder = ImageDecoder(data.shape, self.settings)
        else:
            self.encoder = Encoder(data.dim, self.settings)
            self.decoder = Decoder(data.shape, self.settings, bounded=data.kind == "image")
        self.register_buffer("variance", torch.ones(()))

    # --- training ------------------------------------------------------------------------------

    def fit(self, training: Training) -> None:
        """Maximise the bound by AdamW; learning rate up, then down on a cosine to 0."""
        optimizer = torch.optim.AdamW(
            self.parameters(),
            lr=self.settings.lr,
            betas=(0.9, 0.99),
            weight_decay=self.settings.weight_decay,
            fused=True,
        )
        training.track(optimizer=optimizer)
        noise = training.generator("noise")
        with compiled_forward(self.encoder, self.decoder, enabled=self.config.compile):
            self._maximise(training, optimizer, noise)

    def _maximise(
        self, training: Training, optimizer: torch.optim.Optimizer, noise: torch.Generator
    ) -> None:
        batch_size = min(self.settings.batch_size, self.data.n_train)
        for x in training.batches("vae", batch_size=batch_size):
            optimizer.param_groups[0]["lr"] = self.settings.lr * _rate(training.progress)
            squared, kl = self._terms(x, noise, self.settings.input_noise)
            self._follow(squared.detach().mean() / self.data.dim, training.step)
            loss = (self._weight(training.progress) * kl - self._log_likelihood(squared)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            training.log(loss=loss.detach(), kl=kl.detach().mean(), sigma=self.variance.sqrt())

    def _terms(
        self, x: Tensor, generator: torch.Generator, input_noise: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Squared error of a reconstruction from one draw of z, and the KL term: (n,) each.

        input_noise: standard deviation of the noise through which the encoder alone sees x.
        """
        seen = x + input_noise * _normal(x.shape, generator, x) if input_noise else x
        mean, log_std = self.encoder(seen.flatten(1))
        z = mean + log_std.exp() * _normal(mean.shape, generator, mean)
        return (x - self.decoder(z)).flatten(1).square().sum(dim=1), gaussian_kl(mean, log_std)

    def _log_likelihood(self, squared: Tensor) -> Tensor:
        """log N(x; μ, σ² I) of a squared error |x − μ|², in nats."""
        constant = 0.5 * self.data.dim * (2 * math.pi * self.variance).log()
        return -squared / (2 * self.variance) - constant

    def _follow(self, mse: Tensor, step: int) -> None:
        """Move σ² towards the mean squared error: a plain mean at first, then a running one."""
        self.variance.lerp_(mse.to(self.variance.dtype), max(MEMORY, 1 / (1 + step)))
        self.variance.clamp_(min=LEAST_SIGMA**2)

    def _weight(self, progress: float) -> float:
        """β of the KL term at this progress."""
        if progress >= self.settings.warmup:
            return 1.0
        return FIRST_KL_WEIGHT + (1 - FIRST_KL_WEIGHT) * progress / self.settings.warmup

    # --- what it can do ------------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator,
        observation_noise: bool | None = None,
        **sampling: Any,
    ) -> Tensor:
        """z ~ N(0, I) to the decoder's mean, plus the learned noise (see `VaeSampling`).

        Images with noise are clipped to [−1, 1].
        """
        x = self.decoder(_normal((n, self.latent_dim), generator, self.variance))
        image = self.data.kind == "image"
        if observation_noise is None:
            observation_noise = not image
        if observation_noise:
            x = x + self.variance.sqrt() * _normal(x.shape, generator, x)
        return x.clamp(-1, 1) if image else x

    @property
    def latent_dim(self) -> int:
        """d of z."""
        return self.settings.latent_dim

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, *shape) to mean and standard deviation of q(z | x): (n, d) each."""
        mean, log_std = self.encoder(x.flatten(1))
        return mean, log_std.exp()

    def decode(self, z: Tensor) -> Tensor:
        """(n, d) to the mean of x given z: (n, *shape)."""
        return self.decoder(z)

    @torch.no_grad()
    def elbo(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """One-draw estimate of the bound on log p(x) in model space: (n,) nats.

        Its expectation over the draw is a lower bound; the KL term is in closed form.
        """
        squared, kl = self._terms(x, generator)
        return self._log_likelihood(squared) - kl

    def describe(self) -> dict[str, Any]:
        """Latent dimension, prior, loss and the learned σ in model space."""
        return {
            "latent_dim": self.latent_dim,
            "prior": "N(0, I)",
            "loss": "negative ELBO, analytic KL, one draw of z",
            "sigma": float(self.variance.sqrt()),
        }


def _normal(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal numbers of this shape, with the device and type of `like`."""
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)


def _rate(progress: float) -> float:
    """Learning rate over its peak."""
    if progress < LR_WARMUP:
        return 0.05 + 0.95 * progress / LR_WARMUP
    return 0.5 * (1 + math.cos(math.pi * (progress - LR_WARMUP) / (1 - LR_WARMUP)))
