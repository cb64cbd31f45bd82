"""Features and classes of 8×8 digits, alone or three to an image as colour channels.

One small convolutional network reads a single digit x: (1, 8, 8) in [−1, 1]:

    h = batchnorm(W · trunk(x)) ∈ R⁶⁴      y = V silu(h) ∈ R¹⁰

y classifies; the features are h, BEFORE the nonlinearity. Each unit is standardised and close to
Gaussian, as a Fréchet distance supposes. A rectified penultimate layer has units that hardly ever
fire: there the same distance fell while images got worse. `train` makes the weights; the tests hold
the features to graded corruptions.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from benchbench.api import Assets
from benchbench.metrics.features.classifier import (
    ClassifierExtractor,
    ClassifierNet,
    conv,
    load_net,
)

__all__ = ["WEIGHTS", "DigitNet", "load_single", "load_stacked"]

WEIGHTS = Path(__file__).with_name("digits.safetensors")


class DigitNet(ClassifierNet):
    """The classifier of single digits."""

    side = 8
    features = 64
    batch = 4096  # about 30 MB of activations
    preprocessing = "one 8x8 channel at a time, in [-1, 1], version 1"

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            conv(1, 16),
            nn.AvgPool2d(2),
            conv(16, 32),
            conv(32, 32),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 2 * 2, self.features, bias=False),
            nn.BatchNorm1d(self.features, affine=False),
        )
        self.head = nn.Sequential(nn.SiLU(), nn.Dropout(0.2), nn.Linear(self.features, 10))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (n, 1, 8, 8) in [−1, 1] -> features (n, 64) and logits (n, 10)."""
        h = self.trunk(x)
        return h, self.head(h)


def load_single(assets: Assets | None = None) -> ClassifierExtractor:
    """The extractor of `digits`: (n, 1, 8, 8), 64 features, 10 modes."""
    return ClassifierExtractor(load_net(DigitNet, WEIGHTS), "digits-cnn")


def load_stacked(assets: Assets | None = None) -> ClassifierExtractor:
    """The extractor of `stacked-digits`: (n, 3, 8, 8), 192 features, 1000 modes."""
    return ClassifierExtractor(load_net(DigitNet, WEIGHTS), "digits-cnn", channels=3)
