"""Comparison tables from a tidy score frame: `build_tables(scores, specs, context)`.

A section for each data set, and for each budget within it; a row for each trained model and way
of sampling it, held-out real data first; a column for each set of scores that may be compared,
the spend of training last. A cell is the mean over seeds with its 95 % interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from benchbench.api import Budget, ScoreSpec, UsageError
from benchbench.api.names import short_label
from benchbench.report.columns import build_columns
from benchbench.report.entries import Entry, kind_of, read_entries
from benchbench.report.instruments import Finding, check_instruments, failing
from benchbench.report.layout import with_digits
from benchbench.report.notes import build_notes
from benchbench.report.ranking import with_bold
from benchbench.report.rows import build_rows
from benchbench.report.tree import Note, Section, Tables

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["build_tables"]


def build_tables(
    scores: pd.DataFrame,
    specs: Mapping[str, ScoreSpec],
    context: Mapping[str, str],
    findings: Sequence[Finding] | None = None,
) -> Tables:
    """The tables of a score frame.

    scores: with the columns of `benchbench.store.scores.SCORE_COLUMNS`.
    specs: the declared scores by name, in the order of their columns.
    context: lines that hold for every section, such as device and threads.
    findings: of the instrument check of these scores, where it has been made.
    """
    entries = read_entries(scores)
    missed = failing(check_instruments(scores, specs) if findings is None else findings)
    labels = _labels(dict.fromkeys(e.dataset for e in entries))
    sections = [
        _section(part, dataset, labels[dataset], budget, specs, missed)
        for dataset in labels
        for budget, part in _by_budget([e for e in entries if e.dataset == dataset])
    ]
    return Tables(tuple(sections), tuple(context.items()))


def _by_budget(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """The entries of each budget, with held-out and external rows beside each of them."""
    budgets = dict.fromkeys(e.key.budget for e in entries if kind_of(e.key) == "model")
    return [
        (b, [e for e in entries if kind_of(e.key) != "model" or e.key.budget == b])
        for b in budgets or [""]
    ]


def _labels(datasets: Iterable[str]) -> dict[str, str]:
    """A short label for each data set; the full name where two short ones would be the same."""
    short = {name: short_label(name) for name in datasets}
    counts = Counter(short.values())
    return {name: name if counts[label] > 1 else label for name, label in short.items()}


def _section(
    entries: Sequence[Entry],
    dataset: str,
    label: str,
    budget: str,
    specs: Mapping[str, ScoreSpec],
    missed: Mapping[tuple[str, str], list[str]],
) -> Section:
    columns = [
        replace(column, missed=tuple(missed.get((dataset, column.spec.name), ())))
        for column in build_columns(entries, specs)
    ]
    rows = with_bold(build_rows(entries, columns), columns)
    columns = with_digits(columns, rows)
    title, note = _budget(budget)
    notes = [*note, *build_notes(entries, columns, rows)]
    return Section(dataset, budget, label + title, tuple(columns), tuple(rows), tuple(notes))


def _budget(text: str) -> tuple[str, list[Note]]:
    """What a title and a note say of this budget."""
    if not text:
        return "", []
    try:
        budget = Budget.parse(text)
    except UsageError:
        return f", budget {text}", []
    what = {"s": "device time", "flop": "FLOPs", "img": "training images", "step": "steps"}
    note = f"Every model was given the same {what[budget.unit]}"
    if budget.compute_equal:
        return f", budget {text}", [Note(f"{note}.")]
    unequal = Note(f"{note}, which is not the same compute.")
    return f", budget {text} (not compute-equal)", [unequal]
