"""Options of the VAE; importing them loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pydantic import Field

from benchbench.api import Config, Kind

__all__ = ["Settings", "VaeConfig", "VaeSampling"]


class VaeConfig(Config):
    """Training options. What is left at None has one default for points, one for all else."""

    latent_dim: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Dimension of a latent; none: the data's own for points up to 16, else 16.",
    )
    width: int | None = Field(None, ge=4, le=8192, description="Width of both networks.")
    encoder_depth: int | None = Field(None, ge=0, le=64, description="Its residual blocks.")
    decoder_depth: int | None = Field(None, ge=0, le=64, description="Its residual blocks.")
    fourier: int | None = Field(
        None, ge=0, le=4096, description="Random frequencies seen by the encoder; 0: no features."
    )
    latent_fourier: int | None = Field(
        None, ge=0, le=4096, description="Random frequencies seen by the decoder; 0: no features."
    )
    anchors: int | None = Field(
        None,
        ge=0,
        le=4096,
        description="The decoder's mean is a softmax average of so many learned points; 0: linear.",
    )
    batch_size: int | None = Field(
        None, ge=1, le=65_536, description="Examples in a step; all there are, if fewer."
    )
    lr: float | None = Field(None, gt=0, le=1, description="Peak learning rate of Adam.")
    weight_decay: float | None = Field(
        None, ge=0, le=10, description="Decoupled weight decay, times the learning rate."
    )
    input_noise: float | None = Field(
        None,
        ge=0,
        le=10,
        description="Standard deviation of noise on what the encoder sees in training.",
    )
    warmup: float = Field(
        0.2, ge=0, le=1, description="Share of training over which the KL term grows to weight 1."
    )

    def settings(self, kind: Kind, dim: int) -> Settings:
        """Every option resolved for data of this kind with `dim` numbers an example."""
        latent_dim = min(dim, 16) if kind == "points" else 16
        defaults = _POINTS if kind == "points" else _OTHERS
        defaults = {**defaults, "latent_dim": latent_dim}
        given = {f.name: getattr(self, f.name) for f in fields(Settings)}
        return Settings(**{k: defaults[k] if v is None else v for k, v in given.items()})


@dataclass(frozen=True)
class Settings:
    """`VaeConfig` without anything left open; the fields mean the same."""

    latent_dim: int
    width: int
    encoder_depth: int
    decoder_depth: int
    fourier: int
    latent_fourier: int
    anchors: int
    batch_size: int
    lr: float
    weight_decay: float
    input_noise: float
    warmup: float


# One configuration for all points, one for images and signals; chosen on grid25 and on
# stacked-digits by validation ELBO and mode coverage, with seeds that no reported score uses.
_POINTS: dict[str, Any] = {
    "width": 96,
    "encoder_depth": 2,
    "decoder_depth": 3,
    "fourier": 64,
    "latent_fourier": 32,
    "anchors": 128,
    "batch_size": 256,
    "lr": 4e-3,
    "weight_decay": 0.0,
    "input_noise": 0.0,
}
_OTHERS: dict[str, Any] = {
    "width": 256,
    "encoder_depth": 2,
    "decoder_depth": 2,
    "fourier": 0,
    "latent_fourier": 0,
    "anchors": 0,
    "batch_size": 128,
    "lr": 2e-3,
    "weight_decay": 0.5,
    "input_noise": 0.25,
}


class VaeSampling(Config):
    """Sampling options.

    The decoder gives the mean of x given z; the model's distribution also has the learned noise
    N(0, σ² I) around it. For points that noise is the width of a mode, and leaving it out would
    draw from another distribution. For images the field shows the mean, and so does this model
    unless told otherwise; the likelihood always includes the noise.
    """

    observation_noise: bool | None = Field(
        None,
        description="Add the learned noise to the decoder's mean; none: for points and signals, "
        "not for images.",
    )
