"""What was run and what came of it, in sentences that follow from the numbers by fixed rules.

* A model leads in a score where its cell is bold: the interval of its difference to every other
  model excludes zero (`benchbench.report.ranking`).
* Models tie where they are not told apart from the best mean.
* A best value that bounds or reliability forbid to be called best is undecided. One seed decides
  nothing. A score that missed a control of the instrument check carries ⚠ here as in the tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchbench.api import Budget, UsageError
from benchbench.api.names import short_label
from benchbench.report.layout import WARNING, head_parts
from benchbench.report.page.sources import Result
from benchbench.report.ranking import standing
from benchbench.report.tree import Column, Section

__all__ = ["Verdict", "answer", "outcome", "what_was_run"]

MANY = 4
"""More names than this are counted, not written out."""
_UNITS = {"s": "s of device time", "flop": "FLOP", "img": "training images", "step": "steps"}


@dataclass(frozen=True)
class Verdict:
    """One column's outcome: `leads`, `tie` or `undecided`, and the rows it is about; of a tie of
    all models, none."""

    column: Column
    outcome: str
    rows: tuple[str, ...] = ()


def what_was_run(results: Sequence[Result], sections: Sequence[Section]) -> str:
    """`ldm and vae on grid25, 2 seeds (0 and 1), 600 steps for each training, which is not the
    same compute. All 22 cells are done.`"""
    models = list(
        dict.fromkeys(r.label for section in sections for r in section.rows if r.kind != "real")
    )
    seeds = {
        seed
        for section in sections
        for row in section.rows
        for cell in row.cells
        for seed in cell.values
        if seed is not None
    }
    datasets = list(dict.fromkeys(short_label(section.dataset) for section in sections))
    budgets = [b for b in dict.fromkeys(section.budget for section in sections) if b]
    parts = [f"{_named(models, 'model')} on {_named(datasets, 'data set')}"]
    if seeds:
        parts.append(f"{_count(len(seeds), 'seed')} ({_listed(map(str, sorted(seeds)))})")
    if budgets:
        parts.append(_budgets(budgets))
    return f"{', '.join(parts)}. {_cells(results)}".strip()


def _budgets(texts: Sequence[str]) -> str:
    found = []
    for text in texts:
        try:
            found.append(Budget.parse(text))
        except UsageError:
            return f"budget {_listed(texts)}"
    said = _listed(f"{_amount(b.amount)} {_UNITS[b.unit]}" for b in found)
    unequal = "" if all(b.compute_equal for b in found) else ", which is not the same compute"
    return f"{said} for each training{unequal}"


def _amount(value: float) -> str:
    return f"{value:,.10g}" if value < 1e7 else f"{value:.6g}".replace("e+", "e")


def _cells(results: Sequence[Result]) -> str:
    """`All 28 cells are done.` or `35 of 44 cells are done; 9 not begun.`"""
    counts: Counter[str] = sum((r.counts() for r in results), start=Counter())
    total, done = sum(counts.values()), counts["done"]
    if not total:
        return ""
    if done == total:
        return f"All {total} cells are done." if total > 1 else "Its cell is done."
    more = _listed(f"{n} {s}" for s, n in counts.items() if s != "done")
    said = f"{done} of {total} cells are done; {more}."
    return said.replace(" missing", " not begun")


def outcome(sections: Sequence[Section]) -> str:
    """One sentence on the quality scores of all sections together.

    `Of 16 comparisons of quality, ldm leads in 6 and vae leads in 1; 5 are ties and 4 are
    undecided.`
    """
    every = [(v, _seeds(s)) for s in sections for v in _verdicts(s) if v.column.group == "quality"]
    found = [v for v, seeds in every if seeds > 1]
    if not every:
        return "No quality score has values of two models, so nothing is compared."
    if not found:
        return "There is one seed, so no difference can be told from chance."
    leads = Counter(v.rows[0] for v in found if v.outcome == "leads")
    ties = sum(v.outcome == "tie" for v in found)
    said = [f"{name} leads in {n}" for name, n in leads.most_common(MANY)]
    if len(leads) > MANY:
        said.append(f"{len(leads) - MANY} more lead in {sum(leads.values()) - _top(leads)}")
    rest = [f"{ties} {'is a tie' if ties == 1 else 'are ties'}"] if ties else []
    open_ = len(found) - ties - sum(leads.values())
    if open_:
        rest.append(f"{open_} {'is' if open_ == 1 else 'are'} undecided")
    if len(every) > len(found):
        more = len(every) - len(found)
        rest.append(f"{more} more {'has' if more == 1 else 'have'} one seed, which decides nothing")
    head = f"Of {_count(len(found), 'comparison')} of quality"
    first = _listed(said) if said else "no model leads in any"
    return f"{head}, {first}{'; ' if rest else ''}{_listed(rest) if rest else ''}."


def _top(leads: Counter[str]) -> int:
    return sum(n for _, n in leads.most_common(MANY))


def answer(section: Section) -> list[str]:
    """Sentences on one data set under one budget."""
    if sum(row.kind == "model" for row in section.rows) < 2:
        return ["Nothing is compared: there are fewer than two models with scores here."]
    verdicts = _verdicts(section)
    if not verdicts:
        return ["No score with a better side has values of two models here."]
    if _seeds(section) < 2:
        return ["One seed: no difference can be told from chance, so no model is called better."]
    return [
        *_leads("Quality", [v for v in verdicts if v.column.group == "quality"]),
        *_leads("Cost", [v for v in verdicts if v.column.group == "cost"]),
        *_ties([v for v in verdicts if v.outcome == "tie"]),
        *_undecided([v for v in verdicts if v.outcome not in ("leads", "tie")]),
        *_warned([v.column for v in verdicts if v.column.missed]),
    ]


def _seeds(section: Section) -> int:
    return max((cell.n_seeds for row in section.rows for cell in row.cells), default=0)


def _verdicts(section: Section) -> list[Verdict]:
    shown = [(i, c) for i, c in enumerate(section.columns) if c.shown]
    return [v for i, column in shown if (v := _verdict(section, i, column)) is not None]


def _verdict(section: Section, index: int, column: Column) -> Verdict | None:
    found = standing(section.rows, index, column)
    if found is None:
        return None
    best = section.rows[found.best]
    competing = [row for row in section.rows if row.kind == "model"]
    values = [row.cells[index].value for row in competing]
    if len(set(values)) == 1:
        return Verdict(column, "tie", ())
    if not found.allowed:
        return Verdict(column, "bounds or reliability do not let the best value lead")
    if found.supported:
        return Verdict(column, "leads", (best.label,))
    tied = {best.label, *(section.rows[i].label for i in found.tied)}
    everyone = len(tied) == sum(value is not None for value in values)
    return Verdict(
        column, "tie", () if everyone else tuple(r.label for r in competing if r.label in tied)
    )


def _leads(what: str, verdicts: Sequence[Verdict]) -> list[str]:
    if not verdicts:
        return []
    leading = [v for v in verdicts if v.outcome == "leads"]
    if not leading:
        return [f"{what}: no model leads in any score."]
    parts = [f"{rows[0]} leads in {_listed(names)}" for rows, names in _grouped(leading)]
    return [f"{what}: {'; '.join(parts)}."]


def _ties(verdicts: Sequence[Verdict]) -> list[str]:
    parts = [
        f"{_some(rows) if rows else 'all models'} in {_listed(names)}"
        for rows, names in _grouped(verdicts)
    ]
    return [f"Ties: {'; '.join(parts)}."] if parts else []


def _undecided(verdicts: Sequence[Verdict]) -> list[str]:
    found: dict[str, list[str]] = {}
    for v in verdicts:
        found.setdefault(v.outcome, []).append(_name(v.column))
    return [f"Undecided: {_listed(names)} ({why})." for why, names in found.items()]


def _warned(columns: Sequence[Column]) -> list[str]:
    found: dict[str, list[str]] = {}
    for column in columns:
        found.setdefault(_listed(column.missed), []).append(
            _name(column).removesuffix(f" {WARNING}")
        )
    said = [f"{_listed(dict.fromkeys(names))} ({missed})" for missed, names in found.items()]
    return (
        [f"{WARNING} did not tell every control from real data: {'; '.join(said)}."] if said else []
    )


def _grouped(verdicts: Sequence[Verdict]) -> list[tuple[tuple[str, ...], list[str]]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for v in verdicts:
        groups.setdefault(v.rows, []).append(_name(v.column))
    return list(groups.items())


def _name(column: Column) -> str:
    label, qualifier, _ = head_parts(column)
    where = f" ({column.suffix})" if column.suffix and qualifier else ""
    warning = f" {WARNING}" if column.missed else ""
    return label.rstrip(f" ↑↓{WARNING}") + where + warning


def _some(rows: Sequence[str]) -> str:
    return _listed(rows) if len(rows) <= MANY else f"{rows[0]} and {len(rows) - 1} more"


def _named(names: Sequence[str], what: str) -> str:
    """The names where there are few, or how many there are."""
    return _listed(names) if 0 < len(names) <= MANY else _count(len(names), what)


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = list(names) or [""]
    return f"{', '.join(first)} and {last}" if first else last
