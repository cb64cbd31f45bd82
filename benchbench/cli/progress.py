"""Progress a person can read: a bar a cell on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import click

from benchbench.api.budget import Budget

if TYPE_CHECKING:
    from benchbench.runner.executor import Outcome
    from benchbench.runner.plan import Cell
    from benchbench.runner.run import Run

__all__ = ["Progress", "make_progress", "run_cells"]

PLAIN_SECONDS = 20.0
"""A plain line for a cell at most this often while it trains."""


class Progress(Protocol):
    """What `bench run` tells of its cells."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def begin(self, cells: list[Cell]) -> None:
        """These cells will run."""

    def event(self, cell: Cell, event: dict[str, Any]) -> None:
        """A cell starts, trains or measures."""

    def end(self, outcome: Outcome) -> None:
        """A cell has ended."""


def make_progress(budget: Budget) -> Progress:
    """Bars where standard error is a terminal, lines elsewhere."""
    return BarProgress(budget) if sys.stderr.isatty() else LineProgress(budget)


class _Clock:
    """Remaining time of a training from its fraction of the budget."""

    def __init__(self) -> None:
        self._began: dict[str, tuple[float, float]] = {}

    def left(self, key: str, fraction: float) -> str:
        now = time.monotonic()
        began, at = self._began.setdefault(key, (now, fraction))
        if fraction <= at or now - began < 1:
            return "--:--"
        seconds = (now - began) * (1 - fraction) / (fraction - at)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class LineProgress:
    """One line when a cell starts, now and then while it trains, and when it ends."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self._clock = budget, _Clock()
        self._count = self._done = 0
        self._last: dict[str, float] = {}
        self._start: dict[str, float] = {}

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._last.clear()

    def begin(self, cells: list[Cell]) -> None:
        self._count = len(cells)
        click.echo(f"{len(cells)} cells to run", err=True)

    def event(self, cell: Cell, event: dict[str, Any]) -> None:
        now = time.monotonic()
        if event["event"] == "start":
            self._start[cell.key] = self._last[cell.key] = now
            click.echo(f"start    {cell.title}", err=True)
        elif event["event"] == "lost":
            click.echo(f"lost     {cell.title}: {event['reason']}; it goes on elsewhere", err=True)
        elif event["event"] == "train" and now - self._last[cell.key] >= PLAIN_SECONDS:
            self._last[cell.key] = now
            left = self._clock.left(cell.key, event["fraction"])
            click.echo(
                f"train    {cell.title}: {_spend(event, self._budget)}{_losses(event)}, "
                f"{event['seconds']:.0f} s, {left} left",
                err=True,
            )
        elif event["event"] == "train":
            self._clock.left(cell.key, event["fraction"])

    def end(self, outcome: Outcome) -> None:
        self._done += 1
        seconds = time.monotonic() - self._start.get(outcome.cell.key, time.monotonic())
        reason = f": {outcome.reason}" if outcome.reason else ""
        click.echo(
            f"{outcome.status:8} {outcome.cell.title} [{self._done}/{self._count}] "
            f"{seconds:.0f} s{reason}",
            err=True,
        )


class BarProgress:
    """A bar a running cell, with loss, spend and time left, and one for the whole run."""

    def __init__(self, budget: Budget) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._budget, self._clock = budget, _Clock()
        self._bars = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._columns = MofNCompleteColumn
        self._tasks: dict[str, Any] = {}
        self._whole: Any = None

    def __enter__(self) -> BarProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def begin(self, cells: list[Cell]) -> None:
        note = f"0/{len(cells)} cells"
        self._whole = self._bars.add_task("all cells", total=len(cells), note=note)

    def event(self, cell: Cell, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind in ("start", "lost") and cell.key in self._tasks:
            self._bars.remove_task(self._tasks.pop(cell.key))
        if kind == "start":
            task = self._bars.add_task(cell.title, total=1.0, note="starting")
            self._tasks[cell.key] = task
        elif kind == "train":
            left = self._clock.left(cell.key, event["fraction"])
            note = f"{_spend(event, self._budget)}{_losses(event)}, {left} left"
            self._bars.update(self._tasks[cell.key], completed=event["fraction"], note=note)
        elif kind == "measure":
            row = f" [{event['variant']}]" if event["variant"] else ""
            note = f"measuring {event['metric']}{row}"
            self._bars.update(self._tasks[cell.key], completed=1.0, note=note)

    def end(self, outcome: Outcome) -> None:
        task = self._tasks.pop(outcome.cell.key, None)
        if task is not None:
            self._bars.remove_task(task)
        self._bars.advance(self._whole)
        whole = self._bars.tasks[self._bars.task_ids.index(self._whole)]
        self._bars.update(self._whole, note=f"{int(whole.completed)}/{int(whole.total or 0)} cells")
        reason = f": {outcome.reason}" if outcome.reason else ""
        self._bars.console.print(
            f"{outcome.status:8} {outcome.cell.title}{reason}", markup=False, highlight=False
        )


def _spend(event: dict[str, Any], budget: Budget) -> str:
    return f"{event['phase']} {event['fraction']:4.0%} of {budget}"


def _losses(event: dict[str, Any]) -> str:
    return "".join(f", {name} {value:.4g}" for name, value in event["values"].items())


def run_cells(
    job: Run,
    budget: Budget,
    *,
    begun: Callable[[list[Cell]], None] = lambda cells: None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Run what is missing of a job under a progress display, naming what was found damaged.

    begun: called with the cells that will run, when the folder is ready; ended: with each outcome.
    """
    with make_progress(budget) as progress:

        def on_begin(cells: list[Cell]) -> None:
            begun(cells)
            progress.begin(cells)

        def on_end(outcome: Outcome) -> None:
            progress.end(outcome)
            ended(outcome)

        return job.execute(progress.event, on_end, on_begin, _say_damaged)


def _say_damaged(line: str) -> None:
    click.echo(f"damaged  {line}", err=True)
