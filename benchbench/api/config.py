"""Options of a plugin: a frozen pydantic model whose unknown keys are refused.

A plugin subclasses `Config` once for its training options and once, where it has any, for its
sampling options. Each field carries a description: `bench list` and the docs print it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Config"]


class Config(BaseModel):
    """Base of every option class: immutable, no unknown keys, hashable by its resolved values."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

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
