"""What a plugin imports, `benchbench.api`: hooks, specs, contracts and errors, documented."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

from pydantic import BaseModel

import benchbench.api as api
import benchbench.testing as testing
from benchbench.api import hooks
from benchbench.api.specs import API_CHANGES
from generate.text import code, plain, prose, table

__all__ = ["api_changes", "checks", "contract", "hook_reference"]


def hook_reference() -> str:
    """Every hook: its signature and what it returns."""
    parts = []
    for name in hooks.__all__:
        if not name.startswith("bench_"):
            continue
        function = getattr(hooks, name)
        parts.append(
            f"### {code(name)} {{ #hook-{name} }}\n\n{_signature('def ' + name, function)}\n\n"
            f"{prose(function.__doc__)}"
        )
    return "\n\n".join(parts)


def api_changes() -> str:
    """What each version of the contract asks of a plugin for the one before it."""
    return "\n".join(f"* **{v}**: {plain(said)}" for v, said in sorted(API_CHANGES.items()))


def checks(name: str) -> str:
    """What the conformance kit checks: one list of `benchbench.testing`."""
    rows = [(code(check.name), plain(check.summary)) for check in getattr(testing, name)]
    return table(["check", "what holds"], rows)


def contract(name: str) -> str:
    """Heading and description of one name of `benchbench.api`."""
    found = getattr(api, name)
    head = f"### {code(name)} {{ #api-{name} }}"
    if not inspect.isclass(found):
        return f"{head}\n\n{_value(name, found)}"
    types = _fields(found)
    return "\n\n".join(
        part
        for part in [head, _bases(found), prose(found.__doc__, types), *_members(found)]
        if part
    )


def _value(name: str, found: Any) -> str:
    if callable(found) and inspect.isfunction(found):
        return f"{_signature('def ' + name, found)}\n\n{prose(found.__doc__)}"
    text = (
        re.sub(r"typing\.", "", str(found))
        if not isinstance(found, tuple)
        else ", ".join(map(repr, found))
    )
    return f"```text\n{text}\n```"


def _bases(found: type) -> str:
    names = [b.__name__ for b in found.__bases__ if b.__name__ not in ("object", "ABC")]
    said = ["A frozen dataclass."] if dataclasses.is_dataclass(found) else []
    said += [f"A subclass of {plain(', '.join(names))}."] if names else []
    return f"*{' '.join(said)}*" if said else ""


def _fields(found: type) -> dict[str, str]:
    if not dataclasses.is_dataclass(found):
        return {}
    return {f.name: f"{f.type}{_default(f)}" for f in dataclasses.fields(found)}


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "" if field.default_factory is dataclasses.MISSING else " = {}"
    value = field.default
    return f" = {value.__name__ if isinstance(value, type) else repr(value)}"


def _members(found: type) -> list[str]:
    """Public methods and properties that the class itself defines."""
    if issubclass(found, BaseException):
        return []
    parts = []
    for name, member in vars(found).items():
        if name.startswith("_") or (name.startswith("model_") and issubclass(found, BaseModel)):
            continue
        anchor = f'<span id="api-{found.__name__}.{name}"></span>'
        if isinstance(member, property):
            function, keyword = member.fget, "property "
        else:
            function, keyword = inspect.unwrap(getattr(member, "__func__", member)), "def "
        if inspect.isfunction(function):
            text = f"{_signature(keyword + name, function)}\n\n{prose(function.__doc__)}"
            parts.append(f"{anchor}\n\n{text}")
    return parts


def _signature(name: str, function: Any) -> str:
    signature = str(inspect.signature(function)).replace("'", "")
    signature = re.sub(r"\b(?:typing|collections\.abc)\.", "", signature)
    line = f"{name}{signature}"
    if len(line) > 88:
        inner, _, result = signature.rpartition(" -> ")
        pieces = _split(inner.strip()[1:-1])
        line = f"{name}(\n" + "".join(f"    {piece},\n" for piece in pieces) + f") -> {result}"
    return f"```text\n{line}\n```"


def _split(text: str) -> list[str]:
    """Parameters, separated at commas outside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
