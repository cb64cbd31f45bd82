"""Generator and critic: multilayer perceptrons on flattened examples.

    G(z) = A φ(z),   D(x₁ … x_m) = w · h(φ(x₁), …, φ(x_m))

φ appends random Fourier features where the data are points. To the critic they show modes that
are a fortieth of their distance wide. To the generator they give the slope to leap from one mode
to the next over a small step in z: a continuous map of N(0, I) onto separate modes must cross the
gaps between them ("Learning disconnected manifolds: a no GAN's land", Tanielian et al., 2020).

No layer normalises, so no example's output depends on another's; the weights start at the scale
that keeps variance through leaky ReLUs ("Delving Deep into Rectifiers", He et al., 2015), which
is what a critic under a gradient penalty wants ("A Modern GAN Baseline", Huang et al., 2024).
The critic sees m examples joined: "PacGAN: The power of two samples in generative adversarial
networks", Lin et al., 2018.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn

from benchbench.nn import FourierFeatures
from benchbench_gan.config import Settings

__all__ = ["Critic", "Generator"]

FOURIER_SCALE = 1.5
"""Cycles per unit of standardised x."""
LATENT_FOURIER_SCALE = 0.3
"""Cycles per unit of z; more makes the generator leap where it should be flat."""
SLOPE = 0.2
"""Of the leaky ReLU on negative inputs."""


def _mlp(inputs: int, outputs: int, width: int, depth: int, last: float) -> nn.Sequential:
    """`depth` layers from width to width between the first and the last.

    last: factor on the initial weights of the last layer.
    """
    sizes = [inputs] + [width] * (depth + 1) + [outputs]
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        linear = nn.Linear(a, b)
        nn.init.kaiming_normal_(linear.weight, SLOPE)
        nn.init.zeros_(linear.bias)
        if i == depth + 1:
            linear.weight.data.mul_(last)
        layers += [linear] if i == 0 else [nn.LeakyReLU(SLOPE), linear]
    return nn.Sequential(*layers)


class Generator(nn.Module):
    """Latents to examples.

    shape: of an example. bounded: whether the output passes through tanh, for images.
    """

    def __init__(self, shape: Sequence[int], s: Settings, *, bounded: bool) -> None:
        super().__init__()
        self.shape, self.bounded = tuple(shape), bounded
        d, count = s.latent_dim, s.latent_fourier
        self.features = FourierFeatures(d, count, LATENT_FOURIER_SCALE) if count else None
        inputs = self.features.out_features if self.features else d
        width, depth = s.generator_width, s.generator_depth
        self.net = _mlp(inputs, math.prod(shape), width, depth, last=0.5)

    def forward(self, z: Tensor) -> Tensor:
        """z: (n, d) -> (n, *shape), row by row."""
        h = self.net(z if self.features is None else self.features(z))
        x = h.to(z.dtype).unflatten(1, self.shape)
        return x.tanh() if self.bounded else x


class Critic(nn.Module):
    """Packs of m examples to one score each; a high score says real."""

    def __init__(self, dim: int, s: Settings) -> None:
        super().__init__()
        self.pack = s.pack
        self.features = FourierFeatures(dim, s.fourier, FOURIER_SCALE) if s.fourier else None
        inputs = self.features.out_features if self.features else dim
        self.net = _mlp(inputs * s.pack, 1, s.critic_width, s.critic_depth, last=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (n, *shape), n a multiple of m -> (n/m,); rows km to km + m − 1 make pack k."""
        h = x.flatten(1)
        h = h if self.features is None else self.features(h)
        return self.net(h.reshape(len(h) // self.pack, -1)).squeeze(1).to(x.dtype)
