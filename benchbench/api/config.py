"""Options of a plugin: a frozen pydantic model whose unknown keys are refused.

A plugin subclasses `Config` once for its training options and once, where it has any, for its
sampling options. Each field carries a description: `bench list` and the docs print it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from benchbench.api.errors import nearest

__all__ = ["Config", "describe_invalid"]


class Config(BaseModel):
    """Base of every option class: immutable, no unknown keys, finite numbers, hashable by value."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    def changed(self) -> dict[str, Any]:
        """The options that differ from their defaults, in the order of their names.

        >>> class C(Config):
        ...     width: int = 8
        ...     depth: int = 2
        >>> C(depth=3).changed()
        {'depth': 3}
        """
        default = type(self)().model_dump(mode="json")
        now = self.model_dump(mode="json")
        return {key: now[key] for key in sorted(now) if now[key] != default[key]}


def describe_invalid(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """The first complaint of a validation in one line, with the nearest known key."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = prefix + ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = list(model.model_fields)
        close = nearest(str(first["loc"][-1]), known)
        guess = f"; did you mean {prefix + close!r}?" if close else ";"
        allowed = ", ".join(known) if known else "no option"
        return f"unknown key {where!r}{guess} Allowed: {allowed}"
    given = repr(first["input"])
    given = given if len(given) <= 60 else given[:57] + "..."
    return f"{where} is {given}: {' '.join(first['msg'].split())[:200]}"
