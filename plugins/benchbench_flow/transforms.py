"""The maps a flow is made of.

Images first leave their cube: with pixel u in [0, 1] (L levels, dequantised uniformly, u = 0 the
lower edge of the lowest level) and s = α + (1 − 2α) u

    y = logit s,     log |dy/dx| = log (1 − 2α) − log s(1 − s) + log |du/dx|

("Density estimation using Real NVP", Dinh et al., 2017). The density of the flow then lies on the
open cube 0 < s < 1, and its Jacobian is part of `log_prob`.

Then come zuko's splines (or affine maps), each conditioned by a network on other dimensions.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from zuko.flows.autoregressive import MaskedAutoregressiveTransform
from zuko.flows.coupling import GeneralCouplingTransform
from zuko.lazy import LazyComposedTransform
from zuko.transforms import MonotonicAffineTransform, MonotonicRQSTransform

from benchbench_flow.config import Settings

__all__ = ["LogitMap", "composed"]

LEAST_SLOPE = 1e-4
"""Of a spline: it bounds how sharp a mode one transform can make."""


class LogitMap:
    """Pixels in model space to the real line and back. levels: L. alpha: α in (0, ½)."""

    def __init__(self, levels: int, alpha: float) -> None:
        self.alpha = alpha
        self.half_step = 1 / (levels - 1)  # model space, beyond ±1 on each side
        self.span = 2 + 2 * self.half_step

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (n, D) in model space -> y (n, D) and log |dy/dx| (n,).

        Outside the cube there is no density: −inf.
        """
        s = self.alpha + (1 - 2 * self.alpha) * (x + 1 + self.half_step) / self.span
        inside = ((s > 0) & (s < 1)).all(1)
        s = s.clamp(1e-6, 1 - 1e-6)
        slope = math.log((1 - 2 * self.alpha) / self.span) - s.log() - (-s).log1p()
        log_slope = slope.sum(1).masked_fill(~inside, -math.inf)
        return s.logit(), log_slope

    def inverse(self, y: Tensor) -> Tensor:
        """y: (n, D) -> x (n, D) in model space."""
        u = (y.sigmoid() - self.alpha) / (1 - 2 * self.alpha)
        return u * self.span - 1 - self.half_step


def composed(dim: int, s: Settings) -> LazyComposedTransform:
    """Data (n, dim) to noise (n, dim): `transforms` maps, each with a network of its own.

    Autoregressive ones run through the dimensions in turn forwards and backwards. Coupling ones
    draw random halves, and the next transform conditions the other way round.
    """
    univariate: partial[nn.Module] | type = MonotonicAffineTransform
    shapes: list[tuple[int, ...]] = [(), ()]
    if s.bins:
        univariate = partial(MonotonicRQSTransform, slope=LEAST_SLOPE)
        shapes = [(s.bins,), (s.bins,), (s.bins - 1,)]
    shared = {
        "univariate": univariate,
        "shapes": shapes,
        "hidden_features": [s.width] * s.depth,
        "activation": nn.SiLU,
    }
    made = []
    mask = torch.arange(dim) % 2 == 0
    for i in range(s.transforms):
        if s.autoregressive:
            order = torch.arange(dim) if i % 2 == 0 else torch.arange(dim).flip(0)
            made.append(MaskedAutoregressiveTransform(features=dim, order=order, **shared))
            continue
        mask = torch.randperm(dim) % 2 == 0 if i % 2 == 0 else ~mask
        made.append(GeneralCouplingTransform(features=dim, mask=mask, **shared))
    return LazyComposedTransform(*made)
