"""`--models module:function`: any Python callable as a model that was trained elsewhere.

The module is imported as Python does it, the folder in which `bench` was started first.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import Any

from pydantic import Field

from benchbench.api.config import Config
from benchbench.api.errors import UsageError, describe, nearest, unknown
from benchbench.api.specs import KINDS, ModelSpec

__all__ = ["CallableOptions", "callable_spec"]


class CallableOptions(Config):
    """What can't be read off a function."""

    nfe: int | None = Field(None, ge=1, description="network evaluations that a sample costs")
    version: str | int = Field(
        "", description="any text; change it when the weights that the function loads have changed"
    )


def callable_spec(path: str, models: Iterable[str] = ()) -> ModelSpec:
    """The spec of `module:function`; imports the module.

    models: names of registered models, for the error message. Raises UsageError in one line.
    """
    module, _, attribute = path.partition(":")
    if not all(part.isidentifier() for part in module.split(".")) or not attribute.isidentifier():
        close = nearest(module, models)
        guess = f"; did you mean {close!r}?" if close else ";"
        raise UsageError(f"model {path!r} is neither NAME:ARGUMENT nor module:function{guess}")
    try:
        found = getattr(_imported(module), attribute)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise UsageError(f"model {path!r}: {module} can't be imported: {error}") from None
        hint = f"To give a function, write module:function; no module {error.name!r} is found"
        raise unknown("model", path, models, hint) from None
    except AttributeError:
        close = nearest(attribute, vars(sys.modules[module]))
        guess = f"; did you mean {close!r}?" if close else ""
        raise UsageError(f"model {path!r}: {module} has no {attribute!r}{guess}") from None
    except (Exception, SystemExit) as error:
        raise UsageError(f"model {path!r}: {module} failed: {describe(error)}") from None
    if isinstance(found, type) or not callable(found):
        raise UsageError(
            f"model {path!r} is a {type(found).__name__}; give a function f(n, generator) -> Tensor"
        )
    doc = (found.__doc__ or "").strip().splitlines()
    return ModelSpec(
        name=path,
        family="external",
        kinds=frozenset(KINDS),  # type: ignore[arg-type]
        implementation=path,
        config=CallableOptions,
        external=True,
        summary=doc[0] if doc else "",
    )


def _imported(module: str) -> Any:
    here = os.getcwd()
    if not {"", here} & set(sys.path):
        sys.path.insert(0, here)
    return importlib.import_module(module)
