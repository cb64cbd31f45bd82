"""Search spaces: for each kind of data, which options vary and between what.

points:
  lr: {low: 0.0005, high: 0.01, log: true}
  depth: {low: 1, high: 4}
  batch_size: [64, 128, 256]

One file a model, MODEL.yaml; those that come with the bench lie in configs/tuning. Everything is
checked against the model's own options, so a slip is one line before anything trains.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from benchbench.api import KINDS, ModelSpec, UsageError, unknown
from benchbench.api.config import describe_invalid
from benchbench.runner.config_files import embedded_folder, read_yaml

__all__ = ["Range", "Space", "embedded_spaces", "read_space"]


class Range(BaseModel):
    """Every number from low to high, both included; whole ones where both ends are whole.

    log: even in the logarithm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _rising(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must be less than high = {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low > 0, given {self.low}")
        return self

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Choices = tuple[Any, ...]
Space = Mapping[str, Range | Choices]
"""By option: a range, or the values to choose among."""

_RANGE = TypeAdapter(Range)


def embedded_spaces() -> Path:
    """The folder of the spaces that come with the bench."""
    return embedded_folder("tuning")


def read_space(spec: ModelSpec, kind: str, folder: Path) -> Space:
    """The space of a model for data of this kind, from MODEL.yaml in the folder.

    Raises UsageError in one line that names the file and the option.
    """
    path = folder / f"{spec.name}.yaml"
    if not path.is_file():
        have = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) or "none"
        raise UsageError(
            f"{spec.name} has no search space: write {str(path)!r}, or give --space a folder with "
            f"{path.name}; models with a space there: {have}"
        )
    content = read_yaml(path, repr(str(path)), "search space")
    if not isinstance(content, dict):
        raise UsageError(f"{str(path)!r} holds no mapping of data kinds to options")
    for given in content:
        if given not in KINDS:
            raise unknown(f"data kind in {str(path)!r}:", str(given), KINDS)
    options = content.get(kind)
    if not isinstance(options, dict) or not options:
        raise UsageError(f"{str(path)!r} names no options for {kind}; give it a key {kind!r}")
    return {name: _checked(spec, str(path), kind, name, value) for name, value in options.items()}


def _checked(spec: ModelSpec, path: str, kind: str, name: str, value: Any) -> Range | Choices:
    if name in spec.sampling.model_fields:
        raise UsageError(
            f"{path!r}: {name!r} is a sampling option; tuning varies training options alone"
        )
    if name not in spec.config.model_fields:
        raise unknown(f"option of {spec.name} in {path!r}:", str(name), spec.config.model_fields)
    where = f"{path!r}: {kind}.{name}"
    if isinstance(value, list):
        if not value:
            raise UsageError(f"{where} is an empty list; give values to choose among")
        return tuple(_valid(spec, name, each, where) for each in value)
    if not isinstance(value, dict):
        raise UsageError(f"{where} is {value!r}; give a list of values, or low, high and log")
    try:
        span = _RANGE.validate_python(value)
    except ValidationError as error:
        raise UsageError(f"{where}: {describe_invalid(error, Range)}") from None
    for end in (span.low, span.high):
        _valid(spec, name, end, where)
    return span


def _valid(spec: ModelSpec, name: str, value: Any, where: str) -> Any:
    """The value as the model's options hold it; raises UsageError where they refuse it."""
    try:
        config = spec.config.model_validate({name: value})
    except ValidationError as error:
        raise UsageError(f"{where}: {describe_invalid(error, spec.config)}") from None
    return config.model_dump(mode="json")[name]
