"""Exponential moving average of parameters, updated in one foreach call."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

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
        self._steps = 0  # the same on the host, so that no update waits for the device
        # To walk through the modules costs more than the update itself.
        self._places: tuple[nn.Module, _Places, _Places] | None = None
        self.register_load_state_dict_post_hook(_read_step)

    @torch.no_grad()
    def update(self, source: nn.Module) -> None:
        """Take one step towards the parameters of `source`."""
        weight = 1 - min(self.decay, (1 + self._steps) / (10 + self._steps))
        if self._places is None or self._places[0] is not source:
            self._places = source, _Places(self.module), _Places(source)
        _, mine, theirs = self._places
        torch._foreach_lerp_(mine.parameters(), theirs.parameters(), weight)
        for ours, buffer in zip(mine.buffers(), theirs.buffers(), strict=True):
            ours.copy_(buffer)
        self._steps += 1
        self.step.fill_(self._steps)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_places": None}  # a copy has no part in the source

    def train(self, mode: bool = True) -> EMA[M]:
        """The average stays in eval mode."""
        super().train(mode)
        self.module.eval()
        return self


class _Places:
    """Where the parameters and the buffers of a module hang, each of them once."""

    def __init__(self, module: nn.Module) -> None:
        self._parameters = _owners(module, "_parameters", module.named_parameters())
        self._buffers = _owners(module, "_buffers", module.named_buffers())

    def parameters(self) -> list[torch.Tensor]:
        """Those that hang there now: a module that is moved may get others."""
        return [owner[leaf] for owner, leaf in self._parameters]

    def buffers(self) -> list[torch.Tensor]:
        """The same of buffers."""
        return [owner[leaf] for owner, leaf in self._buffers]


def _owners(
    module: nn.Module, table: str, named: Iterable[tuple[str, torch.Tensor]]
) -> list[tuple[dict[str, torch.Tensor], str]]:
    """The submodule's own table of each, and its name there."""
    parts = (name.rpartition(".") for name, _ in named)
    return [(getattr(module.get_submodule(path), table), leaf) for path, _, leaf in parts]


def _read_step(average: EMA[nn.Module], _: object) -> None:
    average._steps = int(average.step)
