"""Fourier features: x ↦ [x, cos(2π B x), sin(2π B x)] with fixed random frequencies B.

A plain MLP learns fine structure slowly ("Fourier Features Let Networks Learn High Frequency
Functions in Low Dimensional Domains", Tancik et al., 2020); modes a fiftieth of their distance
wide need these.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["FourierFeatures"]


class FourierFeatures(nn.Module):
    """Fixed random Fourier features of vectors.

    dim: length d of the input vectors. count: number of frequencies m.
    scale: standard deviation of the frequencies, in cycles per unit of x.
    """

    frequencies: Tensor

    def __init__(self, dim: int, count: int, scale: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(dim, count) * scale)
        self.out_features = dim + 2 * count

    def forward(self, x: Tensor) -> Tensor:
        """x: (n, d) -> (n, d + 2m)."""
        angle = (2 * math.pi) * (x @ self.frequencies)
        return torch.cat([x, angle.cos(), angle.sin()], dim=-1)
