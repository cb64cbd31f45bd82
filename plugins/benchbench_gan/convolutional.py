"""Generator and critic for images of 16 pixels a side and more: convolutions between halved grids.

    G(z) = tanh U₁ … U_k A z        D(x) = w · V_{k+1} … V₁ x

The grids are those of `benchbench.nn.conv`: 28 → 14 → 7, 64 → 32 → 16 → 8. Each U is a
transposed and each V a plain convolution of 4 × 4 with stride 2, every output pixel of a U seeing
as many inputs as its neighbour, so that no chequerboard comes from the stride. Channels double
from a grid to the next coarser one. Between them stand `depth` residual blocks a grid.

Group normalisation precedes each leaky ReLU of the generator ("Group Normalization", Wu and He,
2018): its statistics are those of one example, so rows stay independent, in training and after.
"A Modern GAN Baseline" (Huang et al., 2024) has none; here training with it bears a higher rate
and so gets further in few steps (results/tuning/gan-images.csv). The critic has none:
its gradient is penalised. Weights start at the scale that keeps variance through leaky ReLUs
("Delving Deep into Rectifiers", He et al., 2015).

The critic sees m images joined as channels: "PacGAN: The power of two samples in generative
adversarial networks", Lin et al., 2018.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn

from benchbench.nn.conv import ResidualConv, channels, group_norm, halved_grids
from benchbench_gan.config import Settings

__all__ = ["ConvCritic", "ConvGenerator"]

SLOPE = 0.2
"""Of the leaky ReLU on negative inputs."""


def _scaled(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, std: float) -> nn.Module:
    """The layer with weights ~ N(0, std²) and zero biases."""
    nn.init.normal_(layer.weight, std=std)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _std(inputs: int, scale: float = 1.0) -> float:
    """He's standard deviation after a leaky ReLU, for a sum of this many inputs."""
    return scale * math.sqrt(2 / (1 + SLOPE**2) / inputs)


def _down(a: int, b: int) -> nn.Module:
    return _scaled(nn.Conv2d(a, b, 4, stride=2, padding=1), _std(16 * a))


def _activation(width: int, normalise: bool) -> list[nn.Module]:
    act = nn.LeakyReLU(SLOPE)
    return [group_norm(width), act] if normalise else [act]


class ConvGenerator(nn.Module):
    """Latents to images within [−1, 1].

    shape: (C, H, W). s.generator_width: channels on the finest grid, of half the image's sides.
    """

    def __init__(self, shape: Sequence[int], s: Settings) -> None:
        super().__init__()
        colours, height, width = shape
        self.sizes = [*halved_grids(height, width)[::-1], (height, width)]
        widths = channels(s.generator_width, len(self.sizes) - 1)[::-1]
        (h, w), first, normalise = self.sizes[0], widths[0], s.normalise
        self.start = (first, h, w)
        self.enter = _scaled(nn.Linear(s.latent_dim, first * h * w), 1 / math.sqrt(s.latent_dim))
        self.stages = nn.ModuleList()
        for a, b in itertools.pairwise([*widths, colours]):
            up = nn.ConvTranspose2d(a, b, 4, stride=2, padding=1)
            # Four of the sixteen taps meet an output pixel; the image starts in tanh's middle.
            is_last = len(self.stages) == len(widths) - 1
            _scaled(up, _std(4 * a, scale=0.5 if is_last else 1.0))
            blocks = [ResidualConv(a, normalise=normalise) for _ in range(s.generator_depth)]
            self.stages.append(nn.Sequential(*blocks, *_activation(a, normalise), up))

    def forward(self, z: Tensor) -> Tensor:
        """z: (n, d) -> (n, C, H, W), row by row."""
        h = self.enter(z).unflatten(1, self.start)
        for stage, (height, width) in zip(self.stages, self.sizes[1:], strict=True):
            h = stage(h)[..., :height, :width]
        return h.to(z.dtype).tanh()


class ConvCritic(nn.Module):
    """Packs of m images to one score each; a high score says real.

    shape: (C, H, W). s.critic_width: channels on the finest grid, of half the image's sides.
    """

    def __init__(self, shape: Sequence[int], s: Settings) -> None:
        super().__init__()
        colours, height, width = shape
        self.pack = s.pack
        count = len(halved_grids(height, width)) + 1
        widths = channels(s.critic_width, count)
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(itertools.pairwise([colours * s.pack, *widths])):
            layers.append(_down(a, b))
            if i < count - 1:
                layers += [ResidualConv(b, normalise=False) for _ in range(s.critic_depth)]
            layers.append(nn.LeakyReLU(SLOPE))
        self.trunk = nn.Sequential(*layers)
        inputs = widths[-1] * (height >> count) * (width >> count)
        self.head = _scaled(nn.Linear(inputs, 1), _std(inputs, scale=0.1))

    def forward(self, x: Tensor) -> Tensor:
        """x: (n, C, H, W), n a multiple of m -> (n/m,); rows km to km + m − 1 make pack k."""
        joined = x.reshape(len(x) // self.pack, -1, *x.shape[2:])
        score: Tensor = self.head(self.trunk(joined).flatten(1))
        return score.squeeze(1).to(x.dtype)
