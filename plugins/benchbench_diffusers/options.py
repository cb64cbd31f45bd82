"""What `diffusers:FOLDER` means: the checked spec of one saved pipeline. Loads no torch.

Nothing in the folder is executed: every component must be one of diffusers' own classes, and
weights must be safetensors.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import Field

from benchbench.api import Config, ModelSpec, UsageError
from benchbench.api.files import file_digest
from benchbench.api.names import instance_name

__all__ = ["PipelineSampling", "pipeline_instance"]

INDEX = "model_index.json"
_EXECUTABLE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack")


class PipelineSampling(Config):
    """How a pipeline is sampled."""

    steps: int | None = Field(
        None, ge=1, le=100_000, description="steps of the scheduler (default: the pipeline's own)"
    )


def pipeline_instance(spec: ModelSpec, argument: str) -> ModelSpec:
    """The model of one folder; raises UsageError where it holds no pipeline that can be used."""
    typed = f"{spec.name}:{argument}"
    if find_spec("diffusers") is None:
        raise UsageError(f"{typed} needs diffusers; install benchbench[diffusers]")
    try:
        folder = Path(argument).expanduser().resolve()
        there = folder.is_dir()
    except (OSError, ValueError, RuntimeError):  # a NUL byte, a loop of links
        there = False
    if not there:
        raise UsageError(f"{typed!r} is not a folder; give one that a pipeline was saved to")
    if not str(folder).isprintable():
        raise UsageError(f"{typed!a} has characters in its path that can't be printed; rename it")
    index = _read(folder / INDEX, typed)
    shape = _checked(index, folder, typed)
    facts = tuple(
        (str(file.relative_to(folder)), file.stat().st_size, file.stat().st_mtime_ns)
        for file in sorted(folder.rglob("*"))
        if file.suffix in (".json", ".safetensors") and file.is_file()
    )
    return replace(
        spec,
        name=instance_name(spec.name, str(folder)),
        source=(str(folder), _digest(folder, facts)),
        shape=shape,
    )


def _checked(index: dict[str, Any], folder: Path, typed: str) -> tuple[int, ...] | None:
    """The shape of a sample, where a network's configuration tells it."""
    if not isinstance(index.get("_class_name"), str):
        raise UsageError(f"{typed}: {INDEX} names no pipeline of diffusers as its _class_name")
    if any(folder.rglob("*.py")):
        raise UsageError(f"{typed} holds Python files, which are not run; remove them")
    shape = None
    for name, component in index.items():
        if name.startswith("_") or not isinstance(component, list):
            continue
        if not name.isidentifier():
            raise UsageError(f"{typed}: {INDEX} names a part {name!r}, which is no folder's name")
        if len(component) != 2 or component[0] not in ("diffusers", None):
            raise UsageError(
                f"{typed}: its part {name!r} comes from {component[0] if component else '?'!r}; "
                "allowed: pipelines whose parts are all diffusers' own classes"
            )
        weights = sorted(folder.joinpath(name).glob("*"))
        if any(file.suffix in _EXECUTABLE for file in weights) and not any(
            file.suffix == ".safetensors" for file in weights
        ):
            raise UsageError(
                f"{typed}: the weights of {name!r} are pickled and so are not loaded; save the "
                "pipeline again with safe_serialization=True"
            )
        config = folder / name / "config.json"
        if name == "unet" and "vae" not in index and "vqvae" not in index and config.is_file():
            shape = _shape(_read(config, typed))
    return shape


def _shape(config: dict[str, Any]) -> tuple[int, ...] | None:
    """(channels, height, width) of what a network denoises, where it says so."""
    size, channels = config.get("sample_size"), config.get("out_channels")
    height, width = size if isinstance(size, list) and len(size) == 2 else (size, size)
    if isinstance(height, int) and isinstance(width, int) and isinstance(channels, int):
        return channels, height, width
    return None


def _read(path: Path, typed: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(
            f"{typed} holds no {path.name}; give a folder that save_pretrained has written"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{typed}: {path.name} is not readable as JSON: {error}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{typed}: {path.name} holds no JSON object")
    return content


@cache
def _digest(folder: Path, facts: tuple[tuple[str, int, int], ...]) -> str:
    """Of names and bytes; sizes and times only say when to read them again."""
    state = hashlib.sha256()
    for name, _, _ in facts:
        state.update(f"{name}\0{file_digest(folder / name)}\0".encode("utf-8", "surrogateescape"))
    return state.hexdigest()
