"""Batches in shuffled epochs, each a function of the seed and the step alone.

Epoch e uses the permutation of a generator seeded from (seed, e), so a resumed training needs
its step and nothing else to go on with the same batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchbench.api.errors import PluginError
from benchbench.api.seeding import seeded_generator

__all__ = ["BatchPool"]


class BatchPool:
    """Rows of resident tensors.

    source: a tensor (n, …), or a tuple of them with equal n, on any device.
    convert: applied to each batch (stored form to model space), or None.
    """

    def __init__(
        self,
        source: Tensor | tuple[Tensor, ...],
        convert: Callable[[Tensor], Tensor] | None,
        batch_size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._tensors = (source,) if isinstance(source, Tensor) else tuple(source)
        self._single = isinstance(source, Tensor)
        self._convert = convert
        self._seed, self._device = seed, device
        self.batch_size = batch_size
        sizes = {len(tensor) for tensor in self._tensors}
        if len(sizes) != 1:
            raise PluginError(f"source tensors have unequal lengths: {sorted(sizes)}")
        (self._n,) = sizes
        if not 1 <= batch_size <= self._n:
            raise PluginError(
                f"batch_size is {batch_size}; allowed: 1 to {self._n}, the training examples"
            )
        self._per_epoch = self._n // batch_size
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def batch(self, step: int) -> Any:
        """The batch of this step, counted from 0 over all epochs."""
        epoch, position = divmod(step, self._per_epoch)
        if epoch != self._epoch:
            generator = seeded_generator("cpu", self._seed, epoch)
            self._order = torch.randperm(self._n, generator=generator).to(self._device)
            self._epoch = epoch
        rows = self._order[position * self.batch_size : (position + 1) * self.batch_size]
        picked = [tensor[rows] for tensor in self._tensors]
        if self._convert is not None:
            picked = [self._convert(tensor) for tensor in picked]
        return picked[0] if self._single else tuple(picked)
