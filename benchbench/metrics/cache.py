"""Statistics of real data, kept on disk under a hash of all they depend on.

A file is named by its key, and says its key and the checksum of its tensors: what does not fit, or
can't be read, is computed again and replaced, never trusted. Written whole or not at all, so cells
in several processes may share a folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from benchbench.api.files import write_atomic

__all__ = ["StatisticCache", "source_digest"]


def source_digest(*modules: ModuleType) -> str:
    """Sixteen hexadecimal characters over the source of the modules that compute a statistic."""
    state = hashlib.sha256()
    for module in modules:
        assert module.__file__ is not None
        state.update(Path(module.__file__).read_bytes())
    return state.hexdigest()[:16]


class StatisticCache:
    """Named tensors by key. folder: where they are kept; None: nowhere, all are made anew."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = None if folder is None else folder / "statistics"

    def get(
        self, key: Mapping[str, Any], make: Callable[[], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """The tensors of this key, on the CPU when read; made and kept where they are missing.

        key: JSON-ready; every fact that the tensors depend on. torch's version and the number of
        threads, which the last bits depend on, are added. A folder that can't be written keeps
        nothing.
        """
        if self.folder is None:
            return make()
        facts = {"torch": torch.__version__, "threads": torch.get_num_threads(), **key}
        text = json.dumps(facts, sort_keys=True)
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.safetensors"
        found = _read(path, text)
        if found is not None:
            return found
        made = make()
        tensors = {name: t.detach().cpu().contiguous() for name, t in made.items()}
        about = {"key": text, "checksum": _checksum(tensors)}
        try:
            write_atomic(path, lambda temporary: save_file(tensors, temporary, about))
        except OSError:
            return made
        return made


def _read(path: Path, key: str) -> dict[str, Tensor] | None:
    """The tensors of a whole file of this key; None for any other."""
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError):
        return None
    whole = about.get("key") == key and about.get("checksum") == _checksum(tensors)
    return tensors if whole else None


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    state = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        state.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        state.update(tensor.contiguous().numpy().tobytes())
    return state.hexdigest()
