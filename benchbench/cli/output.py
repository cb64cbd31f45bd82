"""What a run leaves: scores, tables and pictures, refreshed as cells end."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchbench.registry import Registry
from benchbench.report.instruments import (
    Finding,
    check_instruments,
    instrument_lines,
    write_instruments,
)
from benchbench.report.page import FILE
from benchbench.report.readings import Readings
from benchbench.report.renderers import to_rich, write_tables
from benchbench.report.tables import build_tables
from benchbench.report.tree import Tables
from benchbench.runner.context import run_context
from benchbench.runner.executor import Outcome
from benchbench.runner.plan import Cell
from benchbench.runner.run import Run
from benchbench.runner.scoring import all_specs

if TYPE_CHECKING:
    import pandas as pd

    from benchbench.report.pictures import Pictures

__all__ = ["Output"]

PAUSE, SHARE = 5.0, 0.05
"""Tables are not rewritten within so many seconds, nor for more than this part of the time: they
are made from all cells, so that a rewrite for each of n cells would read n² / 2."""


class Output:
    """The files of a run beside its cells.

    drawn: pictures and the report as well; what draws them is imported only then.
    """

    def __init__(self, job: Run, registry: Registry, *, drawn: bool = True) -> None:
        self.job, self.registry, self.drawn = job, registry, drawn
        self.specs = all_specs(registry)
        self.readings = Readings(registry)
        self._pictures: Pictures | None = None
        self._next = -math.inf

    def refresh(self, cell: Cell) -> None:
        """Draw the samples of a cell that has just ended, and rewrite the tables now and then.

        The cells hold all that the tables say: `finish`, or the next run, writes what waits.
        """
        began = time.monotonic()
        if began >= self._next:
            self._tables()
            ended = time.monotonic()
            self._next = ended + max(PAUSE, (ended - began) / SHARE)
        if self.drawn:
            self._drawing().draw_cell(cell)

    def _drawing(self) -> Pictures:
        """Made late: the folder's whole plan is known once the run has begun."""
        from benchbench.report.pictures import Pictures

        if self._pictures is None:
            self._pictures = Pictures(self.job.folder, self.job.whole, self.readings)
        return self._pictures

    def finish(self) -> None:
        """Write everything once more, print the table and where things are."""
        from rich.console import Console

        scores, tables, findings = self._tables()
        figures = self.job.folder.path / "figures"
        if self.drawn:
            self._draw(scores, tables, figures)
        console = Console()
        width = console.width if console.is_terminal else 120
        console = Console(width=width)
        for part in to_rich(tables, width):
            console.print(part)
        out = self.job.folder.path
        write_instruments(findings, out)
        for line in instrument_lines(findings):
            click.echo(line)
        click.echo(f"scores   {out / 'scores.csv'}")
        click.echo(f"tables   {out / 'table.md'}, table.tex, table.csv")
        if self.drawn:
            click.echo(f"figures  {figures}")
            self.report()

    def _draw(self, scores: pd.DataFrame, tables: Tables, figures: Path) -> None:
        from benchbench.report.curves import draw_curves
        from benchbench.report.tradeoffs import write_tradeoffs

        pictures = self._drawing()
        for cell in self.job.whole.cells:
            if self._lacks_picture(cell):
                pictures.draw_cell(cell)
        pictures.draw_all(tables)
        draw_curves(scores, self.specs, pictures.styles, figures)
        write_tradeoffs(tables, pictures.styles, figures)

    @property
    def report_file(self) -> Path:
        """Where the report lies."""
        return self.job.folder.path / FILE

    def report(self, *, again: bool = True) -> None:
        """Write report.html from what the folder holds by now, and say where.

        again: also where there is one.
        """
        from benchbench.report.page.write import write_report

        if again or not self.report_file.is_file():
            write_report([self.job.folder.path], self.report_file, self.registry, self.readings)
        click.echo(f"report   {self.report_file}")

    def exit_code(self, outcomes: list[Outcome]) -> int:
        """0 all done, 1 some failed, 3 some go on elsewhere, 130 interrupted; named last."""
        queued = [o for o in outcomes if o.status == "queued"]
        interrupted = [o for o in outcomes if o.status == "interrupted"]
        failed = [o for o in outcomes if o.status in ("error", "timeout")]
        for outcome in failed:
            click.echo(f"failed   {outcome.cell.title}: {outcome.reason}", err=True)
        if interrupted:
            click.echo(
                f"interrupted: {len(interrupted)} cells are not finished; the same command goes on",
                err=True,
            )
            return 130
        if queued:
            places = ", ".join(dict.fromkeys(o.reason for o in queued))
            click.echo(
                f"queued   {len(queued)} cells wait or run without this command ({places}); the "
                "same command collects them",
                err=True,
            )
            return 3
        return 1 if failed else 0

    def _lacks_picture(self, cell: Cell) -> bool:
        """Whether a cell's samples have no picture: it was damaged, or the run was killed."""
        files, labels = self.job.folder.cell(cell.folder), (v.label for v in cell.variants)
        return any(files.samples(v).is_file() and not files.picture(v).is_file() for v in labels)

    def _tables(self) -> tuple[pd.DataFrame, Tables, list[Finding]]:
        """Write the scores and the tables from the cells as they stand."""
        scores = self.job.scores()
        context = run_context(self.job.whole, self.job.folder)
        self.job.folder.write_context(context)
        findings = check_instruments(scores, self.specs)
        tables = build_tables(scores, self.specs, context, findings)
        write_tables(tables, self.job.folder.path)
        return scores, tables, findings
