"""The diffusion process on vectors, in the words of the article this bench answers.

    noise injection   X = Z + σ·ε,  σ = sqrt(t),  ε ~ N(0, I)
    noise removal     Ẑ = f(X, t)
    loss              L = E w(σ) ‖Z − f(X, t)‖² / d

f is preconditioned, so that the network F sees and predicts numbers of unit variance at every
noise level ("Elucidating the Design Space of Diffusion-Based Generative Models", Karras et al.,
2022; σ_data = 1, since latents are standardised):

    f(X, σ²) = c_skip X + c_out F(c_in X, ln σ)
    c_skip = 1/(σ² + 1),  c_out = σ/sqrt(σ² + 1),  c_in = 1/sqrt(σ² + 1)

This is a reparametrisation of f, and every weighting is the article's mean squared error times a
function of σ, so the optimum, E[Z | X], is that of the article's loss (w = 1). Noise levels are
drawn between σ_min and σ_max, in u = ln σ:

    none         w = 1, the article's loss; uniform in u
    edm          w = 1/c_out² = (σ² + 1)/σ², an equal weight on F's error at every level; half a
                 sine wave in u, since there is little to learn where nearly all or nearly nothing
                 is noise (Karras et al. draw from a normal there)
    likelihood   w = 1/σ², uniform in u: a bound on −E ln p(Z) up to a constant, which weighs the
                 error by dσ/σ³ = du/σ² ("Maximum Likelihood Training of Score-Based Diffusion
                 Models", Song et al., 2021; "Understanding Diffusion Objectives as the ELBO with
                 Simple Data Augmentation", Kingma and Gao, 2023)
"""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn

from benchbench.nn import EMA, FourierFeatures, ResidualMLP
from benchbench_ldm.config import Weighting
from benchbench_ldm.tangents import fourier_tangents, mlp_trace

__all__ = ["Denoiser", "Diffusion", "Preconditioned", "inject_noise", "loss_weight"]

TINY = 1e-4
"""Noise levels below this look the same to the network; f is the identity at σ = 0 anyway."""
ROWS_CPU, ROWS_GPU = 512, 65536
"""Rows that pass through the network at once: what fits a CPU's caches, a GPU's memory."""


def inject_noise(z: Tensor, t: Tensor, *, generator: torch.Generator) -> Tensor:
    """X = Z + sqrt(t)·ε. z: (n, d); t: (n,) >= 0 -> (n, d)."""
    return z + t.sqrt()[:, None] * _normal(z, generator)


def loss_weight(weighting: Weighting, sigma: Tensor) -> Tensor:
    """w(σ) of the squared error. sigma: (n,) > 0 -> (n,)."""
    if weighting == "edm":
        return 1 + sigma**-2
    if weighting == "likelihood":
        return sigma**-2
    return torch.ones_like(sigma)


class Preconditioned(nn.Module, abc.ABC):
    """f(X, σ²) around a network F that a subclass brings.

    dim: length d of a latent.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x: (n, d), sigma: (n,) > 0 -> the estimate of Z, (n, d)."""
        c = (sigma.square() + 1).rsqrt()[:, None]
        return c.square() * x + sigma[:, None] * c * self.raw(c * x, sigma)

    @abc.abstractmethod
    def raw(self, x: Tensor, sigma: Tensor) -> Tensor:
        """F. x: (n, d) of unit variance, sigma: (n,) -> (n, d) float32."""


