"""Generated samples on disk, in the data set's stored form, as safetensors."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from benchbench.api.errors import BenchError
from benchbench.api.tensors import read_tensors, write_tensors

__all__ = ["read_samples", "write_samples"]


def write_samples(path: Path, raw: Tensor, key: str) -> None:
    """Write samples (n, *shape), uint8 or float32, with the key of what made them."""
    write_tensors(path, {"samples": raw}, {"key": key})


def read_samples(path: Path, key: str | None = None, count: int | None = None) -> Tensor | None:
    """The first `count` samples of a file (None: all).

    None where there is no whole file, it holds fewer, or another key made them.
    """
    if not path.is_file():
        return None
    try:
        tensors, about = read_tensors(path)
    except BenchError:
        return None
    found = tensors.get("samples")
    if found is None or (key is not None and about.get("key") != key):
        return None
    if count is not None and len(found) < count:
        return None
    return found[:count]
