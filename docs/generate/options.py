"""Options of a plugin as a table: name, default, what is allowed, meaning."""

from __future__ import annotations

from functools import cache
from typing import Any

from benchbench.api import Config
from benchbench.api.names import option_text
from benchbench.registry import Registry
from generate.text import code, plain, table

__all__ = ["option_rows", "option_table", "options", "registry"]

OWNER = "benchbench"


@cache
def registry() -> Registry:
    """What this distribution brings; other installed plugins are none of the site's business."""
    found = Registry.load()
    for kind in (found.models, found.datasets, found.extractors, found.metrics):
        for name in [n for n, entry in kind.items() if entry.owner != OWNER]:
            del kind[name]
    return found


def options(name: str) -> str:
    """The options of the metric `name`."""
    return option_table(registry().metrics[name].spec.config, "It has no options.")


def option_table(config: type[Config], without: str, beside: type[Config] | None = None) -> str:
    """The options of a class.

    without: the text where there are none. beside: options that are described elsewhere: only
    those whose default differs are listed.
    """
    rows = option_rows(config)
    if beside is not None:
        known = {row[0]: row for row in option_rows(beside)}
        rows = [row for row in rows if known.get(row[0]) != row]
    return table(["option", "default", "allowed", "meaning"], rows) if rows else without


def option_rows(config: type[Config]) -> list[tuple[str, str, str, str]]:
    """A row for each option, in the order of the class."""
    schema = config.model_json_schema()
    return [
        (
            code(name),
            code(_default(field.default)),
            _allowed(schema["properties"][name], schema),
            plain(field.description or ""),
        )
        for name, field in config.model_fields.items()
    ]


def _default(value: Any) -> str:
    if value is None:
        return "none"
    return option_text(list(value) if isinstance(value, tuple) else value)


def _allowed(entry: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in entry:
        return _allowed(schema["$defs"][entry["$ref"].rpartition("/")[2]], schema)
    if "anyOf" in entry:
        parts = [p for p in entry["anyOf"] if p.get("type") != "null"]
        return " or ".join(_allowed(part, schema) for part in parts)
    if "enum" in entry:
        return ", ".join(code(value) for value in entry["enum"])
    if entry.get("type") == "array":
        return f"list of {_allowed(entry.get('items', {}), schema)}s"
    word = {"boolean": "`true`, `false`", "string": "text"}.get(entry.get("type", ""))
    return word or f"{entry.get('type', 'value')}{_interval(entry)}"


def _interval(entry: dict[str, Any]) -> str:
    """` in [8, 4096]`, ` in (0, 1]`, ` ≥ 2`, ` > 0`, or nothing."""
    low, high = entry.get("minimum"), entry.get("maximum")
    above, below = entry.get("exclusiveMinimum"), entry.get("exclusiveMaximum")
    if (low is not None or above is not None) and (high is not None or below is not None):
        left = f"[{_number(low)}" if low is not None else f"({_number(above)}"
        right = f"{_number(high)}]" if high is not None else f"{_number(below)})"
        return f" in {plain(f'{left}, {right}')}"
    if low is not None:
        return f" ≥ {_number(low)}"
    return f" > {_number(above)}" if above is not None else ""


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
