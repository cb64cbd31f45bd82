"""Differentiable augmentation: what the critic sees of real and of generated images.

    D(T(x)), D(T(G(z))),   T drawn anew for each image, gradients through T to the generator

    translation   by up to an eighth of each side; what comes in is 0
    all           brightness, saturation and contrast, then a translation, then a square of half
                  the sides set to 0

The critic never sees an image twice alike and so learns few of them by heart; T is applied to both
sides, so the generator need not imitate it. Worth it where images are few. "Differentiable
Augmentation for Data-Efficient GAN Training", Zhao et al., 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench_gan.config import Augment

__all__ = ["augment"]

SHIFT = 8
"""A translation moves an image by at most this part of a side."""


def augment(x: Tensor, policy: Augment, generator: torch.Generator) -> Tensor:
    """x: (n, C, H, W) in [−1, 1] -> the same shape; differentiable in x."""
    if policy == "none":
        return x
    if policy == "all":
        x = _coloured(x, generator)
    x = _translated(_translated(x, 2, generator), 3, generator)
    return _cut(x, generator) if policy == "all" else x


def _coloured(x: Tensor, generator: torch.Generator) -> Tensor:
    """Brightness within ±1/2, saturation between 0 and 2, contrast between 1/2 and 3/2."""
    u = torch.rand((3, len(x), 1, 1, 1), generator=generator, device=x.device, dtype=x.dtype)
    x = x + (u[0] - 0.5)
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * (2 * u[1])
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (x - middle) * (u[2] + 0.5)


def _translated(x: Tensor, dim: int, generator: torch.Generator) -> Tensor:
    """Each image moved along one axis of its two."""
    side = x.shape[dim]
    most = side // SHIFT
    shift = torch.randint(-most, most + 1, (len(x), 1), generator=generator, device=x.device)
    source = torch.arange(side, device=x.device) + shift
    within = (source >= 0) & (source < side)
    shape = [len(x), 1, 1, 1]
    shape[dim] = side
    return x.gather(dim, source.clamp(0, side - 1).view(shape).expand_as(x)) * within.view(shape)


def _cut(x: Tensor, generator: torch.Generator) -> Tensor:
    """A rectangle of half the sides, its centre anywhere in the image, set to 0."""
    n, _, height, width = x.shape
    u = torch.rand((2, n, 1), generator=generator, device=x.device)
    down = (torch.arange(height, device=x.device) + 0.5 - height * u[0]).abs() < height / 4
    across = (torch.arange(width, device=x.device) + 0.5 - width * u[1]).abs() < width / 4
    return x * ~(down.unsqueeze(2) & across.unsqueeze(1)).unsqueeze(1)
