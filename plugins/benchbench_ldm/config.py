"""Options of the latent diffusion model; importing them loads no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchbench.api import Config

__all__ = ["LDMConfig", "LDMSampling", "Sampler", "Weighting"]

Weighting = Literal["edm", "none", "likelihood"]
Sampler = Literal["heun", "stochastic"]


class LDMConfig(Config):
    """Training options. What is left at None is chosen from the length of an example."""

    weighting: Weighting = Field(
        default="edm",
        description="weight of the squared error over noise levels: edm; none, the plain mean "
        "squared error; or likelihood, a bound on the log likelihood",
    )
    latent_dim: int | None = Field(
        default=None,
        description="dimension of a latent; left out: that of the data up to 8, else 24",
        ge=1,
        le=512,
    )
    width: int | None = Field(default=None, description="width of the denoiser", ge=8, le=4096)
    depth: int = Field(default=3, description="residual blocks of the denoiser", ge=1, le=32)
    fourier: int | None = Field(
        default=None,
        description="Fourier features of the denoiser's input; left out: only for short latents",
        ge=0,
        le=1024,
    )
    fourier_scale: float = Field(
        default=1.0,
        description="standard deviation of their frequencies, in cycles per unit of a latent",
        gt=0,
        le=100,
    )
    learning_rate: float | None = Field(
        default=None, description="highest learning rate of the denoiser", gt=0, le=1
    )
    batch_size: int | None = Field(
        default=None, description="latents in a batch of the prior's phase", ge=1, le=65536
    )
    ema_decay: float = Field(
        default=0.998, description="decay of the denoiser's moving average", ge=0, lt=1
    )
    sigma_max: float = Field(
        default=5.0,
        description="largest noise level, in standard deviations of the latents",
        ge=1,
        le=1000,
    )
    ae_share: float | None = Field(
        default=None, description="share of the budget for the autoencoder", ge=0.01, le=0.9
    )
    ae_width: int | None = Field(
        default=None, description="width of encoder and decoder", ge=8, le=4096
    )
    ae_depth: int = Field(
        default=1, description="residual blocks of encoder and of decoder", ge=0, le=32
    )
    ae_learning_rate: float = Field(
        default=3e-3, description="highest learning rate of the autoencoder", gt=0, le=1
    )
    ae_batch_size: int | None = Field(
        default=None, description="examples in a batch of the autoencoder's phase", ge=1, le=65536
    )
    kl_weight: float | None = Field(
        default=None,
        description="weight of the KL term; half of it is the variance of reconstruction noise",
        gt=0,
        le=10,
    )


class LDMSampling(Config):
    """Sampling options of the trained model."""

    sampler: Sampler = Field(
        default="heun",
        description="heun: second-order, deterministic; stochastic: fresh noise before each step",
    )
    steps: int = Field(
        default=16, description="steps from sigma_max to 0, two evaluations each", ge=1, le=10_000
    )
    rho: float = Field(
        default=7.0, description="noise levels are even in sigma^(1/rho)", ge=1, le=100
    )
    churn: float = Field(
        default=0.2,
        description="stochastic only: each step first raises its noise level by this fraction",
        gt=0,
        le=10,
    )
