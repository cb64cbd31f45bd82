"""Sizes and rates of the latent diffusion model where its options leave them open."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchbench.api import UsageError
from benchbench.api.data import DataInfo
from benchbench_ldm.config import DDPMConfig, LDMConfig
from benchbench_ldm.images import latent_grid
from benchbench_ldm.likelihood import MAX_DIM

__all__ = ["SHORT", "DataSpaceSizes", "Sizes"]

SHORT = 8
"""Vectors up to this length keep their dimension."""
CONV_SIDE = 16
"""Images whose sides both have so many pixels get convolutions unless told otherwise."""


@dataclass(frozen=True)
class Sizes:
    """What the config leaves open, chosen from the shape of an example; D is its length.

    sweep: examples that are encoded at once between the phases.
    """

    latent_dim: int
    width: int
    depth: int
    fourier: int
    batch_size: int
    learning_rate: float
    ae_share: float
    ae_width: int
    ae_depth: int
    ae_learning_rate: float
    ae_batch_size: int
    kl_weight: float

    ae_adversarial: float = 0.0
    ae_critic_width: int = 16
    autoencoder: str = "mlp"
    denoiser: str = "mlp"
    sweep: int = 1024

    @property
    def no_trace(self) -> bool:
        """Whether the prior's exact likelihood is out of reach."""
        return self.denoiser == "unet" or self.latent_dim > MAX_DIM

    @classmethod
    def choose(cls, config: LDMConfig, data: DataInfo) -> Sizes:
        """The config's own values where it has them.

        Raises UsageError where a network for images is asked for other data.
        """
        dim = data.dim
        large = data.kind == "image" and min(data.shape[1:]) >= CONV_SIDE
        kind: str = config.autoencoder
        if kind == "auto":
            kind = "conv" if large else "mlp"
        if kind in ("conv", "diffusers") and not large:
            raise UsageError(
                f"ldm[autoencoder={kind}] needs images of {CONV_SIDE} pixels a side or more; "
                f"{data.name!r} has {data.kind} of shape {data.shape}: use auto or mlp"
            )
        if config.ae_adversarial and not large:
            raise UsageError(
                f"ldm[ae_adversarial={config.ae_adversarial:g}] needs images of {CONV_SIDE} pixels "
                f"a side or more; {data.name!r} has {data.kind} of shape {data.shape}: use 0"
            )
        if kind == "mlp":
            default = _SHORT if dim <= SHORT else _LONG
        else:
            default = _conv(data) if kind == "conv" else _grid(config, data)
        denoiser: str = config.denoiser
        if denoiser == "auto":
            denoiser = default.denoiser
        elif denoiser != default.denoiser:  # a residual MLP on a flattened grid
            default = replace(default, width=512, depth=4)
        latent = config.latent_dim or (dim if dim <= SHORT else min(default.latent_dim, dim))
        given = {
            name: getattr(config, name)
            for name in cls.__dataclass_fields__
            if getattr(config, name, None) is not None
        }
        resolved = {"latent_dim": latent, "autoencoder": kind, "denoiser": denoiser}
        return cls(**{**vars(default), **given, **resolved})


_SHORT = Sizes(
    latent_dim=SHORT,
    width=128,
    depth=3,
    fourier=128,
    batch_size=256,
    learning_rate=3e-3,
    ae_share=0.05,
    ae_width=64,
    ae_depth=1,
    ae_learning_rate=3e-3,
    ae_batch_size=256,
    kl_weight=3e-5,
)
_LONG = Sizes(
    latent_dim=24,
    width=192,
    depth=3,
    fourier=0,
    batch_size=256,
    learning_rate=1.5e-3,
    ae_share=0.3,
    ae_width=256,
    ae_depth=1,
    ae_learning_rate=3e-3,
    ae_batch_size=64,
    kl_weight=0.02,
)


def _conv(data: DataInfo) -> Sizes:
    """Convolutions and vector latents, wider for larger images.

    Chosen on fashion-mnist, by its validation split and with seeds that no reported score uses, in
    trials by hand at 4e12 FLOP (results/tuning/by-hand-fashion-mnist.md): the critic's gradient
    counts for nearly all in the autoencoder's training. Larger images were not tried; a wider
    denoiser learns as much more slowly.
    """
    growth = _growth(data)
    return Sizes(
        latent_dim=min(48 * growth, MAX_DIM),
        width=256 * growth,
        depth=3,
        fourier=0,
        batch_size=256,
        learning_rate=3e-3 / growth,
        ae_share=0.6,
        ae_width=16 * growth,
        ae_depth=0,
        ae_learning_rate=3e-3,
        ae_batch_size=16,
        kl_weight=0.02,
        ae_adversarial=100.0,
        ae_critic_width=16 * growth,
        autoencoder="conv",
        sweep=256,
    )


def _growth(data: DataInfo) -> int:
    """1 for grey images below 32 pixels, 2 for colour or 32 pixels, 4 for 64 pixels and more.

    >>> [_growth(DataInfo("x", "image", s, 1)) for s in [(1, 28, 28), (3, 32, 32), (3, 64, 64)]]
    [1, 2, 4]
    """
    side = min(data.shape[1:])
    return 4 if side >= 64 else 2 if side >= 32 or data.shape[0] > 1 else 1


def _grid(config: LDMConfig, data: DataInfo) -> Sizes:
    """diffusers' networks and latents on a grid, for GPUs; not tuned."""
    c, h, w = latent_grid(data.shape, config.latent_dim)
    return Sizes(
        latent_dim=c * h * w,
        width=128,
        depth=2,
        fourier=0,
        batch_size=256,
        learning_rate=2e-4,
        ae_share=0.35,
        ae_width=64,
        ae_depth=1,
        ae_learning_rate=2e-4,
        ae_batch_size=64,
        kl_weight=0.02,
        autoencoder="diffusers",
        denoiser="unet",
        sweep=256,
    )


@dataclass(frozen=True)
class DataSpaceSizes:
    """The same for diffusion in data space; those of long vectors are from stacked-digits."""

    width: int
    depth: int
    fourier: int
    batch_size: int
    learning_rate: float
    sigma_max: float

    @classmethod
    def choose(cls, config: DDPMConfig, data: DataInfo) -> DataSpaceSizes:
        """The config's own values where it has them."""
        if data.dim <= SHORT:
            default = cls(128, 3, 128, 256, 3e-3, 5.0)
        else:
            default = cls(512 if data.dim > 512 else 256, 3, 0, 128, 2e-3, 10.0)
        given = {k: getattr(config, k) for k in vars(default)}
        return replace(default, **{k: v for k, v in given.items() if v is not None})
