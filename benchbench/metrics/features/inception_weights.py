"""Where the weights of Inception come from, and that a file holds them and nothing else.

In this order: the file the user names, the file that torch-fidelity itself has fetched before, a
download where the user asks for one. A file is read without running anything in it: safetensors,
or `torch.load` restricted to tensors; then every name and shape is compared with the network's.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from benchbench.api import Assets, UsageError
from benchbench.api.files import file_digest

__all__ = [
    "KEY",
    "SHA256",
    "SIZE",
    "URL",
    "Weights",
    "cached_file",
    "check_tensors",
    "find_weights",
]

KEY = "inception"
"""The weights' name in `Assets.weights`."""
URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of the published file; its name carries the first eight digits."""
SIZE = 95_628_359
"""Of the published file, in bytes."""
_FILE = URL.rpartition("/")[2]


@dataclass(frozen=True)
class Weights:
    """The tensors of one file. published: whether the file is the one behind published scores."""

    tensors: dict[str, Tensor]
    published: bool


def find_weights(found: Assets, expected: Mapping[str, torch.Size]) -> Weights:
    """The weights to use; raises UsageError, in one line, where there are none or a wrong file.

    expected: the shape of each tensor of the network.
    """
    named = found.weights.get(KEY)
    if named is not None:
        return _read(named, expected, "--inception-weights")
    cached = cached_file()
    if cached.is_file():
        if file_digest(cached) != SHA256:
            raise UsageError(
                f"torch-fidelity's cached weights {cached} are damaged (SHA-256 is not "
                f"{SHA256[:8]}...); delete the file, or name another with --inception-weights FILE"
            )
        return _read(cached, expected, "torch-fidelity's cache")
    ways = f"name a file with --inception-weights FILE, or put {_FILE} into {cached.parent}"
    path = found.fetch(URL, sha256=SHA256, name=f"inception/{_FILE}", size=SIZE, ways=ways)
    return _read(path, expected, "download")


def cached_file() -> Path:
    """Where torch-fidelity keeps the weights it fetches: the checkpoints folder of torch.hub."""
    return Path(torch.hub.get_dir()) / "checkpoints" / _FILE


def check_tensors(loaded: object, expected: Mapping[str, torch.Size]) -> str:
    """What keeps `loaded` from being the network's weights, in a few words; empty: nothing.

    The counters of batch normalisation may be absent: nothing is computed with them.
    """
    if not isinstance(loaded, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in loaded.items()
    ):
        return "it holds something other than named tensors"
    needed = {name for name in expected if not name.endswith("num_batches_tracked")}
    missing, strange = sorted(needed - set(loaded)), sorted(set(loaded) - set(expected))
    if missing:
        return f"{len(missing)} of {len(needed)} tensors are missing, the first {missing[0]!r}"
    if strange:
        return f"it has {len(strange)} unknown tensors, the first {strange[0]!r}"
    for name in sorted(needed):
        tensor = loaded[name]
        if tensor.shape != expected[name]:
            shapes = f"{tuple(tensor.shape)}, not {tuple(expected[name])}"
            return f"{name!r} has the shape {shapes}"
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            return f"{name!r} is not made of finite floating-point numbers"
    return ""


def _read(path: Path, expected: Mapping[str, torch.Size], source: str) -> Weights:
    if not path.is_file():
        raise UsageError(f"Inception weights: {path} ({source}) is not a file")
    try:
        loaded = _load(path)
    except Exception as error:  # whatever a damaged or hostile file makes the reader raise
        wrong = f"it can't be read as tensors and nothing else ({type(error).__name__})"
    else:
        wrong = check_tensors(loaded, expected)
    if wrong:
        raise UsageError(
            f"Inception weights: {path} ({source}) is not a file of them: {wrong}; wanted is "
            f"{_FILE} or its tensors as .safetensors"
        )
    used = {
        name: tensor.to(torch.float32)
        for name, tensor in loaded.items()
        if not name.endswith("num_batches_tracked")
    }
    return Weights(used, published=file_digest(path) == SHA256)


def _load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    with warnings.catch_warnings(action="ignore"):  # of old formats: a wrong file has one line
        return torch.load(path, map_location="cpu", weights_only=True)
