"""Convolutional trunks between images and flat features, for images of 16 pixels a side and more.

    encoder   x (C, H, W) → stem, stride 2 → residual blocks → [down, stride 2 → blocks]* → linear
    decoder   z → linear → residual blocks → [up ×2 → blocks]* → head, pixel shuffle → x̂

Each stage is one grid. Grids halve (rounded up) until the smaller side is at most `COARSEST`:
28 → 14 → 7, 64 → 32 → 16 → 8. No layer but the stem and the head touches the full grid, where a
wide convolution costs most and a one-thread CPU is memory bound. Channels double from a grid to
the next coarser one, up to `MOST_CHANNELS`.

A residual block is h ← h + W₂ φ(n(W₁ φ(n(h)))) with 3 × 3 convolutions, φ = SiLU, the last one
zero at first ("Deep Residual Learning for Image Recognition", He et al., 2016; "Fixup
Initialization", Zhang et al., 2019). n is group normalisation ("Group Normalization", Wu and He,
2018) or nothing: it works on single examples, so rows stay independent of one another in training
and after. Upsampling is to nearest neighbours followed by a convolution, which leaves no
chequerboard ("Deconvolution and Checkerboard Artifacts", Odena et al., 2016); the head has one
output for each pixel of a 2 × 2 patch ("Real-Time Single Image and Video Super-Resolution Using
an Efficient Sub-Pixel Convolutional Neural Network", Shi et al., 2016).

Weights are channels_last, and a convolution's output takes that format from them; no activation is
converted, which torch.func's vmap could not follow.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ConvDecoder", "ConvEncoder", "ResidualConv", "channels", "group_norm", "halved_grids"]

COARSEST = 8
"""Grids halve until their smaller side is at most this."""
MOST_CHANNELS = 512
GROUPS = 8
"""Of channels in a group normalisation; fewer where the width is no multiple."""


def halved_grids(height: int, width: int) -> list[tuple[int, int]]:
    """Sides of every grid below the image's own, finest first.

    >>> halved_grids(28, 28), halved_grids(64, 33)
    ([(14, 14), (7, 7)], [(32, 17), (16, 9), (8, 5)])
    """
    found: list[tuple[int, int]] = []
    while not found or min(height, width) > COARSEST:
        height, width = (height + 1) // 2, (width + 1) // 2
        found.append((height, width))
    return found


def channels(finest: int, count: int) -> list[int]:
    """Channels on `count` grids, finest first.

    >>> channels(48, 3)
    [48, 96, 192]
    """
    return [max(finest, min(MOST_CHANNELS, finest << i)) for i in range(count)]


def group_norm(width: int) -> nn.GroupNorm:
    """Group normalisation of this many channels."""
    return nn.GroupNorm(math.gcd(GROUPS, width), width)


def _norm(width: int, normalise: bool) -> nn.Module:
    return group_norm(width) if normalise else nn.Identity()


class ResidualConv(nn.Module):
    """h ← h + W₂ φ(n(W₁ φ(n(h)))) on (n, width, H, W); the identity at first.

    normalise: whether n is group normalisation.
    """

    def __init__(self, width: int, *, normalise: bool) -> None:
        super().__init__()
        self.first_norm = _norm(width, normalise)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second_norm = _norm(width, normalise)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor) -> Tensor:
        """(n, width, H, W) -> the same shape."""
        inner = self.first(functional.silu(self.first_norm(h)))
        return h + self.second(functional.silu(self.second_norm(inner)))


class _Up(nn.Module):
    """To a grid of about twice the sides: nearest neighbours, then a 3 × 3 convolution."""

    def __init__(self, a: int, b: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(a, b, 3, padding=1)
        self.size = size

    def forward(self, h: Tensor) -> Tensor:
        height, width = self.size
        h = functional.interpolate(h, scale_factor=2, mode="nearest")
        return self.conv(h[..., :height, :width])


def _blocks(width: int, depth: int, normalise: bool) -> list[nn.Module]:
    return [ResidualConv(width, normalise=normalise) for _ in range(depth)]


class ConvEncoder(nn.Module):
    """Images (n, C, H, W) -> features (n, out_features), row by row.

    width: channels on the finest grid, of half the image's sides. depth: residual blocks a grid.
    normalise: group normalisation in the blocks and before the last linear map.
    """

    def __init__(
        self,
        shape: Sequence[int],
        out_features: int,
        *,
        width: int,
        depth: int,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        colours, height, breadth = shape
        sizes = halved_grids(height, breadth)
        widths = channels(width, len(sizes))
        layers: list[nn.Module] = [nn.Conv2d(colours, width, 5, stride=2, padding=2)]
        layers += _blocks(width, depth, normalise)
        for a, b in itertools.pairwise(widths):
            layers.append(nn.Conv2d(a, b, 3, stride=2, padding=1))
            layers += _blocks(b, depth, normalise)
        layers += [_norm(widths[-1], normalise), nn.SiLU()]
        self.trunk = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.leave = nn.Linear(widths[-1] * math.prod(sizes[-1]), out_features)

    def forward(self, x: Tensor) -> Tensor:
        """x: (n, C, H, W) -> (n, out_features)."""
        return self.leave(self.trunk(x).flatten(1))


class ConvDecoder(nn.Module):
    """Features (n, in_features) -> images (n, C, H, W), unbounded, row by row.

    The options are those of `ConvEncoder`.
    """

    def __init__(
        self,
        in_features: int,
        shape: Sequence[int],
        *,
        width: int,
        depth: int,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        colours, self.height, self.breadth = shape
        sizes = halved_grids(self.height, self.breadth)[::-1]
        widths = channels(width, len(sizes))[::-1]
        self.start = (widths[0], *sizes[0])
        self.enter = nn.Linear(in_features, math.prod(self.start))
        layers = _blocks(widths[0], depth, normalise)
        for a, b, size in zip(widths, widths[1:], sizes[1:], strict=False):
            layers.append(_Up(a, b, size))
            layers += _blocks(b, depth, normalise)
        layers += [_norm(width, normalise), nn.SiLU(), nn.Conv2d(width, 4 * colours, 3, padding=1)]
        layers.append(nn.PixelShuffle(2))
        self.trunk = nn.Sequential(*layers).to(memory_format=torch.channels_last)

    def forward(self, z: Tensor) -> Tensor:
        """z: (n, in_features) -> (n, C, H, W)."""
        h = self.enter(z).unflatten(1, self.start)
        x = self.trunk(h)
        return x[..., : self.height, : self.breadth].contiguous()
