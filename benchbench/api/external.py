"""Models that were trained elsewhere: they are sampled and measured, and never fitted.

A Python callable `f(n, generator) -> Tensor` is one; a plugin's own subclass of `ExternalModel`
(a saved pipeline, say) is another. Its constructor takes config, data and, where its spec has an
argument, that argument; it must leave the module ready to be sampled.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchbench.api.config import Config
from benchbench.api.data import DataInfo
from benchbench.api.errors import NotAvailable, PluginError
from benchbench.api.model import Model
from benchbench.api.training import Training

__all__ = ["CallableModel", "ExternalModel"]


class ExternalModel(Model):
    """Base of a model whose training is none of the bench's business."""

    def fit(self, training: Training) -> None:
        """Refused: it is trained already."""
        raise PluginError(f"{type(self).__name__} was trained elsewhere; it can't be fitted")


class CallableModel(ExternalModel):
    """Draws from a function `f(n, generator)` or `f(n, *, generator)`.

    It returns float32 (n, *shape) on the generator's device, in model space: images in [-1, 1],
    points and signals standardised by the training split. All its randomness comes from the
    generator.
    """

    def __init__(self, config: Config, data: DataInfo, function: Callable[..., Tensor]) -> None:
        super().__init__(config, data)
        self._function = function
        self._by_name = "generator" in _parameters(function)

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        if self._by_name:
            return self._function(n, generator=generator)
        return self._function(n, generator)

    def nfe(self, **sampling: Any) -> int:
        if self.config.nfe is None:
            raise NotAvailable(
                "how many networks a function evaluates can't be seen; say so: "
                "module:function[nfe=50]"
            )
        return self.config.nfe


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # written in C
        return ()
