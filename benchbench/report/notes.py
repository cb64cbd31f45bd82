"""The lines under a table: what marks mean, how scores were taken, what is missing and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from benchbench.report.entries import Entry
from benchbench.report.layout import WARNING
from benchbench.report.rows import (
    CEILING,
    FEWER_SEEDS,
    SAME,
    UNRELIABLE,
    failed_seeds,
)
from benchbench.report.tree import MISSING, Cell, Column, Note, Row

__all__ = ["build_notes"]

_T = TypeVar("_T")
_Place = tuple[Column, Row, Cell]

_MAX_REASON = 240

BOLD = (
    "Bold: the best model of the column, where the interval of its difference to every other "
    "model excludes zero (Welch's t over seeds, paired by seed for variants of one trained model, "
    "5 % Holm-corrected over the column). Held-out and external rows do not compete; a value "
    f"marked {UNRELIABLE} can't win, nor can a lead over a bound that faces the wrong way."
)


def build_notes(
    entries: Sequence[Entry], columns: Sequence[Column], rows: Sequence[Row]
) -> list[Note]:
    """All notes of one section, in reading order."""
    shown = [i for i, column in enumerate(columns) if column.shown]
    cells = [(columns[i], row, row.cells[i]) for row in rows for i in shown]
    return [
        *_interval_notes(entries, rows, [cell for _, _, cell in cells]),
        *_mark_notes(cells),
        *_fewer_notes(entries, cells),
        *_warnings([columns[i] for i in shown]),
        *_protocol_notes([(columns[i], [row.cells[i] for row in rows]) for i in shown]),
        *_failure_notes(entries, rows),
        *_missing_notes(entries, columns, rows),
        *_condition_notes(columns),
    ]


def _interval_notes(
    entries: Sequence[Entry], rows: Sequence[Row], cells: Sequence[Cell]
) -> Iterator[Note]:
    seeds = sorted({e.seed for e in entries if e.seed is not None})
    counts = {cell.n_seeds for cell in cells if cell.values} - {0}
    if counts and max(counts) >= 2:
        named = ", ".join(map(str, seeds))
        yield Note(
            f"half the width of the 95 % Student t interval of the mean over seeds ({named}).", "±"
        )
    if 1 in counts:
        yield Note(
            "One seed: no interval over seeds, and no bold."
            if max(counts) == 1
            else "Values from one seed carry no interval over seeds."
        )
    if any(cell.own_interval for cell in cells):
        yield Note("95 % interval of a single evaluation, as its metric gives it.", "[a, b]")
    if counts and max(counts) >= 2 and sum(row.kind == "model" for row in rows) > 1:
        yield Note(BOLD)


def _mark_notes(cells: Sequence[_Place]) -> Iterator[Note]:
    bounds = {cell.bound for _, _, cell in cells if cell.value is not None}
    if "upper" in bounds:
        yield Note("an upper bound: the true value is at most this.", "≤")
    if "lower" in bounds:
        yield Note("a lower bound: the true value is at least this.", "≥")
    if any(cell.status == SAME for _, _, cell in cells):
        yield Note("belongs to the trained model: see its row without this variant.", SAME)
    doubts = [(c, r, x) for c, r, x in cells if UNRELIABLE in x.marks]
    for reason, where in _grouped(doubts, lambda item: item[2].reason):
        yield Note(f"unreliable, {_where(where)}: {_clip(reason)}", UNRELIABLE)
    if any(CEILING in cell.marks for _, _, cell in cells):
        yield Note("a ceiling in seconds ended training before its budget was spent.", CEILING)


def _warnings(columns: Sequence[Column]) -> Iterator[Note]:
    missed = [column for column in columns if column.missed]
    for said, group in _grouped(missed, lambda column: ", ".join(column.missed)):
        names = ", ".join(dict.fromkeys(_head(column) for column in group))
        text = f"{names} failed the instrument check here: no sure difference between real data"
        yield Note(f"{text} and {said}.", WARNING)


def _fewer_notes(entries: Sequence[Entry], cells: Sequence[_Place]) -> Iterator[Note]:
    def cause(place: _Place) -> str:
        column, row, _ = place
        mine = [e for e in entries if e.key == row.key and e.metric == column.spec.name]
        reasons = [f"{e.status}: {_clip(e.reason)}" for e in mine if e.status != "done"]
        return "; ".join(dict.fromkeys(reasons))

    fewer = [place for place in cells if FEWER_SEEDS in place[2].marks]
    for said, items in _grouped(fewer, cause):
        text = f"mean over fewer seeds than the row has ({_where(items)})"
        yield Note(f"{text}: {said}" if said else f"{text}.", FEWER_SEEDS)


def _protocol_notes(columns: Sequence[tuple[Column, Sequence[Cell]]]) -> Iterator[Note]:
    names: dict[str, set[str]] = {}
    for column, _ in columns:
        names.setdefault(column.spec.name, set()).update(name for name, _ in column.protocol)
    described = [
        (_head(column), _protocol(column, cells, names[column.spec.name]))
        for column, cells in columns
    ]
    for text, items in _grouped([d for d in described if d[1]], lambda d: d[1]):
        yield Note(f"{', '.join(label for label, _ in items)}: {text}.")


def _protocol(column: Column, cells: Sequence[Cell], names: set[str]) -> str:
    """How a column's scores were taken; names: what other columns of its metric state."""
    parts = []
    counts = [n for cell in cells for n in cell.n]
    if column.group == "quality" and counts:
        parts.append(f"n = {' or '.join(f'{n:,}' for n in sorted(set(counts)))}")
    found = dict(column.protocol)
    digest = found.get("extractor_hash", "")
    for name, value in found.items():
        if name == "extractor":
            parts.append(f"features {value}" + (f" ({digest[:8]})" if digest else ""))
        elif name not in ("n", "extractor_hash"):
            parts.append(f"{name} {value}")
    missing = sorted(names - found.keys() - {"n", "extractor_hash"})
    parts += [f"no {name}" for name in missing]
    if column.floor is not None:
        parts.append(f"a perfect sampler scores about {column.floor:.3g} at this n")
    return "; ".join(parts)


