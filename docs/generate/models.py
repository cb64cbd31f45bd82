"""The built-in models: what each declares, its options, and what options left open become."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from benchbench.api import DataInfo, ModelSpec
from benchbench.api.callables import CallableOptions
from generate.options import option_table, registry
from generate.text import code, plain, sentence, table

__all__ = ["function_options", "model", "model_index", "model_options", "resolved"]

EXAMPLES = ("grid25", "stacked-digits", "pulse", "fashion-mnist", "cifar10")
"""Data sets, one for each rule by which defaults are chosen."""


def model_index() -> str:
    """A table of all models with what they declare."""
    rows = [
        (
            f"[{code(spec.typed)}](#model-{name})",
            plain(spec.family),
            ", ".join(sorted(spec.kinds)),
            ", ".join(code(c) for c in sorted(spec.capabilities)) or "–",
        )
        for name, spec in _specs().items()
    ]
    return table(["model", "family", "kinds of data", "capabilities"], rows)


def model(name: str) -> str:
    """Heading and facts of one model."""
    spec = _specs()[name]
    facts = [
        ("family", plain(spec.family)),
        ("kinds of data", ", ".join(sorted(spec.kinds))),
        ("capabilities", ", ".join(code(c) for c in sorted(spec.capabilities)) or "none"),
        ("source", plain(spec.reference)),
    ]
    if isinstance(spec.implementation, str):
        facts.append(("implementation", code(spec.implementation)))
    parts = [
        f"## {code(spec.typed)} {{ #model-{name} }}",
        sentence(spec.summary),
        "\n".join(f"* **{what}**: {said}" for what, said in facts),
    ]
    return "\n\n".join(parts)


def model_options(name: str, beside: str = "") -> str:
    """The training and the sampling options of one model.

    beside: a model whose options it has: only those whose default differs are listed.
    """
    spec = _specs()[name]
    if beside:
        return option_table(spec.config, "none.", _specs()[beside].config)
    parts = [
        f"Training options of {code(name)} (another value is another training, and another row):",
        option_table(spec.config, "none; it was trained elsewhere." if spec.external else "none."),
        f"Sampling options of {code(name)} (another value is a variant of the same training):",
        option_table(spec.sampling, "none."),
    ]
    return "\n\n".join(parts)


def function_options() -> str:
    """What may stand in brackets after `module:function`."""
    return option_table(CallableOptions, "none.")


def resolved(name: str) -> str:
    """What the options of a model that are left open become on data sets of each kind."""
    spec = _specs()[name]
    columns = {data: _settings(spec, _info(data)) for data in EXAMPLES}
    open_ = [
        option
        for option, field in spec.config.model_fields.items()
        if field.default in (None, "auto") and any(option in c for c in columns.values())
    ]
    rows = [
        (code(option), *(code(_shown(column.get(option))) for column in columns.values()))
        for option in open_
    ]
    return table(["option", *map(code, columns)], rows)


def _specs() -> dict[str, ModelSpec]:
    return {name: entry.spec for name, entry in registry().models.items()}


def _info(name: str) -> DataInfo:
    spec = registry().datasets[name].spec
    levels = {"digits": 17, "stacked-digits": 17}.get(name, 256) if spec.kind == "image" else None
    return DataInfo(name, spec.kind, spec.shape, n_train=50_000, levels=levels)


def _settings(spec: ModelSpec, data: DataInfo) -> dict[str, Any]:
    """Every option of the defaults, as the model itself resolves them."""
    from benchbench.registry import resolve

    built = resolve(spec.implementation, spec.name)(spec.config(), data)
    for attribute in ("settings", "sizes"):
        if is_dataclass(found := vars(built).get(attribute)):
            return {f.name: getattr(found, f.name) for f in fields(found)}
    raise KeyError(f"{spec.name} keeps no resolved options")


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
