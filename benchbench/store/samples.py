"""Generated samples on disk, in the data set's stored form, as safetensors."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from benchbench.store.files import write_atomic

__all__ = ["read_samples", "write_samples"]


def write_samples(path: Path, raw: Tensor, key: str) -> None:
    """Write samples (n, *shape), uint8 or float32, with the key of what made them."""
    tensors = {"samples": raw.cpu().contiguous()}
    write_atomic(path, lambda file: save_file(tensors, file, metadata={"key": key}))


def read_samples(path: Path, key: str | None = None, count: int | None = None) -> Tensor | None:
    """The first `count` samples of a file (None: all).

    None where there is no readable file, it holds fewer, or another key made them.
    """
    try:
        with safe_open(path, framework="pt") as file:
            if key is not None and (file.metadata() or {}).get("key") != key:
                return None
            found = file.get_slice("samples")
            n = found.get_shape()[0]
            if count is not None and n < count:
                return None
            return found[: n if count is None else count]
    except (OSError, SafetensorError, KeyError):
        return None
