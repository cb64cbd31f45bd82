"""Networks for images of 16 pixels a side and more, between flat examples and flat latents.

`ImageEncoder` and `ImageDecoder` are the convolutions of `benchbench.nn.conv` around a vector
latent. `kl_networks` and `UNetDenoiser` are diffusers' AutoencoderKL and UNet2DModel around latents
on a grid ("High-Resolution Image Synthesis with Latent Diffusion Models", Rombach et al., 2022):
made for GPUs, and an option. Latents on a grid are flat outside this module too, (n, c·h·w).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchbench.api import UsageError
from benchbench.nn import ConvDecoder, ConvEncoder
from benchbench.nn.conv import halved_grids
from benchbench_ldm.diffusion import TINY, Preconditioned

__all__ = [
    "LATENT_CHANNELS",
    "ImageDecoder",
    "ImageEncoder",
    "UNetDenoiser",
    "kl_networks",
    "latent_grid",
]

LATENT_CHANNELS = 4
"""Of a latent on a grid, where the options do not say how long it is."""
GROUPS = 32
"""Of channels in diffusers' group normalisation; fewer where the width is no multiple."""
TIMES = 1000.0
"""Range of diffusers' time embedding, onto which ln σ from `TINY` to 1 / `TINY` is mapped."""


class ImageEncoder(nn.Module):
    """Flat images (n, D) -> mean and log standard deviation of a latent, (n, 2d)."""

    def __init__(self, shape: Sequence[int], latent_dim: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.net = ConvEncoder(shape, 2 * latent_dim, width=width, depth=depth)
        with torch.no_grad():  # posteriors start narrow
            self.net.leave.bias[latent_dim:] = -3.0

    def forward(self, x: Tensor) -> Tensor:
        """x: (n, D) -> (n, 2d)."""
        out: Tensor = self.net(x.unflatten(1, self.shape))
        return out


class ImageDecoder(nn.Module):
    """Latents (n, d) -> flat images (n, D)."""

    def __init__(self, shape: Sequence[int], latent_dim: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.net = ConvDecoder(latent_dim, shape, width=width, depth=depth)

    def forward(self, z: Tensor) -> Tensor:
        """z: (n, d) -> (n, D)."""
        x: Tensor = self.net(z)
        return x.flatten(1)


class _GridEncoder(nn.Module):
    def __init__(self, kl: Any, shape: Sequence[int]) -> None:
        super().__init__()
        self.encoder, self.quantise, self.shape = kl.encoder, kl.quant_conv, tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        mean, log_variance = self.quantise(self.encoder(x.unflatten(1, self.shape))).chunk(2, dim=1)
        # Posteriors start narrow, as in the other networks.
        return torch.cat([mean.flatten(1), 0.5 * log_variance.flatten(1) - 3], dim=1)


class _GridDecoder(nn.Module):
    def __init__(self, kl: Any, grid: tuple[int, int, int]) -> None:
        super().__init__()
        self.decoder, self.quantise, self.grid = kl.decoder, kl.post_quant_conv, grid

    def forward(self, z: Tensor) -> Tensor:
        x: Tensor = self.decoder(self.quantise(z.unflatten(1, self.grid)))
        return x.flatten(1)


def latent_grid(shape: Sequence[int], latent_dim: int | None) -> tuple[int, int, int]:
    """Channels and sides of a latent on a grid, for images (C, H, W).

    Raises UsageError where the image's sides can't be halved so often, or latent_dim is no
    multiple of the grid.
    """
    sizes = halved_grids(*shape[1:])
    h, w = sizes[-1]
    if any(side % 2 ** len(sizes) for side in shape[1:]):
        raise UsageError(
            f"ldm[autoencoder=diffusers] halves the sides {len(sizes)} times, which "
            f"{shape[1]} × {shape[2]} pixels do not allow: use sides that 2^{len(sizes)} divides, "
            "or autoencoder=conv"
        )
    if latent_dim is None:
        return LATENT_CHANNELS, h, w
    if latent_dim % (h * w):
        raise UsageError(
            f"ldm[latent_dim={latent_dim}] must be a multiple of {h * w}, the {h} × {w} grid of "
            "autoencoder=diffusers"
        )
    return latent_dim // (h * w), h, w


def kl_networks(
    shape: Sequence[int], grid: tuple[int, int, int], *, width: int, depth: int
) -> tuple[nn.Module, nn.Module]:
    """Encoder (n, D) -> (n, 2d) and decoder (n, d) -> (n, D) of diffusers' AutoencoderKL.

    width: channels on the full grid; they double with each halving up to four times as many.
    """
    from diffusers import AutoencoderKL

    count = len(halved_grids(*shape[1:])) + 1
    kl: Any = AutoencoderKL(
        in_channels=shape[0],
        out_channels=shape[0],
        down_block_types=("DownEncoderBlock2D",) * count,
        up_block_types=("UpDecoderBlock2D",) * count,
        block_out_channels=tuple(width * min(4, 2**i) for i in range(count)),
        layers_per_block=depth,
        latent_channels=grid[0],
        norm_num_groups=math.gcd(GROUPS, width),
        sample_size=shape[1],
    )
    return _GridEncoder(kl, shape), _GridDecoder(kl, grid)


class UNetDenoiser(Preconditioned):
    """f(X, σ²) by diffusers' UNet2DModel, for latents on a grid (c, h, w).

    width: channels on the latent grid, doubled on each halved one. depth: blocks a grid.
    """

    def __init__(self, grid: tuple[int, int, int], *, width: int, depth: int) -> None:
        from diffusers import UNet2DModel

        super().__init__(math.prod(grid))
        self.grid = grid
        even = grid[1] % 2 == 0 and grid[2] % 2 == 0
        down = ("DownBlock2D", "AttnDownBlock2D") if even else ("AttnDownBlock2D",)
        up = ("AttnUpBlock2D", "UpBlock2D") if even else ("AttnUpBlock2D",)
        net: Any = UNet2DModel(
            sample_size=grid[1:],
            in_channels=grid[0],
            out_channels=grid[0],
            layers_per_block=depth,
            block_out_channels=(width, 2 * width) if even else (width,),
            down_block_types=down,
            up_block_types=up,
            norm_num_groups=math.gcd(GROUPS, width),
        )
        self.net: nn.Module = net

    def raw(self, x: Tensor, sigma: Tensor) -> Tensor:
        """F. x: (n, c·h·w) of unit variance -> the same shape."""
        level = sigma.clamp(TINY, 1 / TINY).log() / -math.log(TINY)  # in [−1, 1]
        out: Tensor = self.net(x.unflatten(1, self.grid), TIMES * (level + 1) / 2).sample
        return out.flatten(1).float()
