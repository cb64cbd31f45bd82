"""How numbers, heads and wide tables are laid out, the same for every format.

A column's numbers share their decimals: those of the `ScoreSpec`, or as many as give the smallest
value three significant digits. Whole numbers stay whole; values that differ fifty-fold or more get
three digits each. Large costs share an SI prefix, which the head names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from benchbench.report.tree import MISSING, Cell, Column, Row, Section

__all__ = [
    "WARNING",
    "Block",
    "CellText",
    "blocks",
    "cell_text",
    "few_columns",
    "head_parts",
    "text_width",
    "with_digits",
]

WARNING = "⚠"
"""Stands in the head of a column whose score failed its instrument check."""
MAX_COLUMNS = 9
"""A table with more metric columns than this is split into quality and cost."""

Fits = Callable[[Sequence[int], bool], bool]
"""Whether the columns of these indices may stand in one table, without or with seed counts."""

_PREFIXES = {0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_UNITS = {"1": "", "flop": "FLOP", "flops": "FLOP", "byte": "B", "bytes": "B"}
_SPACED = ("images", "samples/s", "images/s", "steps")
_ARROWS = {"max": "↑", "min": "↓", "none": ""}
_SCALE_FROM = 1e5
_SHARED_RANGE = 50.0
_TINY = 1e-4
"""Smaller values are printed as 1.23e-05."""


@dataclass(frozen=True)
class CellText:
    """A cell as unescaped text: prefix, value, spread, marks."""

    prefix: str = ""
    value: str = MISSING
    spread: str = ""
    marks: str = ""
    bold: bool = False

    def __str__(self) -> str:
        spread = f" {self.spread}" if self.spread else ""
        return f"{self.prefix}{self.value}{spread}{self.marks}"

    def compact(self) -> str:
        """The same for where room is dear: `0.98±0.01`."""
        return str(self).replace(" ± ", "±").replace("≤ ", "≤").replace("≥ ", "≥")


@dataclass(frozen=True)
class Block:
    """Some columns of a section, printed as one table.

    title: `quality` or `cost`, or empty where one table has all. seeds: whether it has the column
    that counts them.
    """

    title: str
    columns: tuple[int, ...]
    rows: tuple[Row, ...]
    seeds: bool


def with_digits(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """The columns with their shared prefix and decimals, taken from the values they hold."""
    result = []
    for index, column in enumerate(columns):
        models = _sizes([row for row in rows if row.kind == "model"], index)
        sizes = models or _sizes(rows, index)
        power = _power(column, sizes)
        decimals = _decimals(column, [s / 10**power for s in sizes], scaled=power > 0)
        result.append(replace(column, power=power, decimals=decimals))
    return result


def cell_text(cell: Cell, column: Column) -> CellText:
    """`≤1.23 ± 0.04†`, `0.98 [0.97, 0.99]`, `–` or `same`."""
    if cell.value is None:
        return CellText(value="same" if cell.status == "same" else MISSING)
    spread = ""
    constant = cell.bound == "exact" and cell.ci_low == cell.ci_high
    if cell.ci_low is not None and cell.ci_high is not None and not constant:
        if cell.own_interval:
            low, high = (_number(v, column) for v in (cell.ci_low, cell.ci_high))
            spread = f"[{low}, {high}]"
        else:
            spread = f"± {_half_width((cell.ci_high - cell.ci_low) / 2, cell.value, column)}"
    return CellText(
        prefix={"upper": "≤ ", "lower": "≥ "}.get(cell.bound, ""),
        value=_number(cell.value, column),
        spread=spread,
        marks="".join(cell.marks),
        bold=cell.bold,
    )


def head_parts(column: Column) -> tuple[str, str, str]:
    """Label with arrow, qualifier, and unit of a column: `latency p50 ↓`, `batch=1`, `ms`."""
    spec = column.spec
    warning = WARNING if column.missed else ""
    parts = (spec.label or spec.name, _ARROWS[spec.direction], warning)
    label = " ".join(part for part in parts if part)
    floor = "" if column.floor is None else f"floor {column.floor:.3g}"
    qualifier = ", ".join(part for part in (column.condition, column.suffix, floor) if part)
    unit = _UNITS.get(spec.unit.lower(), spec.unit)
    prefix = _PREFIXES[column.power]
    if unit.lower() in (spec.label or spec.name).lower():
        return label, qualifier, prefix
    return label, qualifier, f"{prefix} {unit}" if prefix and unit in _SPACED else prefix + unit


def few_columns(columns: Sequence[int], seeds: bool) -> bool:
    """Whether a format that scrolls sideways shows these in one table."""
    return len(columns) <= MAX_COLUMNS


def blocks(section: Section, fits: Fits = few_columns) -> list[Block]:
    """One table of all shown columns; where that does not fit, quality and cost stacked.

    A part that does not fit is split further; a single column is left as it is. Only the first
    table has the seeds column.
    """
    shown = [i for i, column in enumerate(section.columns) if column.shown]
    if fits(shown, True):
        return [_block(section, "", shown, seeds=True)]
    found: list[Block] = []
    for title in ("quality", "cost"):
        group = [
            i for i in shown if (section.columns[i].group == "quality") == (title == "quality")
        ]
        for part in _split(group, fits, seeds=not found):
            found.append(_block(section, title, part, seeds=not found))
    return found


def text_width(section: Section, index: int) -> int:
    """Characters that column `index` takes where its head has a line for each of its parts."""
    column = section.columns[index]
    cells = [len(cell_text(row.cells[index], column).compact()) for row in section.rows]
    return max([*cells, *(len(part) for part in head_parts(column))])


def _block(section: Section, title: str, columns: Sequence[int], *, seeds: bool) -> Block:
    """Rows that have nothing to show here, like held-out data under costs, are left out."""
    rows = tuple(
        row
        for row in section.rows
        if row.kind == "model" or any(row.cells[i].value is not None for i in columns)
    )
    return Block(title, tuple(columns), rows, seeds)


def _split(items: Sequence[int], fits: Fits, *, seeds: bool) -> list[list[int]]:
    """The fewest parts that fit, in order; of even length where those fit as well."""
    parts: list[list[int]] = []
    for i in items:
        if parts and fits([*parts[-1], i], seeds and len(parts) == 1):
            parts[-1].append(i)
        else:
            parts.append([i])
    cuts = [k * len(items) // max(1, len(parts)) for k in range(len(parts) + 1)]
    even = [list(items[a:b]) for a, b in pairwise(cuts)]
    return even if all(fits(p, seeds and k == 0) for k, p in enumerate(even)) else parts


def _sizes(rows: Sequence[Row], index: int) -> list[float]:
    values = [row.cells[index].value for row in rows]
    return [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]


def _power(column: Column, sizes: Sequence[float]) -> int:
    """The power of ten that a column of large costs is divided by: 0, 3, 6, …"""
    unit = column.spec.unit.lower()
    if column.group == "quality" or unit in ("s", "ms", "us"):
        return 0
    if not sizes or max(sizes) < _SCALE_FROM:
        return 0
    return min(max(0, 3 * math.floor(math.log10(min(sizes)) / 3)), max(_PREFIXES))


def _decimals(column: Column, sizes: Sequence[float], scaled: bool) -> int | None:
    if column.spec.digits is not None and not scaled:
        return column.spec.digits
    if not sizes:
        return 0
    if all(s == int(s) for s in sizes) and max(sizes) < 1e7:
        return 0
    if max(sizes) / min(sizes) > _SHARED_RANGE or min(sizes) < _TINY:
        return None
    return max(0, 2 - math.floor(math.log10(min(sizes))))


def _number(value: float, column: Column) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "−∞" if value < 0 else "∞"
    scaled = value / 10**column.power
    text = f"{scaled:,.{_places(scaled, column)}f}"
    if column.decimals is None and 0 < abs(scaled) < _TINY:
        text = f"{scaled:.2e}"
    return text.replace("-", "−", 1) if text.startswith("-") else text


def _half_width(half: float, value: float, column: Column) -> str:
    """With the decimals of the mean; a width below the last digit is no zero."""
    scaled = half / 10**column.power
    mean = value / 10**column.power
    if column.decimals is None and 0 < abs(mean) < _TINY:
        return f"{scaled:.1e}"
    places = _places(mean, column)
    if 0 < scaled < 0.5 * 10**-places:
        return f"<{10.0**-places:.{places}f}"
    return f"{scaled:,.{places}f}"


def _places(scaled: float, column: Column) -> int:
    if column.decimals is not None:
        return column.decimals
    return max(0, 2 - math.floor(math.log10(abs(scaled)))) if scaled else 2
