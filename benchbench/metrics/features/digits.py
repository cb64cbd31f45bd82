"""Features and classes of 8×8 digits, alone or three to an image as colour channels.

One small convolutional network reads a single digit x: (1, 8, 8) in [−1, 1]:

    h = batchnorm(W · trunk(x)) ∈ R⁶⁴      y = V silu(h) ∈ R¹⁰

y classifies; the features are h, BEFORE the nonlinearity. Each unit is standardised and close to
Gaussian, as a Fréchet distance supposes. A rectified penultimate layer has units that hardly ever
fire: there the same distance fell while images got worse. `train_digits` makes the weights; the
tests hold the features to graded corruptions.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchbench.api import Assets
from benchbench.api.evaluation import Extractor

__all__ = ["WEIGHTS", "DigitExtractor", "DigitNet", "load_single", "load_stacked"]

WEIGHTS = Path(__file__).with_name("digits.safetensors")
PREPROCESSING = "one 8x8 channel at a time, in [-1, 1], version 1"
BATCH = 4096
"""Single digits in the network at once: about 30 MB of activations."""


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU()
    )


class DigitNet(nn.Module):
    """The classifier of single digits."""

    features = 64

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            _conv(1, 16),
            nn.AvgPool2d(2),
            _conv(16, 32),
            _conv(32, 32),
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


class DigitExtractor(Extractor):
    """Features and modes of (n, c, 8, 8) images, each channel a digit.

    net: the trained classifier, used in eval mode. channels: c.
    Features: the channels' 64 features side by side, (n, 64·c).
    Mode: the number the digits spell, first channel most significant. Confidence: the product of
    the channels' largest class probabilities, which is the network's probability for that number.
    """

    def __init__(self, net: DigitNet, channels: int) -> None:
        self.name = f"digits-cnn-{DigitNet.features * channels}"
        self.channels = channels
        self.net = net.eval().requires_grad_(False)
        self.digest = _digest(net)

    def features(self, x: Tensor) -> Tensor:
        """x: (n, c, 8, 8) in [−1, 1] -> (n, 64·c) float32."""
        return torch.cat([h for h, _ in self._read(x)]).view(len(x), -1)

    def modes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (n, c, 8, 8) in [−1, 1] -> int64 (n,) in [0, 10^c), confidence (n,)."""
        read = [logits.softmax(dim=1).max(dim=1) for _, logits in self._read(x)]
        digit = torch.cat([r.indices for r in read]).view(-1, self.channels)
        confidence = torch.cat([r.values for r in read]).view(-1, self.channels)
        place = 10 ** torch.arange(self.channels - 1, -1, -1, device=x.device)
        return (digit * place).sum(dim=1), confidence.prod(dim=1)

    @torch.no_grad()
    def _read(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        if x.dim() != 4 or x.shape[1:] != (self.channels, 8, 8):
            raise ValueError(f"{self.name} reads (n, {self.channels}, 8, 8), not {tuple(x.shape)}")
        self.net.to(x.device)
        with torch.autocast(x.device.type, enabled=False):
            digits = x.float().reshape(-1, 1, 8, 8)
            return [self.net(batch) for batch in digits.split(BATCH)]


def load_single(assets: Assets | None = None) -> DigitExtractor:
    """The extractor of `digits`: (n, 1, 8, 8), 64 features, 10 modes."""
    return DigitExtractor(_load(), channels=1)


def load_stacked(assets: Assets | None = None) -> DigitExtractor:
    """The extractor of `stacked-digits`: (n, 3, 8, 8), 192 features, 1000 modes."""
    return DigitExtractor(_load(), channels=3)


def _load() -> DigitNet:
    # On the meta device no random numbers are drawn: loading leaves the global generator alone.
    with torch.device("meta"):
        net = DigitNet()
    net.load_state_dict(load_file(WEIGHTS), assign=True)
    return net


def _digest(net: nn.Module) -> str:
    """SHA-256 over the preprocessing and each tensor's name, type, shape and bytes; 16 digits."""
    state = hashlib.sha256(PREPROCESSING.encode())
    for name, tensor in sorted(net.state_dict().items()):
        array = tensor.detach().cpu().contiguous().numpy()
        state.update(f"{name}{array.dtype}{array.shape}".encode())
        state.update(array.tobytes())
    return state.hexdigest()[:16]
