"""Which cell of a column is bold: only one whose lead over every other row the seeds support.

Competing: rows of models that the bench trained. The best by mean is bold if and only if Holm's
procedure over its differences to all other competing rows rejects every one of them. Never bold:
held-out data, external rows, spend, metrics without a direction, values called unreliable, and a
lead that rests on a bound facing the wrong way (an upper bound says nothing of how low a value
is, so it can't be beaten from below).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchbench.report.statistics import difference, holm
from benchbench.report.tree import Cell, Column, Row

__all__ = ["Standing", "best_row", "standing", "with_bold"]


@dataclass(frozen=True)
class Standing:
    """Who is ahead in a column, by place among the rows.

    best: the best mean. tied: competing rows that are not told apart from it. allowed: whether
    bounds and reliability let the best be called best at all.
    """

    best: int
    tied: tuple[int, ...]
    allowed: bool

    @property
    def supported(self) -> bool:
        """Whether the seeds support the lead over every other row."""
        return self.allowed and not self.tied


def with_bold(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """The rows with the supported best cell of each column in bold."""
    best = [best_row(rows, index, column) for index, column in enumerate(columns)]
    return [
        replace(
            row,
            cells=tuple(
                replace(cell, bold=best[index] == place) for index, cell in enumerate(row.cells)
            ),
        )
        for place, row in enumerate(rows)
    ]


def best_row(rows: Sequence[Row], index: int, column: Column) -> int | None:
    """The place of the row whose cell in column `index` is bold, or None."""
    found = standing(rows, index, column)
    return found.best if found is not None and found.supported else None


def standing(rows: Sequence[Row], index: int, column: Column) -> Standing | None:
    """Who is ahead in column `index`; None where nothing competes there."""
    direction = column.spec.direction
    if direction == "none" or column.group == "spend":
        return None
    places = [
        i for i, r in enumerate(rows) if r.kind == "model" and r.cells[index].value is not None
    ]
    if len(places) < 2:
        return None
    sign = 1.0 if direction == "max" else -1.0
    best, *others = sorted(places, key=lambda i: -sign * (rows[i].cells[index].value or 0.0))
    allowed = _may_lead(rows[best].cells[index], [rows[i].cells[index] for i in others], direction)
    told = holm([_p_value(rows[best], rows[i], index) for i in others])
    return Standing(best, tuple(i for i, t in zip(others, told, strict=True) if not t), allowed)


def _may_lead(best: Cell, others: Sequence[Cell], direction: str) -> bool:
    """Whether bounds allow the claim: the best is at least this good, no other is better."""
    good, bad = ("lower", "upper") if direction == "max" else ("upper", "lower")
    return best.reliable and best.bound != bad and all(cell.bound != good for cell in others)


def _p_value(a: Row, b: Row, index: int) -> float:
    x, y = ({s: v for s, v in row.cells[index].values.items() if s is not None} for row in (a, b))
    return difference(x, y, paired=a.key.trained == b.key.trained).p_value
