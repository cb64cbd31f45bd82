"""Tables as CSV for programs: one row a value, unrounded, every column shown or not."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from benchbench.report.rows import SAME
from benchbench.report.tree import Cell, Column, Row, Section, Tables

__all__ = ["CSV_COLUMNS", "to_csv"]

CSV_COLUMNS = (
    "dataset",
    "model",
    "config",
    "budget",
    "variant",
    "metric",
    "condition",
    "mean",
    "ci_low",
    "ci_high",
    "n_seeds",
    "bold",
    "bound",
    "unit",
    "direction",
    "n",
    "protocol",
    "reliable",
    "status",
    "reason",
)


def to_csv(tables: Tables) -> str:
    """All cells; `protocol` says what tells apart two rows of one metric and condition.

    Held-out and external rows occur once, though the tables repeat them under each budget.
    """
    lines: dict[tuple[str, ...], None] = {}
    for section in tables.sections:
        for row in section.rows:
            lines.update(dict.fromkeys(_lines(section, row)))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(lines)
    return buffer.getvalue()


def _lines(section: Section, row: Row) -> Iterator[tuple[str, ...]]:
    for column, cell in zip(section.columns, row.cells, strict=True):
        if cell.status in ("absent", SAME):
            continue
        yield (
            section.dataset,
            *(row.key.model, row.key.config, row.key.budget, row.key.variant),
            *(column.spec.name, column.condition),
            *(_number(v) for v in (cell.value, cell.ci_low, cell.ci_high)),
            *_judgement(cell),
            *(column.spec.unit, column.spec.direction),
            " ".join(map(str, cell.n)),
            _protocol(column),
            str(cell.reliable).lower(),
            *(cell.status, cell.reason),
        )


def _judgement(cell: Cell) -> tuple[str, str, str]:
    known = cell.value is not None
    return str(cell.n_seeds), str(cell.bold).lower(), cell.bound if known else ""


def _protocol(column: Column) -> str:
    return "; ".join(f"{name}={value}" for name, value in column.protocol if name != "n")


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
