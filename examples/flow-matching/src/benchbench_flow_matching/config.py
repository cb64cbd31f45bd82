"""Options of flow matching; importing them loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from benchbench.api import Config
from pydantic import Field

if TYPE_CHECKING:
    from benchbench.api import DataInfo

__all__ = ["Coupling", "FlowMatchingConfig", "FlowMatchingSampling", "Settings", "Solver"]

Coupling = Literal["independent", "minibatch-ot"]
Solver = Literal["euler", "heun"]

SHORT = 8
"""Vectors up to this length get Fourier features."""


class FlowMatchingConfig(Config):
    """Training options. What is left at None is chosen from the length of an example."""

    coupling: Coupling = Field(
        "independent",
        description="which noise goes with which example: independent, or minibatch-ot, the "
        "optimal assignment within a batch, whose paths cross less",
    )
    width: int | None = Field(None, ge=8, le=4096, description="width of the network")
    depth: int | None = Field(None, ge=1, le=32, description="its residual blocks")
    fourier: int | None = Field(
        None,
        ge=0,
        le=1024,
        description="Fourier features of its input; left out: only for vectors of up to 8 numbers",
    )
    fourier_scale: float = Field(
        1.0,
        gt=0,
        le=100,
        description="standard deviation of their frequencies, in cycles per deviation of the data",
    )
    time_mean: float | None = Field(
        None, ge=-10, le=10, description="mean of logit t in training, t ~ logit-normal"
    )
    time_std: float | None = Field(
        None, gt=0, le=10, description="its deviation; about 1.7 comes nearest to uniform t"
    )
    batch_size: int | None = Field(
        None, ge=1, le=65_536, description="examples in a step; all there are, if fewer"
    )
    learning_rate: float | None = Field(None, gt=0, le=1, description="highest of AdamW")
    ema_decay: float = Field(
        0.998, ge=0, lt=1, description="decay of the averaged network, which is sampled from"
    )

    def settings(self, data: DataInfo) -> Settings:
        """Every option resolved for these data."""
        default = _FEW if data.dim <= SHORT else _MANY
        given = {field.name: getattr(self, field.name) for field in fields(Settings)}
        return Settings(**{k: getattr(default, k) if v is None else v for k, v in given.items()})


class FlowMatchingSampling(Config):
    """Sampling options: another way to sample the same training, `flow-matching[steps=8]`."""

    solver: Solver = Field("heun", description="euler: order 1; heun: order 2")
    steps: int = Field(
        16,
        ge=1,
        le=10_000,
        description="steps from noise to data: one evaluation each with euler; two with heun, "
        "but one in the last",
    )
    rho: float = Field(
        3.0,
        ge=1,
        le=20,
        description="how steps crowd towards the data: t = 1 - (1 - i/steps)^rho; 1: even",
    )


@dataclass(frozen=True)
class Settings:
    """What `FlowMatchingConfig` may leave open; the fields mean the same."""

    width: int
    depth: int
    fourier: int
    time_mean: float
    time_std: float
    batch_size: int
    learning_rate: float


_FEW = Settings(
    width=128,
    depth=3,
    fourier=128,
    time_mean=1.5,
    time_std=1.7,
    batch_size=256,
    learning_rate=3e-3,
)
_MANY = Settings(
    width=256,
    depth=3,
    fourier=0,
    time_mean=0.0,
    time_std=1.0,
    batch_size=128,
    learning_rate=2e-3,
)
