"""Images that get worse step by step: what a feature space has to notice before it carries a FID.

A ladder is a list of rungs; the Fréchet distance to real images must rise from each to the next.

    blur        Gaussian, by its standard deviation in pixels
    noise       Gaussian, by its standard deviation (images span 2)
    dropped     classes 0 … k − 1 left out
    rank        reconstructions from the first k principal components of the training images: what
                autoencoders with fewer and fewer latents do
    shift       moved down and right by whole pixels

Beside the ladders, one order between two kinds: images drawn from one Gaussian a class in k
principal components (`drawn`) must not score better than the reconstructions from the same k, which
hold all that such a sampler can know. Features that miss blur reverse that.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

__all__ = ["Components", "blurred", "ladders", "noisy", "quantised", "ranks", "shifted"]

BLUR = (0.4, 0.5, 0.6, 0.8, 1.0, 1.5)
"""From 0.4 pixels on: 0.3 leaks 1/256 to a neighbour, which few grey levels round away."""
NOISE = (0.1, 0.15, 0.2, 0.3, 0.5, 0.8)
KEPT = (0.5, 0.375, 0.25, 0.125, 0.0625, 0.03, 0.015)
"""Principal components kept, as a share of all."""
SHIFTS = (1, 2, 3)
REACH = 6
"""Half-width of the blur's kernel: four of its largest standard deviations."""


def quantised(x: Tensor, levels: int) -> Tensor:
    """x in [−1, 1] rounded to grey levels, as a file would hold it."""
    top = (levels - 1) / 2
    return ((x + 1) * top).round().clamp(0, levels - 1) / top - 1


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of `sigma` pixels, edges repeated: (n, c, h, w) -> the same."""
    n, c, h, w = x.shape
    axis = torch.arange(-REACH, REACH + 1, dtype=x.dtype)
    kernel = torch.exp(-(axis**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    x = x.reshape(n * c, 1, h, w)
    x = conv2d(pad(x, (REACH, REACH, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    x = conv2d(pad(x, (0, 0, REACH, REACH), mode="replicate"), kernel.view(1, 1, -1, 1))
    return x.view(n, c, h, w)


def noisy(x: Tensor, sigma: float, seed: int = 3) -> Tensor:
    """White noise added, the same draw at every σ."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    return (x + sigma * noise).clamp(-1, 1)


def shifted(x: Tensor, pixels: int) -> Tensor:
    """Moved down and right, background −1 let in: (n, c, h, w) -> the same."""
    return pad(x, (pixels, 0, pixels, 0), value=-1)[..., : x.shape[2], : x.shape[3]]


@dataclass(frozen=True)
class Components:
    """Principal components of single-channel images, and a sampler in them.

    mean: (d,). axes: (d, d), by falling variance. codes: (n, d). labels: (n,).
    shape: of an image.
    """

    mean: Tensor
    axes: Tensor
    codes: Tensor
    labels: Tensor
    shape: torch.Size

    @classmethod
    def of(cls, x: Tensor, labels: Tensor) -> Components:
        """Of training images x: (n, c, h, w)."""
        flat = x.flatten(1)
        mean = flat.mean(dim=0)
        centred = flat - mean
        _, vectors = torch.linalg.eigh(centred.T.double() @ centred.double())
        axes = vectors.flip(1).T.to(x.dtype)
        return cls(mean, axes, centred @ axes.T, labels, x.shape[1:])

    def reconstructed(self, x: Tensor, k: int) -> Tensor:
        """x from its first k components, in [−1, 1]."""
        flat = (x.flatten(1) - self.mean) @ self.axes[:k].T @ self.axes[:k] + self.mean
        return flat.view_as(x).clamp(-1, 1)

    def drawn(self, k: int, counts: Tensor) -> Tensor:
        """counts[c] images of each class, from its Gaussian in the first k components."""
        generator, found = torch.Generator().manual_seed(k), []
        for label, count in enumerate(counts.tolist()):
            own = self.codes[self.labels == label, :k]
            root = torch.linalg.cholesky(torch.cov(own.T).view(k, k) + 1e-6 * torch.eye(k))
            found.append(own.mean(0) + torch.randn(count, k, generator=generator) @ root.T)
        flat = torch.cat(found) @ self.axes[:k] + self.mean
        return flat.view(-1, *self.shape).clamp(-1, 1)


def ranks(components: Components) -> list[int]:
    """How many components the ladder `rank` keeps."""
    return [max(1, round(share * len(components.mean))) for share in KEPT]


def ladders(x: Tensor, labels: Tensor, components: Components) -> dict[str, dict[str, Tensor]]:
    """Ladders of held-out images x: (n, c, h, w), each from the images as they are downwards."""
    classes = int(labels.max()) + 1
    return {
        "blur": {"0": x, **{f"{s:g} px": blurred(x, s) for s in BLUR}},
        "noise": {"0": x, **{f"{s:g}": noisy(x, s) for s in NOISE}},
        "dropped": {f"{k}": x[labels >= k] for k in range(classes)},
        "rank": {"all": x, **{f"{k}": components.reconstructed(x, k) for k in ranks(components)}},
        "shift": {"0": x, **{f"{d} px": shifted(x, d) for d in SHIFTS}},
    }
