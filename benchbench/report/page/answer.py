"""What was run and what came of it, in sentences that follow from the numbers by fixed rules.

* A model leads in a score where its cell is bold: the interval of its difference to every other
  model excludes zero (`benchbench.report.ranking`).
* Models tie where they are not told apart from the best mean.
* A score that failed its instrument check on a data set, and a best value that bounds or
  reliability forbid to be called best, are named as undecided. One seed decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchbench.report.layout import head_parts
from benchbench.report.page.sources import Result
from benchbench.report.ranking import standing
from benchbench.report.tree import Column, Section

__all__ = ["Verdict", "answer", "what_was_run"]

MANY = 4
"""More models than this in a tie are counted, not named."""


@dataclass(frozen=True)
class Verdict:
    """One column's outcome: `leads`, `tie` or `undecided`, and the rows it is about."""

    column: Column
    outcome: str
    rows: tuple[str, ...] = ()


def what_was_run(results: Sequence[Result], sections: Sequence[Section]) -> str:
    """`3 models on 2 data sets, seeds 0 and 1, 600step each; 22 of 22 cells are done.`"""
    models = dict.fromkeys(
        row.label for section in sections for row in section.rows if row.kind == "model"
    )
    seeds = {
        seed
        for section in sections
        for row in section.rows
        for cell in row.cells
        for seed in cell.values
        if seed is not None
    }
    datasets = dict.fromkeys(section.dataset for section in sections)
    budgets = [b for b in dict.fromkeys(section.budget for section in sections) if b]
    parts = [f"{_count(len(models), 'model')} on {_count(len(datasets), 'data set')}"]
    if seeds:
        parts.append(f"{_count(len(seeds), 'seed')} ({_listed(map(str, sorted(seeds)))})")
    if budgets:
        parts.append(f"{_listed(budgets)} for each training")
    said = ", ".join(parts) + "."
    counts = sum((r.counts() for r in results), start=type(results[0].counts())())
    total = sum(counts.values())
    if total:
        more = [f"{n} {s}" for s, n in counts.items() if s != "done"]
        tail = f": {_listed(more)}" if more else ""
        said += f" {counts['done']} of {total} cells are done{tail}."
    return said.replace(" missing", " not begun")


def answer(section: Section) -> list[str]:
    """Sentences on one data set under one budget."""
    if sum(row.kind == "model" for row in section.rows) < 2:
        return ["Nothing is compared: there are fewer than two models with scores here."]
    shown = [(i, c) for i, c in enumerate(section.columns) if c.shown]
    verdicts = [v for i, column in shown if (v := _verdict(section, i, column)) is not None]
    if not verdicts:
        return ["No score with a better side has values of two models here."]
    most = max(cell.n_seeds for row in section.rows for cell in row.cells)
    if most < 2:
        return ["One seed: no difference can be told from chance, so no model is called better."]
    return [
        *_leads([v for v in verdicts if v.outcome == "leads"]),
        *_ties([v for v in verdicts if v.outcome == "tie"]),
        *_undecided([v for v in verdicts if v.outcome not in ("leads", "tie")]),
    ]


def _verdict(section: Section, index: int, column: Column) -> Verdict | None:
    found = standing(section.rows, index, column)
    if found is None:
        return None
    if column.missed:
        return Verdict(column, "the score failed its instrument check")
    best = section.rows[found.best]
    values = [row.cells[index].value for row in section.rows if row.kind == "model"]
    if len(set(values)) == 1:
        return Verdict(column, "tie", ())
    if not found.allowed:
        return Verdict(column, "bounds or reliability do not let the best value lead")
    if found.supported:
        return Verdict(column, "leads", (best.label,))
    competing = [row for row in section.rows if row.kind == "model"]
    tied = [best.label, *(section.rows[i].label for i in found.tied)]
    everyone = len(tied) == sum(row.cells[index].value is not None for row in competing)
    return Verdict(column, "tie", () if everyone else tuple(tied))


def _leads(verdicts: Sequence[Verdict]) -> list[str]:
    if not verdicts:
        return ["No model leads significantly in any score."]
    parts = [f"{rows[0]} leads in {_listed(names)}" for rows, names in _grouped(verdicts)]
    return [f"Significant: {'; '.join(parts)}."]


def _ties(verdicts: Sequence[Verdict]) -> list[str]:
    parts = []
    for rows, names in _grouped(verdicts):
        who = "the models are" if not rows else f"{_some(rows)} share the lead,"
        parts.append(f"{who} not told apart in {_listed(names)}")
    return [f"Ties: {'; '.join(parts)}."] if parts else []


def _undecided(verdicts: Sequence[Verdict]) -> list[str]:
    found: dict[str, list[str]] = {}
    for v in verdicts:
        found.setdefault(v.outcome, []).append(_name(v.column))
    return [f"Undecided: {_listed(names)} ({why})." for why, names in found.items()]


def _grouped(verdicts: Sequence[Verdict]) -> list[tuple[tuple[str, ...], list[str]]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for v in verdicts:
        groups.setdefault(v.rows, []).append(_name(v.column))
    return list(groups.items())


def _name(column: Column) -> str:
    label, qualifier, _ = head_parts(column)
    where = f" ({column.suffix})" if column.suffix and qualifier else ""
    return label.rstrip(" ↑↓⚠") + where


def _some(rows: Sequence[str]) -> str:
    return _listed(rows) if len(rows) <= MANY else f"{rows[0]} and {len(rows) - 1} more"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = list(names) or [""]
    return f"{', '.join(first)} and {last}" if first else last