class Denoiser(Preconditioned):
    """f(X, σ²), a preconditioned residual MLP.

    dim: length d of a latent. fourier: number of Fourier features of the input, 0 for none:
    without them an MLP can't resolve modes far narrower than their distance.
    """

    def __init__(
        self, dim: int, *, width: int, depth: int, fourier: int, fourier_scale: float
    ) -> None:
        super().__init__(dim)
        self.features = FourierFeatures(dim, fourier, fourier_scale) if fourier else None
        inputs = self.features.out_features if self.features else dim
        self.noise_features = FourierFeatures(1, 16, scale=1.0)
        self.net = ResidualMLP(
            inputs, dim, width=width, depth=depth, condition=self.noise_features.out_features
        )
        nn.init.zeros_(self.net.leave.weight)
        nn.init.zeros_(self.net.leave.bias)

    def trace(self, x: Tensor, sigma: Tensor) -> Tensor:
        """tr ∂f/∂X of every row, without gradient. x: (n, d), sigma: (n,) -> (n,)."""
        c2 = 1 / (sigma.square() + 1)
        x = c2.sqrt()[:, None] * x
        condition = self._condition(sigma)
        if self.features is None:
            inner = mlp_trace(self.net, x, condition)
        else:
            inputs = fourier_tangents(self.features, x)
            inner = mlp_trace(self.net, self.features(x), condition, inputs)
        return c2 * (x.shape[1] + sigma * inner)

    def raw(self, x: Tensor, sigma: Tensor) -> Tensor:
        """F. x: (n, d) of unit variance -> (n, d)."""
        return self.net(self._input(x), self._condition(sigma)).float()

    def _input(self, x: Tensor) -> Tensor:
        if self.features is None:
            return x
        with torch.autocast(x.device.type, enabled=False):  # phases of many turns need float32
            return self.features(x)

    def _condition(self, sigma: Tensor) -> Tensor:
        with torch.autocast(sigma.device.type, enabled=False):
            return self.noise_features(sigma.clamp_min(TINY).log()[:, None] / 4)


class Diffusion(nn.Module):
    """A denoiser, its moving average, and the noise levels that it is trained on.

    sigma_max: the largest noise level.

    Buffers, set from the latents: sigma_min, the smallest noise level, and covariance (d, d).
    """

    sigma_min: Tensor
    covariance: Tensor

    def __init__(
        self,
        denoiser: Preconditioned,
        *,
        sigma_max: float,
        weighting: Weighting,
        ema_decay: float,
    ) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.ema = EMA(denoiser, ema_decay)
        self.weighting = weighting
        self.sigma_max = sigma_max
        self.register_buffer("sigma_min", torch.tensor(0.01))
        self.register_buffer("covariance", torch.eye(denoiser.dim))

    @torch.no_grad()
    def set_latents(self, mean: Tensor, std: Tensor, *, sigma_min: float) -> None:
        """Take over what is known of the latents. mean, std: of every q(z | x), (n, d) each."""
        noise = std.double().square().mean(dim=0).diag()
        self.covariance.copy_(mean.double().T.cov(correction=0) + noise)
        self.sigma_min.fill_(sigma_min)

    def draw_gaussian(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draws from the Gaussian with the covariance of the latents, (n, d)."""
        return self._draw(self.covariance, n, generator)

    def draw_start(self, n: int, *, generator: torch.Generator) -> Tensor:
        """X at σ_max: draws from the Gaussian with the covariance of Z + σ_max·ε, (n, d)."""
        dim, device = self.covariance.shape[0], self.covariance.device
        covariance = self.covariance + self.sigma_max**2 * torch.eye(dim, device=device)
        return self._draw(covariance, n, generator)

    @staticmethod
    def _draw(covariance: Tensor, n: int, generator: torch.Generator) -> Tensor:
        noise = torch.randn(n, len(covariance), generator=generator, device=covariance.device)
        return noise @ torch.linalg.cholesky(covariance).T

    def loss(self, z: Tensor, *, generator: torch.Generator) -> Tensor:
        """The weighted mean squared error of the denoiser in training. z: (n, d) -> ()."""
        sigma = self.draw_sigma(z, generator=generator)
        x = inject_noise(z, sigma.square(), generator=generator)
        error = (z - self.denoiser(x, sigma)).square().mean(dim=1)
        return (loss_weight(self.weighting, sigma) * error).mean()

    def draw_sigma(self, z: Tensor, *, generator: torch.Generator) -> Tensor:
        """Noise levels for a batch, one from each of n slices of equal probability: (n,)."""
        n = z.shape[0]
        u = torch.rand(n, generator=generator, device=z.device, dtype=torch.float32)
        u = (torch.arange(n, device=z.device) + u) / n
        if self.weighting == "edm":
            u = (1 - 2 * u).clamp(-1, 1).acos() / math.pi
        low, high = self.sigma_min.log(), math.log(self.sigma_max)
        return (low + (high - low) * u).exp()

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The averaged denoiser. x: (n, d), sigma: (n,) -> (n, d)."""
        rows = ROWS_CPU if x.device.type == "cpu" else ROWS_GPU
        pairs = zip(x.split(rows), sigma.split(rows), strict=True)
        return torch.cat([self.ema.module(a, s) for a, s in pairs])


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
