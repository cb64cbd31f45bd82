"""Options of the autoencoder; importing them loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pydantic import Field

from benchbench.api import Config

if TYPE_CHECKING:
    from benchbench.api import DataInfo

__all__ = ["AeConfig", "Settings"]

CONV_SIDE = 16
"""Images whose sides both have so many pixels get convolutions."""


class AeConfig(Config):
    """Training options. What is left at None depends on the kind and the size of the data."""

    latent_dim: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Dimension of a code; none: the data's own for points up to 16, else 16, and "
        "more for convolutions.",
    )
    width: int | None = Field(
        None,
        ge=4,
        le=8192,
        description="Width of both networks; convolutions: channels at half the image's sides.",
    )
    depth: int | None = Field(
        None, ge=0, le=64, description="Residual blocks of each; convolutions: on each grid."
    )
    batch_size: int | None = Field(
        None, ge=1, le=65_536, description="Examples in a step; all there are, if fewer."
    )
    lr: float | None = Field(None, gt=0, le=1, description="Peak learning rate of AdamW.")
    weight_decay: float | None = Field(
        None, ge=0, le=10, description="Decoupled weight decay, times the learning rate."
    )
    code_weight: float = Field(
        1e-4, ge=0, le=10, description="Weight of half the squared length of a code in the loss."
    )
    components: int = Field(64, ge=1, le=1024, description="Gaussians in the density of codes.")
    density_share: float = Field(
        0.1, gt=0, lt=1, description="Share of the budget in which the density is fitted."
    )
    density_passes: int = Field(
        30, ge=1, le=10_000, description="Passes over the codes after which its fitting ends."
    )

    def settings(self, data: DataInfo) -> Settings:
        """Every option resolved for these data."""
        conv = data.kind == "image" and min(data.shape[1:]) >= CONV_SIDE
        if conv:
            large = min(data.shape[1:]) >= 32 or data.shape[0] > 1
            defaults = _CONV | {"latent_dim": 64 if large else 32, "width": 32 if large else 16}
        elif data.kind == "points":
            defaults = _POINTS | {"latent_dim": min(data.dim, 16)}
        else:
            defaults = _OTHERS
        given = {f.name: getattr(self, f.name, None) for f in fields(Settings) if f.name != "conv"}
        resolved = {k: defaults[k] if v is None else v for k, v in given.items()}
        return Settings(**resolved, conv=conv)


@dataclass(frozen=True)
class Settings:
    """`AeConfig` without anything left open; the fields mean the same.

    conv: whether the networks are convolutions.
    """

    conv: bool
    latent_dim: int
    width: int
    depth: int
    batch_size: int
    lr: float
    weight_decay: float
    code_weight: float
    components: int
    density_share: float
    density_passes: int


_POINTS: dict[str, Any] = {
    "width": 96,
    "depth": 2,
    "batch_size": 256,
    "lr": 3e-3,
    "weight_decay": 0.0,
}
_OTHERS: dict[str, Any] = {
    "latent_dim": 16,
    "width": 256,
    "depth": 2,
    "batch_size": 128,
    "lr": 2e-3,
    "weight_decay": 0.5,
}
_CONV: dict[str, Any] = {"depth": 0, "batch_size": 32, "lr": 3e-3, "weight_decay": 0.05}
