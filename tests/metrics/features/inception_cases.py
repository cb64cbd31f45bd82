"""Inception with random weights: what tests use, since the published ones can't be shipped.

He's initialisation keeps the size of activations through the network; the last block's scale is set
so that features have about the mean and spread of the published network's (0.4 and 0.4).
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from benchbench.metrics.features.inception import build

__all__ = ["random_tensors"]

LAST_SCALE = 3.0


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
            last = name.startswith("Mixed_7c") and name.endswith("bn.weight")
            made[name] = torch.full(tensor.shape, LAST_SCALE if last else 1.0)
        else:
            fan_in = tensor[0].numel()
            drawn = torch.randn(tensor.shape, generator=generator)
            made[name] = drawn * (2 / fan_in) ** 0.5
    return made
