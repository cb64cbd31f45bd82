"""Which scores share a column: one metric, one condition, one protocol.

Scores that differ in extractor, n, reference split or observation model get columns of their own,
told apart by a suffix that names the difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from benchbench.api import ScoreSpec
from benchbench.report.entries import Entry, group_of, natural, ordered_specs
from benchbench.report.tree import Column, Protocol

__all__ = ["build_columns", "in_column"]

_FLOOR = "_floor"
_MAX_SUFFIX = 24


def build_columns(entries: Sequence[Entry], specs: Mapping[str, ScoreSpec]) -> list[Column]:
    """The columns of one section, in order: quality, cost, spend.

    A metric without any value has one column that is not shown. A metric `NAME_floor` with one
    value is not shown either: the column of NAME carries it.
    """
    columns: list[Column] = []
    for spec in _told_apart(ordered_specs(entries, specs)):
        columns.extend(_columns_of(spec, [e for e in entries if e.metric == spec.name]))
    floors = {
        c.spec.name: _single_value(e for e in entries if e.metric == c.spec.name) for c in columns
    }
    return [_with_floor(c, columns, floors) for c in columns]


def in_column(entry: Entry, column: Column) -> bool:
    """Whether this score's value belongs to this column."""
    return (
        entry.metric == column.spec.name
        and entry.condition == column.condition
        and entry.status == "done"
        and entry.protocol(column.group) == column.protocol
    )


def _columns_of(spec: ScoreSpec, entries: Sequence[Entry]) -> list[Column]:
    group = group_of(spec)
    done = [e for e in entries if e.status == "done"]
    if not done:
        return [Column(spec, group, shown=False)]
    chosen = _condition_to_show(spec, done)
    columns = []
    for condition in sorted({e.condition for e in done}, key=natural):
        here = [e for e in done if e.condition == condition]
        protocols = sorted({e.protocol(group) for e in here})
        for protocol, suffix in zip(protocols, _suffixes(protocols), strict=True):
            shown = spec.table and condition == chosen
            columns.append(Column(spec, group, condition, protocol, suffix, shown=shown))
    return columns


def _told_apart(specs: Sequence[ScoreSpec]) -> list[ScoreSpec]:
    """The specs, with the unit in a label that several of them share."""
    count = Counter(spec.label or spec.name for spec in specs if spec.table)
    return [
        replace(spec, label=f"{spec.label} [{spec.unit}]")
        if spec.table and count[spec.label] > 1
        else spec
        for spec in specs
    ]


def _condition_to_show(spec: ScoreSpec, done: Sequence[Entry]) -> str:
    """Among the conditions that most rows have: the last where more is better, else the first."""
    rows: dict[str, set[object]] = {}
    for e in done:
        rows.setdefault(e.condition, set()).add(e.key)
    most = max(len(keys) for keys in rows.values())
    full = sorted((c for c, keys in rows.items() if len(keys) == most), key=natural)
    return full[-1] if spec.direction == "max" else full[0]


def _suffixes(protocols: Sequence[Protocol]) -> list[str]:
    """For each protocol, what it says where they differ; empty where there is only one.

    Where that is long they are numbered, and the notes say what each is.

    >>> _suffixes([(("n", "100"), ("reference", "test")), (("n", "500"), ("reference", "test"))])
    ['n=100', 'n=500']
    """
    tables = [dict(p) for p in protocols]
    names = sorted({name for table in tables for name in table})
    differing = [name for name in names if len({table.get(name) for table in tables}) > 1]
    if "extractor" in differing and _decides(tables, "extractor", "extractor_hash"):
        differing = [name for name in differing if name != "extractor_hash"]
    texts = [
        ", ".join(_difference(name, table.get(name)) for name in differing) for table in tables
    ]
    if max(map(len, texts), default=0) > _MAX_SUFFIX:
        return [f"protocol {k}" for k in range(1, len(texts) + 1)]
    return texts


def _decides(tables: Sequence[dict[str, str]], name: str, other: str) -> bool:
    """Whether equal values of `name` always come with equal values of `other`."""
    return len({t.get(name) for t in tables}) == len({(t.get(name), t.get(other)) for t in tables})


def _difference(name: str, value: str | None) -> str:
    if value is None:
        return f"no {name.replace('_', ' ')}"
    if name in ("extractor", "observation"):
        return value
    return f"{name.replace('extractor_', '')}={value[:8] if name.endswith('_hash') else value}"


def _single_value(entries: Iterable[Entry]) -> float | None:
    """The value on which all scores agree to four digits, or None."""
    values = [e.value for e in entries if e.value is not None]
    agreed = len({f"{v:.4g}" for v in values}) == 1
    return values[0] if agreed else None


def _with_floor(
    column: Column, columns: Sequence[Column], floors: Mapping[str, float | None]
) -> Column:
    name = column.spec.name
    measured = {c.spec.name for c in columns if c.shown}
    floor = floors.get(name + _FLOOR)
    base = name.removesuffix(_FLOOR)
    carried = base != name and base in measured and floors[name] is not None
    return replace(column, floor=floor, shown=column.shown and not carried)
