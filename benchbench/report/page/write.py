"""Result folders to one HTML file: `write_report(folders, path)`.

Every text passes jinja2's autoescape; figures are escaped by their XML writer. The page's policy
(Content-Security-Policy) allows its own style, its own script by hash, and images within the file:
nothing is fetched, and no script that a name smuggled in would run.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from benchbench import __version__
from benchbench.api.names import short_label
from benchbench.registry import Registry
from benchbench.report.instruments import LEGEND, check_instruments, failing, instrument_table
from benchbench.report.page.answer import outcome, what_was_run
from benchbench.report.page.charts import Charts, Grid, Picture
from benchbench.report.page.claims import claims_view
from benchbench.report.page.moved import compare_runs
from benchbench.report.page.origin import failures, origin
from benchbench.report.page.samples import Gallery
from benchbench.report.page.sources import Result, joined_scores, read_results
from benchbench.report.page.tables import section_views
from benchbench.report.readings import Readings
from benchbench.report.rows import label_of
from benchbench.report.styles import Style, model_styles
from benchbench.report.tables import build_tables
from benchbench.report.tree import MISSING, RowKey, Section, Tables
from benchbench.runner.scoring import all_specs
from benchbench.store.files import write_bytes_atomic
from benchbench.store.scores import CONTROL_MODEL, REFERENCE_MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from benchbench.api import ScoreSpec

__all__ = ["page", "write_report"]

_STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class _Figures:
    """The figures of one section."""

    title: str
    budget: list[Picture]
    nfe: Picture | None
    front: Picture | None
    strips: list[Picture]


def write_report(
    folders: Sequence[Path], path: Path, registry: Registry, readings: Readings | None = None
) -> None:
    """Write the report of one result folder or several to `path`, atomically.

    readings: what has been loaded and read for other pictures of these folders.
    Raises UsageError where a folder is no result folder.
    """
    text = page(read_results(folders, registry), registry, readings or Readings(registry))
    # A status file may hold half a surrogate pair, which UTF-8 has no bytes for.
    write_bytes_atomic(path, text.encode("utf-8", "replace"))


def page(results: Sequence[Result], registry: Registry, readings: Readings) -> str:
    """The report as HTML."""
    scores, specs = joined_scores(results), all_specs(registry)
    findings = check_instruments(scores, specs)
    tables = build_tables(scores, specs, _context(results), findings)
    styles = _styles(results, tables)
    charts = Charts(styles, sum(len(section.rows) for section in tables.sections))
    script, css = (_text(name) for name in ("report.js", "report.css"))
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=", ".join(result.name for result in results),
            version=__version__,
            css=Markup(css),
            script=Markup(script),
            script_hash=_hash(script),
            run=what_was_run(results, tables.sections),
            outcome=outcome(tables.sections) if tables.sections else "There are no scores yet.",
            sections=section_views(tables, styles),
            claims=claims_view(results, charts),
            albums=Gallery(readings, charts).albums(results, tables.sections),
            figures=[_figures(s, scores, specs, charts) for s in tables.sections],
            instruments=[
                (dataset, *_instruments(instrument_table(findings, dataset), dataset))
                for dataset in dict.fromkeys(f.dataset for f in findings)
            ],
            missed=failing(findings),
            legend=LEGEND,
            comparisons=compare_runs(results, specs),
            failures=failures(results),
            origins=[origin(result, registry) for result in results],
            markers=_MARKERS,
        )
    )


def _instruments(table: Sequence[Sequence[str]], dataset: str) -> tuple[Grid, tuple[str, ...]]:
    """The scores that were measured, and the names of those that were not."""
    head, *rows = map(tuple, table)
    measured = tuple(row for row in rows if any(cell != MISSING for cell in row[1:]))
    caption = f"Controls, {short_label(dataset)}"
    return Grid(caption, head, measured), tuple(row[0] for row in rows if row not in measured)


def _text(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """As a Content-Security-Policy names a script."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("benchbench.report.page"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _printable(value: object) -> object:
    """Text without control characters and direction overrides; lines and tabs stay."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    hidden = ("Cc", "Cf")
    return "".join(c for c in value if c in "\n\t" or unicodedata.category(c) not in hidden)


def _context(results: Sequence[Result]) -> dict[str, str]:
    """The facts that every folder states alike, and the others with the folder's name."""
    if len(results) == 1:
        return dict(results[0].context)
    context: dict[str, str] = {}
    for key in dict.fromkeys(key for result in results for key in result.context):
        values = {result.name: result.context.get(key, "–") for result in results}
        same = len(set(values.values())) == 1
        said = "; ".join(f"{v} ({name})" for name, v in values.items())
        context[key] = next(iter(values.values())) if same else said
    return context


def _styles(results: Sequence[Result], tables: Tables) -> dict[str, Style]:
    """One look for a row in every figure: by its place in the plans, as in figures/."""
    planned = [
        label_of(RowKey(c.model, c.config_label, c.budget, v.label))
        for result in results
        for c in result.cells
        if c.model not in (REFERENCE_MODEL, CONTROL_MODEL)
        for v in c.variants
    ]
    shown = [row.label for s in tables.sections for row in s.rows if row.kind != "real"]
    return model_styles([*planned, *shown])


def _figures(
    section: Section, scores: pd.DataFrame, specs: Mapping[str, ScoreSpec], charts: Charts
) -> _Figures:
    return _Figures(
        section.title,
        charts.budget(scores, section, specs),
        charts.nfe(section),
        charts.front(section),
        charts.strips(section),
    )


_MARKERS = {
    "o": "M8 3a5 5 0 1 0 0 10a5 5 0 1 0 0-10z",
    "s": "M3.5 3.5h9v9h-9z",
    "^": "M8 2.5l5.5 10.5h-11z",
    "D": "M8 2l6 6l-6 6l-6-6z",
    "v": "M8 13.5l5.5-10.5h-11z",
    "P": "M6 2.5h4v3.5h3.5v4h-3.5v3.5h-4v-3.5h-3.5v-4h3.5z",
    "X": "M5 2.5l3 3l3-3l2.5 2.5l-3 3l3 3l-2.5 2.5l-3-3l-3 3l-2.5-2.5l3-3l-3-3z",
    "*": "M8 1.5l2 4.4l4.8.5l-3.6 3.2l1 4.7l-4.2-2.4l-4.2 2.4l1-4.7l-3.6-3.2l4.8-.5z",
}
"""Matplotlib's markers as paths in a square of 16."""
