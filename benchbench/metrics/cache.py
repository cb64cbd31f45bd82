"""Statistics of real data, kept on disk under a hash of all they depend on.

A file is named by its key, and says its key and the checksum of its tensors: what does not fit, or
can't be read, is computed again and replaced, never trusted. Written whole or not at all, so cells
in several processes may share a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from benchbench.api.errors import BenchError
from benchbench.api.tensors import read_tensors, write_tensors

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
        with contextlib.suppress(OSError):
            write_tensors(path, made, {"key": text})
        return made


def _read(path: Path, key: str) -> dict[str, Tensor] | None:
    """The tensors of a whole file of this key; None for any other."""
    if not path.is_file():
        return None
    try:
        tensors, about = read_tensors(path)
    except BenchError:
        return None
    return tensors if about.get("key") == key else None
