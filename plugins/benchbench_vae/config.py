"""Options of the VAE; importing them loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from benchbench.api import Config, UsageError

if TYPE_CHECKING:
    from benchbench.api import DataInfo

__all__ = ["Network", "Settings", "VaeConfig", "VaeSampling"]

Network = Literal["auto", "mlp", "conv"]
CONV_SIDE = 16
"""Images whose sides both have so many pixels get convolutions unless told otherwise."""


class VaeConfig(Config):
    """Training options. What is left at None depends on the kind and the size of the data."""

    network: Network = Field(
        "auto",
        description="mlp: residual MLPs on flat examples; conv: convolutions; auto: conv for "
        "images of 16 pixels a side and more, else mlp.",
    )
    latent_dim: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Dimension of a latent; none: the data's own for points up to 16, else 16, and "
        "more for convolutions.",
    )
    width: int | None = Field(
        None,
        ge=4,
        le=8192,
        description="Width of both networks; convolutions: channels at half the image's sides.",
    )
    encoder_depth: int | None = Field(
        None, ge=0, le=64, description="Its residual blocks; convolutions: on each grid."
    )
    decoder_depth: int | None = Field(
        None, ge=0, le=64, description="Its residual blocks; convolutions: on each grid."
    )
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
    warmup: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of training over which the KL term grows to weight 1.",
    )
    compile: bool = Field(
        False,
        description="torch.compile the loss in training, but for steps whose FLOPs are counted.",
    )

    def settings(self, data: DataInfo) -> Settings:
        """Every option resolved for these data."""
        large = data.kind == "image" and min(data.shape[1:]) >= CONV_SIDE
        if self.network == "conv" and not large:
            raise UsageError(
                f"vae[network=conv] needs images of {CONV_SIDE} pixels a side or more; "
                f"{data.name!r} has {data.kind} of shape {data.shape}: use auto or mlp"
            )
        conv = large and self.network != "mlp"
        latent_dim = min(data.dim, 16) if data.kind == "points" else 16
        if conv:
            defaults = _conv(data)
        else:
            defaults = _POINTS if data.kind == "points" else _OTHERS
            defaults = {**defaults, "latent_dim": latent_dim}
        given = {f.name: getattr(self, f.name, None) for f in fields(Settings)}
        resolved = {k: defaults[k] if v is None else v for k, v in given.items() if k != "conv"}
        return Settings(**resolved, conv=conv)


@dataclass(frozen=True)
class Settings:
    """`VaeConfig` without anything left open; the fields mean the same.

    conv: whether the networks are convolutions.
    """

    conv: bool
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


# One configuration for all points, one for images and signals, with seeds that no reported score
# uses. Points: chosen on grid25 by validation ELBO and mode coverage, and left by sixteen trials as
# they were. The others: trial 15 of sixteen on stacked-digits, rounded, and better there than the
# earlier defaults on three further seeds at the budget of the default suite
# (results/tuning/equal.md).
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
    "warmup": 0.2,
}
_OTHERS: dict[str, Any] = {
    "width": 256,
    "encoder_depth": 2,
    "decoder_depth": 2,
    "fourier": 0,
    "latent_fourier": 0,
    "anchors": 0,
    "batch_size": 64,
    "lr": 3.8e-3,
    "weight_decay": 0.022,
    "input_noise": 0.25,
    "warmup": 0.4,
}


def _conv(data: DataInfo) -> dict[str, Any]:
    """Defaults of convolutions: chosen on fashion-mnist, and wider for larger images."""
    return {
        "latent_dim": 16 * _growth(data),
        "width": 16 * _growth(data),
        "encoder_depth": 0,
        "decoder_depth": 0,
        "fourier": 0,
        "latent_fourier": 0,
        "anchors": 0,
        "batch_size": 32,
        "lr": 3e-3,
        "weight_decay": 0.05,
        "input_noise": 0.0,
        "warmup": 0.1,
    }


def _growth(data: DataInfo) -> int:
    """1 for grey images below 32 pixels, 2 for colour or 32 pixels, 4 for 64 pixels and more.

    >>> from benchbench.api import DataInfo
    >>> [_growth(DataInfo("x", "image", s, 1)) for s in [(1, 28, 28), (3, 32, 32), (3, 64, 64)]]
    [1, 2, 4]
    """
    side = min(data.shape[1:])
    return 4 if side >= 64 else 2 if side >= 32 or data.shape[0] > 1 else 1


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