def _failure_notes(entries: Sequence[Entry], rows: Sequence[Row]) -> Iterator[Note]:
    for row in rows:
        failures = [(s, e) for s, e in failed_seeds(entries, row.key).items()]
        for said, items in _grouped(failures, lambda i: f"{i[1].status}: {_clip(i[1].reason)}"):
            seeds = [str(seed) for seed, _ in items if seed is not None]
            which = f", seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}" if seeds else ""
            yield Note(f"{row.label}{which}: {said.removesuffix(': ')}")


def _missing_notes(
    entries: Sequence[Entry], columns: Sequence[Column], rows: Sequence[Row]
) -> Iterator[Note]:
    """Why single cells are empty, then why whole metrics are; failed rows have their own lines."""
    working = [row for row in rows if _has_result(columns, row)]
    gaps: list[_Place] = []
    absent: list[_Place] = []
    for i, column in enumerate(columns):
        measured = any(row.cells[i].value is not None for row in rows)
        places = [(column, row, row.cells[i]) for row in working if row.cells[i].reason]
        if measured and column.shown:
            gaps += [place for place in places if place[2].value is None]
        elif not measured and column.spec.table:
            absent += places
    for said, items in _grouped(gaps, _status):
        yield Note(f"{_where(items)}: {said}", MISSING)
    for said, items in _grouped(absent, _status):
        names = dict.fromkeys(_head(column) for column, _, _ in items)
        yield Note(f"Not measured here: {', '.join(names)} ({said})")


def _has_result(columns: Sequence[Column], row: Row) -> bool:
    cells = zip(columns, row.cells, strict=True)
    return any(cell.value is not None for column, cell in cells if column.group != "spend")


def _condition_notes(columns: Sequence[Column]) -> Iterator[Note]:
    shown = {c.spec.name for c in columns if c.shown}
    hidden = [c for c in columns if not c.shown and c.condition and c.spec.name in shown]
    names = list(dict.fromkeys(c.spec.label or c.spec.name for c in hidden))
    if names:
        yield Note(f"{', '.join(names)}: table.csv has the other conditions.")


def _head(column: Column) -> str:
    suffix = f" ({column.suffix})" if column.suffix else ""
    return (column.spec.label or column.spec.name) + suffix


def _where(items: Iterable[_Place]) -> str:
    """`FID of gan, vae; coverage of gan`."""
    rows: dict[str, list[str]] = {}
    for column, row, _ in items:
        rows.setdefault(_head(column), []).append(row.label)
    by_rows: dict[str, list[str]] = {}
    for name, labels in rows.items():
        by_rows.setdefault(", ".join(dict.fromkeys(labels)), []).append(name)
    return "; ".join(f"{', '.join(names)} of {labels}" for labels, names in by_rows.items())


def _status(place: _Place) -> str:
    return f"{place[2].status}: {_clip(place[2].reason)}"


def _grouped(items: Sequence[_T], key: Callable[[_T], str]) -> list[tuple[str, list[_T]]]:
    groups: dict[str, list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.items())


def _clip(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= _MAX_REASON else line[: _MAX_REASON - 1] + "…"
