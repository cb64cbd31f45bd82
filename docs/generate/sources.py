"""The built-in data sets and extractors: heading and facts of each."""

from __future__ import annotations

from benchbench.api import DatasetSpec
from generate.options import option_table, registry
from generate.text import code, plain, sentence

__all__ = ["dataset", "extractor"]


def dataset(name: str) -> str:
    """Heading and facts of one data set."""
    spec = registry().datasets[name].spec
    parts = [
        f"## {code(spec.typed)} {{ #data-{name} }}",
        sentence(spec.summary),
        "\n".join(f"* **{what}**: {said}" for what, said in _facts(spec)),
    ]
    if spec.options.model_fields:
        parts.append(option_table(spec.options, ""))
    return "\n\n".join(parts)


def _facts(spec: DatasetSpec) -> list[tuple[str, str]]:
    where = "looked for on this machine, see below" if spec.where or spec.argument else ""
    facts = [
        ("kind", spec.kind),
        ("shape of an example", code(" × ".join(map(str, spec.shape)))),
        ("scored samples of the mode protocol", f"{spec.samples:,}"),
        ("features", _features(spec)),
        ("source", plain(spec.reference) if spec.reference else "your own files"),
        ("files", where or "none: they come with the bench and its packages"),
    ]
    return facts


def _features(spec: DatasetSpec) -> str:
    if spec.extractor:
        return f"[{code(spec.extractor)}](extractors.md#extractor-{spec.extractor})"
    return "the coordinates themselves" if spec.kind == "points" else "none"


def extractor(name: str) -> str:
    """Heading and facts of one extractor."""
    found = registry()
    spec = found.extractors[name].spec
    users = [n for n, e in found.datasets.items() if e.spec.extractor == name]
    facts = [
        ("kinds of data", ", ".join(sorted(spec.kinds))),
        ("default of", ", ".join(f"[{code(n)}](datasets.md#data-{n})" for n in users) or "none"),
        ("source", plain(spec.reference) if spec.reference else "this bench"),
    ]
    lines = "\n".join(f"* **{what}**: {said}" for what, said in facts)
    return f"## {code(name)} {{ #extractor-{name} }}\n\n{sentence(spec.summary)}\n\n{lines}"
