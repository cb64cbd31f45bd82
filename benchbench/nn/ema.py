"""Exponential moving average of parameters, updated in one foreach call."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

__all__ = ["EMA"]

M = TypeVar("M", bound=nn.Module)


class EMA(nn.Module, Generic[M]):
    """A copy of a module whose parameters follow θ̄ ← β θ̄ + (1 − β) θ.

    β grows with the step as min(decay, (1 + step)/(10 + step)), so that early averages forget
    their initialisation. Buffers are copied. The copy lives in `.module`, in eval mode, without
    gradients, and is part of the state dict.

    source: the module that is trained; it is not registered as a child.
    decay: β in the long run, in [0, 1).
    """

    step: torch.Tensor

    def __init__(self, source: M, decay: float) -> None:
        super().__init__()
        self.module: M = copy.deepcopy(source)
        self.module.requires_grad_(False)
        self.module.eval()
        self.decay = decay
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, source: nn.Module) -> None:
        """Take one step towards the parameters of `source`."""
        step = int(self.step)
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            list(self.module.parameters()), [p.detach() for p in source.parameters()], weight
        )
        for mine, theirs in zip(self.module.buffers(), source.buffers(), strict=True):
            mine.copy_(theirs)
        self.step += 1

    def train(self, mode: bool = True) -> EMA[M]:
        """The average stays in eval mode."""
        super().train(mode)
        self.module.eval()
        return self
