"""Two runs of one plan: which scores moved beyond their interval.

For each row, score and condition that both runs have, d = mean of the later − mean of the earlier,
judged by Welch's t over seeds; all comparisons of the two runs share one error rate of 5 % (Holm).
Seed k of one run and seed k of the other are not taken for a pair: another machine or another
version draws other numbers from it. Equal values are called equal, whatever the number of seeds;
one seed that differs can't be judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from benchbench.report.entries import SPEND
from benchbench.report.layout import cell_text, head_parts
from benchbench.report.page.sources import Result
from benchbench.report.statistics import Difference, difference, holm
from benchbench.report.tables import build_tables
from benchbench.report.tree import Cell, Column, Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchbench.api import ScoreSpec

__all__ = ["Change", "Comparison", "compare_runs"]


@dataclass(frozen=True)
class Change:
    """A score that moved: the two values, their difference with its 95 % interval, as text."""

    dataset: str
    row: str
    score: str
    before: str
    after: str
    change: str
    better: str


@dataclass(frozen=True)
class Comparison:
    """Two folders. counts: comparisons by outcome; only_earlier, only_later: rows of one alone."""

    earlier: str
    later: str
    changes: tuple[Change, ...]
    counts: tuple[tuple[str, int], ...]
    only_earlier: tuple[str, ...]
    only_later: tuple[str, ...]


@dataclass(frozen=True)
class _Pair:
    """One score in both runs."""

    section: Section
    column: Column
    row: str
    before: Cell
    after: Cell
    difference: Difference

    @property
    def outcome(self) -> str:
        """`equal`, `not judged`, or `open` where the test decides."""
        if dict(self.before.values) == dict(self.after.values):
            return "equal"
        return "not judged" if self.difference.dof is None else "open"


def compare_runs(results: Sequence[Result], specs: Mapping[str, ScoreSpec]) -> list[Comparison]:
    """Each folder against the one before it, where they share scores."""
    found = [_compare(a, b, specs) for a, b in pairwise(results)]
    return [c for c in found if sum(n for _, n in c.counts)]


def _compare(earlier: Result, later: Result, specs: Mapping[str, ScoreSpec]) -> Comparison:
    old, new = (_cells(result, specs) for result in (earlier, later))
    pairs = [_pair(old[key], new[key]) for key in old if key in new]
    judged = [pair for pair in pairs if pair.outcome == "open"]
    rejected = holm([pair.difference.p_value for pair in judged])
    moved = [pair for pair, gone in zip(judged, rejected, strict=True) if gone]
    counts = Counter(pair.outcome for pair in pairs)
    counts["within its interval"] = counts.pop("open", 0) - len(moved)
    counts["moved"] = len(moved)
    rows = [dict.fromkeys(f"{key[0]}: {entry[2]}" for key, entry in m.items()) for m in (old, new)]
    return Comparison(
        earlier.name,
        later.name,
        tuple(map(_change, moved)),
        tuple((what, n) for what, n in sorted(counts.items()) if n),
        tuple(label for label in rows[0] if label not in rows[1]),
        tuple(label for label in rows[1] if label not in rows[0]),
    )


def _cells(
    result: Result, specs: Mapping[str, ScoreSpec]
) -> dict[tuple[str, ...], tuple[Section, int, str, Cell]]:
    """Every cell with a value, spend apart, by data set, row, score, condition and protocol."""
    found: dict[tuple[str, ...], tuple[Section, int, str, Cell]] = {}
    for section in build_tables(result.scores, specs, {}).sections:
        for i, column in enumerate(section.columns):
            for row in section.rows:
                if row.cells[i].value is None or column.spec.name in SPEND:
                    continue
                protocol = str(column.protocol)
                key = (section.title, *row.key, column.spec.name, column.condition, protocol)
                found[key] = (section, i, row.label, row.cells[i])
    return found


def _pair(old: tuple[Section, int, str, Cell], new: tuple[Section, int, str, Cell]) -> _Pair:
    section, index, label, after = new
    x, y = ({-1 if s is None else s: v for s, v in cell.values.items()} for cell in (after, old[3]))
    return _Pair(section, section.columns[index], label, old[3], after, difference(x, y))


def _change(pair: _Pair) -> Change:
    label, qualifier, unit = head_parts(pair.column)
    more = "; ".join(part for part in (unit, qualifier) if part)
    interval = pair.difference.interval()
    assert interval is not None
    scale = 10.0**pair.column.power
    low, high = (v / scale for v in interval)
    mean = pair.difference.mean / scale
    up = mean > 0
    better = {"max": up, "min": not up}.get(pair.column.spec.direction)
    return Change(
        pair.section.title,
        pair.row,
        f"{label} ({more})" if more else label,
        str(cell_text(pair.before, pair.column)),
        str(cell_text(pair.after, pair.column)),
        f"{mean:+.3g} [{low:+.3g}, {high:+.3g}]".replace("-", "−"),
        "" if better is None else "better" if better else "worse",
    )
