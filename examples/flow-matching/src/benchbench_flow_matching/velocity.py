"""The velocity field of straight paths, and the network inside it.

    X_t = (1 − t) X_0 + t X_1,   X_0 ~ N(0, I),   v(x, t) = E[X_1 − X_0 | X_t = x]

Data have unit variance, so X_t has the variance s² = t² + (1 − t)² (with X_0 and X_1 independent).
The network F sees y = x/s, and the velocity is what it would be if the data were N(0, I), plus F:

    v = ((2t − 1) y + F(y, t))/s,      F = E[(1 − t) X_1 − t X_0 | X_t]/s

so F = 0 samples N(0, I) exactly, and F's target has unit variance at every t: the squared error
of v is that of F over s², which varies by a factor of 2. In the angle θ = arctan(t/(1 − t)) the
same ODE reads dy/dθ = F, whose density needs no more than the trace of ∂F/∂y (`density.py`).

"Flow Matching for Generative Modeling", Lipman et al., 2023; "Flow Straight and Fast", Liu et al.,
2023; unit-variance targets after "Elucidating the Design Space of Diffusion-Based Generative
Models", Karras et al., 2022.
"""

from __future__ import annotations

import torch
from benchbench.nn import FourierFeatures, ResidualMLP
from torch import Tensor, nn

__all__ = ["VelocityField"]

TINY = 1e-4
"""Times nearer than this to 0 or 1 look the same to the network."""


class VelocityField(nn.Module):
    """v(x, t), a residual MLP in coordinates of unit variance.

    dim: length d of an example. fourier: number of Fourier features of the input, 0 for none:
    without them an MLP can't resolve modes far narrower than their distance.
    """

    def __init__(
        self, dim: int, *, width: int, depth: int, fourier: int, fourier_scale: float
    ) -> None:
        super().__init__()
        self.features = FourierFeatures(dim, fourier, fourier_scale) if fourier else None
        self.time_features = FourierFeatures(1, 16)
        self.net = ResidualMLP(
            self.features.out_features if self.features else dim,
            dim,
            width=width,
            depth=depth,
            condition=self.time_features.out_features,
        )
        nn.init.zeros_(self.net.leave.weight)
        nn.init.zeros_(self.net.leave.bias)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x: (n, d), t: (n,) in [0, 1] -> v, (n, d)."""
        t = t[:, None]
        s = (t.square() + (1 - t).square()).sqrt()
        y = x / s
        return ((2 * t - 1) * y + self.rotation(y, t)) / s

    def rotation(self, y: Tensor, t: Tensor) -> Tensor:
        """F = dy/dθ. y: (n, d), t: (n, 1) -> (n, d)."""
        inputs = y if self.features is None else self.features(y)
        odds = torch.logit(t.clamp(TINY, 1 - TINY))
        return self.net(inputs, self.time_features(odds / 4))
