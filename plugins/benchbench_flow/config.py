"""Options of the flow; importing them loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from benchbench.api import Config

if TYPE_CHECKING:
    from benchbench.api import DataInfo

__all__ = ["FlowConfig", "Settings"]

AUTOREGRESSIVE_DIM = 8
"""Up to so many dimensions the transforms are autoregressive: sampling costs a pass for each."""


class FlowConfig(Config):
    """Training options. What is left at None depends on the kind and the size of the data."""

    transform: Literal["auto", "autoregressive", "coupling"] = Field(
        "auto",
        description="Which dimensions condition which: all before it, or one half the other; "
        "auto: autoregressive up to 8 dimensions, else coupling.",
    )
    bins: int | None = Field(
        None,
        ge=0,
        le=256,
        description="Bins of the rational-quadratic splines; 0: affine maps.",
    )
    transforms: int | None = Field(None, ge=1, le=64, description="Transforms in a row.")
    width: int | None = Field(None, ge=4, le=8192, description="Of the hidden layers.")
    depth: int | None = Field(None, ge=1, le=16, description="Hidden layers of a transform.")
    batch_size: int | None = Field(
        None, ge=1, le=65_536, description="Examples in a step; all there are, if fewer."
    )
    lr: float | None = Field(None, gt=0, le=1, description="Peak learning rate of Adam.")
    weight_decay: float | None = Field(
        None, ge=0, le=10, description="Decoupled weight decay, times the learning rate."
    )
    ema_decay: float = Field(
        0.999, ge=0, lt=1, description="Decay of the weight average that is sampled from."
    )
    logit: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="α: an image's pixels u in [0, 1] become logit(α + (1 − 2α) u).",
    )

    def settings(self, data: DataInfo) -> Settings:
        """Every option resolved for these data."""
        defaults = _POINTS if data.dim <= AUTOREGRESSIVE_DIM else _OTHERS
        names = [f.name for f in fields(Settings) if f.name != "autoregressive"]
        given = {name: getattr(self, name) for name in names}
        resolved = {k: defaults[k] if v is None else v for k, v in given.items()}
        few = data.dim <= AUTOREGRESSIVE_DIM
        auto = few if self.transform == "auto" else self.transform == "autoregressive"
        return Settings(**resolved, autoregressive=auto)


@dataclass(frozen=True)
class Settings:
    """`FlowConfig` without anything left open; the fields mean the same."""

    autoregressive: bool
    bins: int
    transforms: int
    width: int
    depth: int
    batch_size: int
    lr: float
    weight_decay: float


# Chosen by validation likelihood: points on grid25, the others on stacked-digits.
_POINTS: dict[str, Any] = {
    "bins": 32,
    "transforms": 2,
    "width": 96,
    "depth": 2,
    "batch_size": 1024,
    "lr": 5e-3,
    "weight_decay": 0.0,
}
_OTHERS: dict[str, Any] = {
    "bins": 8,
    "transforms": 6,
    "width": 128,
    "depth": 2,
    "batch_size": 128,
    "lr": 2e-3,
    "weight_decay": 1e-2,
}
