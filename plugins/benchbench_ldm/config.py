"""Options of the latent diffusion model; importing them loads no torch."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from benchbench.api import Config

__all__ = [
    "AutoencoderNet",
    "DDPMConfig",
    "DDPMSampling",
    "DenoiserNet",
    "DiffusionConfig",
    "DiffusionSampling",
    "LDMConfig",
    "LDMSampling",
    "Prior",
    "Sampler",
    "Schedule",
    "Weighting",
]

Weighting = Literal["edm", "none", "likelihood"]
Sampler = Literal["euler", "heun", "dpmpp-2m", "ab2", "stochastic"]
Schedule = Literal["karras", "linear", "cosine"]
Prior = Literal["diffusion", "gaussian"]
AutoencoderNet = Literal["auto", "mlp", "conv", "diffusers"]
DenoiserNet = Literal["auto", "mlp", "unet"]


class DiffusionConfig(Config):
    """Training options of a diffusion process and its denoiser."""

    weighting: Weighting = Field(
        default="edm",
        description="weight of the squared error over noise levels: edm; none, the plain mean "
        "squared error; or likelihood, a bound on the log likelihood",
    )
    width: int | None = Field(default=None, description="width of the denoiser", ge=8, le=4096)
    depth: int | None = Field(
        default=None, description="residual blocks of the denoiser; unet: a grid", ge=1, le=32
    )
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
        default=None, description="vectors in a batch of the denoiser's phase", ge=1, le=65536
    )
    ema_decay: float = Field(
        default=0.998, description="decay of the denoiser's moving average", ge=0, lt=1
    )
    compile: bool = Field(
        default=False,
        description="torch.compile the networks in training, but for steps whose FLOPs are counted",
    )


class LDMConfig(DiffusionConfig):
    """Training options. What is left at None is chosen from the shape of an example.

    Neither choice looks at the device: a configuration is the same model everywhere.
    """

    autoencoder: AutoencoderNet = Field(
        default="auto",
        description="mlp: residual MLPs; conv: convolutions around a vector latent; diffusers: "
        "its AutoencoderKL, latents on a grid, for GPUs; auto: conv for images of 16 pixels a side "
        "and more, else mlp",
    )
    denoiser: DenoiserNet = Field(
        default="auto",
        description="mlp: residual MLP on vectors; unet: diffusers' UNet2DModel, for latents on a "
        "grid; auto: unet with autoencoder=diffusers, else mlp",
    )
    latent_dim: int | None = Field(
        default=None,
        description="dimension of a latent; left out: that of the data up to 8, else 24, "
        "more for large images",
        ge=1,
        le=1024,
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
        default=None,
        description="width of encoder and decoder; convolutions: channels on their finest grid",
        ge=8,
        le=4096,
    )
    ae_depth: int | None = Field(
        default=None,
        description="residual blocks of encoder and of decoder; convolutions: on each grid",
        ge=0,
        le=32,
    )
    ae_learning_rate: float | None = Field(
        default=None, description="highest learning rate of the autoencoder", gt=0, le=1
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

    ae_adversarial: float | None = Field(
        default=None,
        description="weight of a patch critic's gradient over that of the squared error in the "
        "autoencoder's training, images only; 0: no critic",
        ge=0,
        le=10_000,
    )
    ae_critic_width: int | None = Field(
        default=None, description="channels of the critic on its finest grid", ge=4, le=1024
    )

    @field_validator("autoencoder", "denoiser")
    @classmethod
    def _installed(cls, value: str) -> str:
        if value in ("diffusers", "unet") and find_spec("diffusers") is None:
            raise ValueError("needs diffusers: pip install 'benchbench[diffusers]', or use auto")
        return value

    @field_validator("denoiser")
    @classmethod
    def _on_a_grid(cls, value: str, info: ValidationInfo) -> str:
        if value == "unet" and info.data.get("autoencoder", "diffusers") != "diffusers":
            raise ValueError("needs latents on a grid: set autoencoder=diffusers too")
        return value


class DDPMConfig(DiffusionConfig):
    """Training options of diffusion in data space."""

    sigma_max: float | None = Field(
        default=None,
        description="largest noise level, in standard deviations of the data; left out: 5 for "
        "short vectors, 10 for long ones",
        ge=1,
        le=1000,
    )


class DiffusionSampling(Config):
    """Sampling options of a trained diffusion process."""

    sampler: Sampler = Field(
        default="heun",
        description="euler (DDIM), heun, dpmpp-2m, ab2: deterministic, of order 1, 2, 2, 2; "
        "stochastic: heun with fresh noise before each step",
    )
    steps: int = Field(
        default=16,
        description="steps from sigma_max to 0: two evaluations each with heun and stochastic, one "
        "with the others",
        ge=1,
        le=10_000,
    )
    schedule: Schedule = Field(
        default="karras",
        description="noise levels are even in sigma^(1/rho); in the time of a linear beta; or in "
        "that of the cosine schedule",
    )
    rho: float = Field(default=7.0, description="of the karras schedule", ge=1, le=100)
    churn: float = Field(
        default=0.2,
        description="stochastic only: each step first raises its noise level by this fraction",
        gt=0,
        le=10,
    )


class LDMSampling(DiffusionSampling):
    """Sampling options of the trained latent model."""

    prior: Prior = Field(
        default="diffusion",
        description="diffusion: the trained prior; gaussian: N(0, covariance of the latents) "
        "straight to the decoder, what the autoencoder alone would give",
    )


class DDPMSampling(DiffusionSampling):
    """Sampling options in data space: wider noise levels, on which these defaults err least."""

    sampler: Sampler = Field(
        default="ab2", description=DiffusionSampling.model_fields["sampler"].description
    )
    steps: int = Field(
        default=32, description=DiffusionSampling.model_fields["steps"].description, ge=1, le=10_000
    )
    schedule: Schedule = Field(
        default="cosine", description=DiffusionSampling.model_fields["schedule"].description
    )
