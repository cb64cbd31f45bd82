"""Digests of tensors, and tensors in one safetensors file whose damage is noticed.

safetensors checks the layout of a file and nothing else. Here the metadata carry a SHA-256 over
their other entries and every tensor's name, type, shape and bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from benchbench.api.errors import BenchError, one_line
from benchbench.api.files import write_atomic

__all__ = ["digest_tensors", "read_tensors", "write_tensors"]

_CHECKSUM = "sha256"


def digest_tensors(*tensors: Tensor | None) -> str:
    """The digest of a data set: SHA-256 over dtype, shape and bytes, in order, as 16 hexadecimal
    characters."""
    state = hashlib.sha256()
    for tensor in tensors:
        if tensor is None:
            state.update(b"none")
            continue
        array = tensor.detach().cpu().contiguous().numpy()
        state.update(f"{array.dtype}{array.shape}".encode())
        state.update(array.tobytes())
    return state.hexdigest()[:16]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Write tensors (any shape and dtype, none sharing memory) and text about them, atomically."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {**about, _CHECKSUM: _checksum(whole, about)}
    write_atomic(path, lambda temporary: temporary.write_bytes(save(whole, metadata)))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors, on the CPU, and the text about them.

    Raises BenchError naming the file where a bit of it is not what was written; nothing in the
    file is ever executed.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise BenchError(f"{path} is damaged: {one_line(str(error))}") from error
    if about.pop(_CHECKSUM, None) != _checksum(tensors, about):
        raise BenchError(f"{path} is damaged: its checksum is not that of its content")
    return tensors, about


def _checksum(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    state = hashlib.sha256(json.dumps(sorted(about.items())).encode())
    for name, tensor in sorted(tensors.items()):
        state.update(f"{name}\0{tensor.dtype}{tuple(tensor.shape)}".encode())
        state.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()
