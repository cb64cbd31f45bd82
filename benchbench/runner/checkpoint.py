"""A checkpoint in one safetensors file: tensors by number, the structure around them as JSON.

Nested dicts, lists and tuples of tensors and JSON scalars are written and read back; nothing in
the file is code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchbench.api.errors import BenchError, PluginError, one_line
from benchbench.api.tensors import read_tensors, write_tensors

__all__ = ["load_state", "save_state"]

_FORMAT = "benchbench-state-1"


def save_state(path: Path, state: Any) -> None:
    """Write nested state atomically; raises PluginError for a value that is not data."""
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_flatten(state, tensors, "state"))
    write_tensors(path, tensors, {"format": _FORMAT, "skeleton": skeleton})


def load_state(path: Path, device: torch.device | str = "cpu") -> Any:
    """Read what `save_state` wrote; raises BenchError naming the file where it is damaged."""
    tensors, about = read_tensors(path)
    if about.get("format") != _FORMAT:
        raise BenchError(f"{path} is not a state file of this bench")
    try:
        return _unflatten(json.loads(about["skeleton"]), lambda name: tensors[name].to(device))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BenchError(f"{path} is damaged: {one_line(str(error))}") from error


def _flatten(value: Any, tensors: dict[str, Tensor], where: str) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"t": name}
    if isinstance(value, dict):
        items = [
            [_flatten(k, tensors, where), _flatten(v, tensors, f"{where}.{k}")]
            for k, v in value.items()
        ]
        return {"d": items}
    if isinstance(value, list | tuple):
        kind = "l" if isinstance(value, list) else "u"
        return {kind: [_flatten(v, tensors, f"{where}[{i}]") for i, v in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return {"v": value}
    raise PluginError(
        f"{where} of the checkpoint is a {type(value).__name__}; a state_dict may hold tensors, "
        "numbers, text, None, dicts, lists and tuples"
    )


def _unflatten(node: dict[str, Any], tensor: Any) -> Any:
    ((kind, value),) = node.items()
    if kind == "t":
        return tensor(value)
    if kind == "d":
        return {_unflatten(k, tensor): _unflatten(v, tensor) for k, v in value}
    if kind in ("l", "u"):
        items = [_unflatten(v, tensor) for v in value]
        return items if kind == "l" else tuple(items)
    if kind == "v":
        return value
    raise ValueError(f"unknown node {kind!r}")
