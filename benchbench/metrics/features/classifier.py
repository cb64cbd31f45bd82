"""Features and classes of single-channel images by a small classifier, one channel at a time.

A channel is an image of its own: stacked data sets hold several to an image.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchbench.api import NotAvailable
from benchbench.api.evaluation import Extractor
from benchbench.metrics.features.digest import digest_of

__all__ = ["ClassifierExtractor", "ClassifierNet", "conv", "load_net"]


class ClassifierNet(nn.Module, abc.ABC):
    """A classifier of (n, 1, side, side) images in [−1, 1] whose features carry scores.

    side: pixels. features: numbers it gives an image. batch: images in the network at once.
    preprocessing: what happens to an image before it, in words; part of the digest.
    """

    side: int
    features: int
    batch: int
    preprocessing: str

    @abc.abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (n, 1, side, side) in [−1, 1] -> features (n, features) and logits (n, classes)."""


class ClassifierExtractor(Extractor):
    """Features and modes of (n, c, side, side) images, each channel an image of its own.

    net: the trained classifier, used in eval mode. label: of the trained network, to which the
    number of features is added for the name. channels: c.
    Features: the channels' features side by side. Mode: the number that the channels' classes
    spell, first channel most significant. Confidence: the product of the channels' largest class
    probabilities, which is the network's probability for that number.
    """

    def __init__(self, net: ClassifierNet, label: str, channels: int = 1) -> None:
        self.name = f"{label}-{net.features * channels}"
        self.channels = channels
        self.net = net.eval().requires_grad_(False)
        self.digest = digest_of(net.preprocessing, net.state_dict())

    def features(self, x: Tensor) -> Tensor:
        """x: (n, c, side, side) in [−1, 1] -> (n, features·c) float32."""
        return torch.cat([h for h, _ in self._read(x)]).view(len(x), -1)

    def modes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (n, c, side, side) in [−1, 1] -> int64 (n,) in [0, 10^c), confidence (n,)."""
        read = [logits.softmax(dim=1).max(dim=1) for _, logits in self._read(x)]
        digit = torch.cat([r.indices for r in read]).view(-1, self.channels)
        confidence = torch.cat([r.values for r in read]).view(-1, self.channels)
        place = 10 ** torch.arange(self.channels - 1, -1, -1, device=x.device)
        return (digit * place).sum(dim=1), confidence.prod(dim=1)

    @torch.no_grad()
    def _read(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        side = self.net.side
        if x.dim() != 4 or x.shape[1:] != (self.channels, side, side):
            raise NotAvailable(
                f"{self.name} reads (n, {self.channels}, {side}, {side}), not {tuple(x.shape)}"
            )
        self.net.to(x.device)
        with torch.autocast(x.device.type, enabled=False):
            images = x.float().reshape(-1, 1, side, side)
            return [self.net(batch) for batch in images.split(self.net.batch)]


Net = TypeVar("Net", bound=ClassifierNet)


def load_net(make: Callable[[], Net], weights: Path) -> Net:
    """The network with the weights of a safetensors file; draws no random numbers."""
    with torch.device("meta"):
        net = make()
    net.load_state_dict(load_file(weights), assign=True)
    return net


def conv(inputs: int, outputs: int) -> nn.Sequential:
    """A 3 × 3 convolution, batch normalisation, SiLU: (n, inputs, h, w) -> (n, outputs, h, w)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU()
    )
