"""Suite files: what to run, in YAML, every key checked and unknown ones refused.

name: default
models: [ldm, vae, "gan[loss=non-saturating]"]
datasets: [grid25, stacked-digits]
seeds: [0, 1, 2]
budget: 2e12flop
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from benchbench.api import UsageError
from benchbench.api.config import describe_invalid
from benchbench.runner.config_files import embedded_files, find_file, read_yaml

__all__ = ["Suite", "describe_invalid", "embedded_suites", "load_suite"]

MAX_SEEDS = 1_000
MAX_SEED = 2**31 - 1


class Suite(BaseModel):
    """A suite as written; `plan.resolve` turns it into cells."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field("run", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    summary: str = ""
    models: tuple[str, ...] = Field(min_length=1)
    datasets: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0, le=MAX_SEED)], ...] = Field(
        (0,), min_length=1, max_length=MAX_SEEDS
    )
    budget: str = "2e12flop"
    fractions: tuple[float, ...] = Field((), max_length=100)
    ceiling_seconds: float | None = Field(None, gt=0)
    extractor: str = "auto"
    controls: bool = False
    metrics: dict[str, dict[str, Any]] = Field(default_factory=dict)
    set: dict[str, Any] = Field(default_factory=dict)
    threads: int = Field(1, ge=1, le=1024)
    device: str = "auto"
    precision: str = Field("auto", pattern="^(auto|float32|bfloat16)$")
    plugins: tuple[str, ...] = ()

    @field_validator("fractions")
    @classmethod
    def _rising(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < f < 1 for f in fractions) or len(set(fractions)) < len(fractions):
            raise ValueError("must be distinct numbers above 0 and below 1, as in 0.25,0.5,0.75")
        return tuple(sorted(fractions))


def embedded_suites() -> dict[str, Path]:
    """The suites that come with the bench, by name."""
    return embedded_files("suites")


def load_suite(given: str) -> Suite:
    """Read a suite file, or an embedded suite by its name.

    Raises UsageError in one line that names the file and the key.
    """
    path = find_file(given, "suites", "suite")
    content = read_yaml(path, f"suite {given!r}", "suite file")
    if not isinstance(content, dict):
        raise UsageError(f"suite {given!r} holds no mapping of keys to values")
    content.setdefault("name", re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).lstrip("-_.") or "run")
    content["metrics"] = _as_mapping(content.get("metrics"))
    try:
        return Suite.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"suite {given!r}: {describe_invalid(error, Suite)}") from None


def _as_mapping(metrics: Any) -> Any:
    """A list of names as a mapping without options; anything else is left to the validation."""
    if metrics is None:
        return {}
    if isinstance(metrics, list) and all(isinstance(name, str) for name in metrics):
        return {name: {} for name in metrics}
    if isinstance(metrics, dict):
        return {name: options or {} for name, options in metrics.items()}
    return metrics
