"""Arithmetic of the instruments: full float32, whatever a plugin or the platform has set.

On recent GPUs cuDNN convolves float32 in TF32 (10 bits of mantissa) unless told otherwise, and
`torch.set_float32_matmul_precision` does the same to matrix products of the whole process. A model
may want that; features, neighbours and likelihoods must not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["full_float32"]


@contextmanager
def full_float32() -> Iterator[None]:
    """Inside (or in the function it decorates): float32 as IEEE 754 has it, and repeatable
    algorithms in cuDNN. What was set before is set again after it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
