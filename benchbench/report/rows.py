"""Rows of a section, their cells and their seed counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from benchbench.api.names import short_label
from benchbench.report.columns import in_column
from benchbench.report.entries import SPEND, Entry, kind_of
from benchbench.report.statistics import mean_interval
from benchbench.report.tree import MISSING, Cell, Column, Row, RowKey

__all__ = ["FAILED", "FEWER_SEEDS", "SAME", "UNRELIABLE", "build_rows", "failed_seeds", "label_of"]

UNRELIABLE = "†"
FEWER_SEEDS = "‡"
CEILING = "§"
SAME = "same"
"""Status of a variant's cell whose score belongs to the trained model's own row."""

FAILED = ("diverged", "timeout", "error")


def build_rows(entries: Sequence[Entry], columns: Sequence[Column]) -> list[Row]:
    """Held-out data first, then trained models in the frame's order, then external ones."""
    keys = list(dict.fromkeys(e.key for e in entries))
    keys.sort(key=lambda key: ("real", "model", "external").index(kind_of(key)))
    return [_row(key, entries, columns) for key in keys]


def label_of(key: RowKey) -> str:
    """`real (held out)`, `gan[loss=ns]`, `ldm[steps=8]`, `other (external)`."""
    options = ",".join(part for part in (key.config, key.variant) if part)
    name = short_label(key.model) + (f"[{options}]" if options else "")
    return {"real": f"{name} (held out)", "external": f"{name} (external)"}.get(kind_of(key), name)


def failed_seeds(entries: Sequence[Entry], key: RowKey) -> dict[int | None, Entry]:
    """Of each seed whose training or evaluation gave no score at all: the entry that says why.

    A variant has no entry of its own where the trained model failed; that model's counts.
    """
    own = [e for e in entries if e.key == key]
    trained = [e for e in entries if e.key.trained == key.trained and e.key.variant == ""]
    failures: dict[int | None, Entry] = {}
    for seed in _sorted(e.seed for e in own + trained):
        scores = [e for e in own if e.seed == seed] or [e for e in trained if e.seed == seed]
        bad = [e for status in FAILED for e in scores if e.status == status]
        if bad and not any(_is_result(e) for e in scores):
            failures[seed] = bad[0]
    return failures


def _row(key: RowKey, entries: Sequence[Entry], columns: Sequence[Column]) -> Row:
    own = [e for e in entries if e.key == key]
    base = [e for e in entries if e.key == key._replace(variant="")] if key.variant else []
    done = {e.seed for e in own if _is_result(e)}
    cells = tuple(_cell(column, own, base, done) for column in columns)
    return Row(key, kind_of(key), label_of(key), _seed_count(own, entries, key), cells)


def _seed_count(own: Sequence[Entry], entries: Sequence[Entry], key: RowKey) -> str:
    """`3`, `2 of 3; 1 diverged`, or `–` for values without a seed."""
    trained = [e for e in entries if e.key.trained == key.trained]
    seeds = {e.seed for e in trained if e.key.variant in ("", key.variant)} - {None}
    failed = failed_seeds(entries, key)
    if not seeds:
        return next((e.status for e in failed.values()), MISSING)
    done = {e.seed for e in own if _is_result(e)}
    causes = Counter(_cause(seed, own, failed) for seed in _sorted(seeds - done))
    if not causes:
        return str(len(seeds))
    said = ", ".join(f"{n} {cause}" for cause, n in causes.items())
    return f"{len(seeds & done)} of {len(seeds)}; {said}"


def _cause(seed: int | None, own: Sequence[Entry], failed: Mapping[int | None, Entry]) -> str:
    if seed in failed:
        return failed[seed].status
    skipped = any(e.seed == seed and e.status == "skipped" for e in own)
    return "skipped" if skipped else "not scored"


def _cell(
    column: Column, own: Sequence[Entry], base: Sequence[Entry], done: set[int | None]
) -> Cell:
    values = [e for e in own if in_column(e, column)]
    if values:
        return _value_cell(values, done)
    elsewhere = [e for e in own if e.metric == column.spec.name]
    if not elsewhere and any(in_column(e, column) for e in base):
        return Cell(status=SAME)
    absent = [e for e in elsewhere if e.status != "done" and e.condition in ("", column.condition)]
    failed = [e for e in own if e.status in FAILED and not e.metric]
    absent.sort(key=lambda e: e.status != "skipped")
    for entry in (absent or failed)[:1]:
        return Cell(status=entry.status, reason=entry.reason)
    return Cell(status="absent")


def _value_cell(entries: Sequence[Entry], done: set[int | None]) -> Cell:
    values = {e.seed: e.value for e in entries if e.value is not None}
    interval = mean_interval(list(values.values()))
    first = entries[0]
    own = len(values) == 1 and first.ci_low is not None and first.ci_high is not None
    reliable = all(e.detail.get("reliable", True) is not False for e in entries)
    marks = [UNRELIABLE] if not reliable else []
    if len(done - values.keys()) > 0 and first.metric not in SPEND:
        marks.append(FEWER_SEEDS)
    if first.metric in SPEND and any(e.detail.get("ceiling_reached") is True for e in entries):
        marks.append(CEILING)
    return Cell(
        value=interval.mean,
        ci_low=first.ci_low if own else interval.low,
        ci_high=first.ci_high if own else interval.high,
        values=values,
        own_interval=own,
        bound=_bound(entries),
        reliable=reliable,
        n=tuple(sorted({e.n for e in entries if e.n is not None})),
        marks=tuple(marks),
        reason="; ".join(dict.fromkeys(_doubt(e) for e in entries if _doubt(e))),
        detail=first.detail,
    )


def _bound(entries: Sequence[Entry]) -> str:
    """The mean of exact values and bounds of one side is a bound of that side."""
    kinds = {e.bound for e in entries}
    for bound in ("exact", "lower", "upper"):
        if kinds <= {"exact", bound}:
            return bound
    return "estimate"


def _doubt(entry: Entry) -> str:
    if entry.detail.get("reliable", True) is not False:
        return ""
    found = entry.detail.get("unreliable_reason") or entry.reason or entry.detail.get("reason")
    return str(found or "its metric calls it unreliable")


def _is_result(entry: Entry) -> bool:
    return entry.status == "done" and entry.metric not in SPEND


def _sorted(seeds: Iterable[int | None]) -> list[int | None]:
    return sorted(set(seeds), key=lambda seed: -1 if seed is None else seed)
