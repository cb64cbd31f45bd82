"""Counting floating-point operations with torch's own formulas.

torch's `FlopCounterMode` also tracks modules through hooks, and those hooks refuse
`torch.autograd.grad` with respect to a leaf: a gradient penalty cannot be counted with it. This
counter is the dispatch half alone, over the same registry of formulas: matrix products,
convolutions and attention, forward, backward and double backward. Elementwise work counts zero.
"""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

__all__ = ["FlopCounter"]


class FlopCounter(TorchDispatchMode):
    """A context that adds up FLOPs in `total` (int)."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += int(formula(*args, **kwargs, out_val=result))
        return result
