"""Inception with random weights: what tests use, since the published ones can't be shipped.

He's initialisation, and batch normalisation whose statistics are those of a few images of noise and
of real digits: so activations keep their size through the network, and the features have about the
mean of the published network's, 0.4.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from benchbench.data.digits import LEVELS, digit_splits
from benchbench.metrics.features.inception import build, to_bytes

__all__ = ["digits", "noise", "random_tensors"]


def digits(n: int) -> Tensor:
    """Test digits in model space: (n, 1, 8, 8)."""
    return digit_splits()["test"].raw[:n].float() * (2 / (LEVELS - 1)) - 1


def noise(n: int) -> Tensor:
    """Uniform noise of the same shape, on the digits' grey levels."""
    top = LEVELS - 1
    drawn = torch.randint(LEVELS, (n, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    return drawn.float() * (2 / top) - 1


@cache
def random_tensors(seed: int = 0) -> dict[str, Tensor]:
    """Weights of the network's names and shapes, from a seeded generator."""
    generator = torch.Generator().manual_seed(seed)
    made: dict[str, Tensor] = {}
    for name, tensor in build().state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith(("running_mean", "bias")):
            made[name] = torch.zeros(tensor.shape)
        elif name.endswith(("running_var", "bn.weight")):
            made[name] = torch.ones(tensor.shape)
        else:
            drawn = torch.randn(tensor.shape, generator=generator)
            made[name] = drawn * (2 / tensor[0].numel()) ** 0.5
    return _calibrated(made)


def _calibrated(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same with the running statistics of one batch of images."""
    net = build(tensors).train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net(to_bytes(torch.cat([noise(4), digits(4)])))
    return {name: tensor for name, tensor in net.state_dict().items() if name in tensors}
