"""torch.compile that leaves FLOP counting alone.

A compiled function runs kernels that a dispatch mode can't read: counted inside one, its FLOPs
would come out too small, and a budget in FLOPs too long. So the uncompiled function runs wherever a
dispatch mode is active (the harness's counted blocks of 64 steps, and all code between phases),
and the compiled one everywhere else. Which of them runs at a step depends on the step alone, so a
resumed training takes the same turns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

__all__ = ["compiled", "compiled_forward"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(
    function: Callable[P, R], *, enabled: bool, backend: str | Callable[..., Any] = "inductor"
) -> Callable[P, R]:
    """`function`, compiled where `enabled` and where no dispatch mode is active.

    function: of tensors, or a module; it is compiled at its first call outside a mode.
    backend: of torch.compile.
    """
    if not enabled:
        return function
    fast = torch.compile(function, backend=backend)

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if _get_current_dispatch_mode() is not None:
            return function(*args, **kwargs)
        result: R = fast(*args, **kwargs)
        return result

    return call


@contextlib.contextmanager
def compiled_forward(*modules: nn.Module, enabled: bool) -> Iterator[None]:
    """Inside, each module's forward is `compiled`; state dicts do not change.

    For a training: sampling and likelihoods afterwards see the modules as they were.
    """
    if not enabled:
        yield
        return
    for module in modules:
        module.forward = compiled(module.forward, enabled=True)
    try:
        yield
    finally:
        for module in modules:
            del module.forward
