"""What places cells: the seam between a run and the machines that it runs on.

A cell is one command over a plan and a key (`benchbench.runner.worker`). An executor decides where
and when that command runs, tells of its events, and says how it ended; what a cell computed lies in
the result folder alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from benchbench.api import UsageError
from benchbench.runner.plan import Cell, Plan
from benchbench.store.folder import ResultFolder

__all__ = ["RESULT", "Executor", "OnEnd", "OnEvent", "Outcome", "Placement", "fail", "require"]

RESULT = ("done", "diverged", "skipped")
"""Statuses that are results: such a cell is not run again."""


@dataclass(frozen=True)
class Outcome:
    """How a cell ended: its status and, where there is something to say, why.

    status: as in cell.json, or `interrupted`, or `queued`: it goes on without this process.
    """

    cell: Cell
    status: str
    reason: str = ""


OnEvent = Callable[[Cell, dict[str, Any]], None]
"""Progress of a cell: `start`, then the worker's events; `lost` where it has to start again."""
OnEnd = Callable[[Outcome], None]


class Executor(Protocol):
    """Runs cells of a plan somewhere.

    Its callbacks are called in the thread that called `run`, `on_event(cell, {"event": "start"})`
    before any other event of a cell, and `on_end` once for each cell that began.
    """

    def run(self, cells: Iterable[Cell]) -> list[Outcome]:
        """Run the cells, and give an outcome for each.

        After Ctrl-C or SIGTERM running cells write checkpoints and the rest wait; after the second
        one they are killed. An executor whose cells outlive this process leaves them instead.
        """


class Placement(Protocol):
    """The user's choice of an executor, with what it has to know."""

    def busy(self, folder: ResultFolder) -> frozenset[str]:
        """Keys of cells that run or wait elsewhere, for a process that may be gone: hands off."""

    def executor(
        self,
        plan: Plan,
        folder: ResultFolder,
        *,
        jobs: int | None,
        timeout: float | None,
        on_event: OnEvent,
        on_end: OnEnd,
    ) -> Executor:
        """An executor for cells of this plan, which is in the folder.

        jobs: cells at once at most; None: as many as there is room for. timeout: seconds of wall
        time a cell may take from one start to its end, or None.
        """


def require(module: str, extra: str) -> None:
    """Raises UsageError, saying how to get it, where a package of an extra is not installed."""
    if find_spec(module) is None:
        raise UsageError(f"--executor {extra} needs {module}: pip install 'benchbench[{extra}]'")


def fail(folder: ResultFolder, cell: Cell, status: str, reason: str) -> Outcome:
    """Write into a cell how it ended where its worker could not, and give that outcome."""
    files = folder.cell(cell.folder)
    files.write_status({**files.status(), "status": status, "reason": reason})
    return Outcome(cell, status, reason)
