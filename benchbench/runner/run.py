"""A run: the plan into its folder, the missing cells through an executor, the scores out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from benchbench.api import UsageError
from benchbench.registry import Registry
from benchbench.runner.local import LocalExecutor, Outcome
from benchbench.runner.plan import Cell, Plan
from benchbench.runner.scoring import collect_rows, missing
from benchbench.store.folder import ResultFolder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run", "default_jobs"]

RESULT = ("done", "diverged", "skipped")
"""Statuses that are results: such a cell is not run again."""


def default_jobs(threads: int, device: str) -> int:
    """How many cells at once: the cores over the threads of a cell; one on a GPU."""
    if device.startswith("cuda"):
        return 1
    return max(1, len(os.sched_getaffinity(0)) // threads)


class Run:
    """One plan into one result folder.

    on_event(cell, event) and on_end(outcome) are called as cells go on and end.
    """

    def __init__(
        self,
        plan: Plan,
        registry: Registry,
        out: Path,
        *,
        jobs: int | None = None,
        timeout: float | None = None,
        fresh: bool = False,
    ) -> None:
        self.plan, self.registry = plan, registry
        self.folder = ResultFolder(out)
        self.jobs = jobs or default_jobs(plan.cells[0].threads, plan.cells[0].device)
        self.timeout = timeout
        self.fresh = fresh
        self.whole = plan

    def execute(
        self,
        on_event: Callable[[Cell, dict[str, Any]], None],
        on_end: Callable[[Outcome], None],
        on_begin: Callable[[list[Cell]], None] = lambda cells: None,
    ) -> list[Outcome]:
        """Run what is missing of the plan; raises UsageError where another run holds the folder."""
        self._check_folder()
        self.folder.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder.path / ".lock", timeout=0):
                self._write_plan()
                todo = self.missing_cells()
                on_begin(todo)
                executor = LocalExecutor(
                    self.folder,
                    jobs=self.jobs,
                    timeout=self.timeout,
                    on_event=on_event,
                    on_end=on_end,
                )
                return executor.run(todo)
        except Timeout:
            raise UsageError(
                f"another run is writing to {str(self.folder.path)!r}; wait for it, or give "
                "another --out"
            ) from None

    def missing_cells(self) -> list[Cell]:
        """The cells of this plan that lack a score, in the order of the plan."""
        keys = {cell.key for cell in self.plan.cells}
        cells = [cell for cell in self.whole.cells if cell.key in keys]
        return [cell for cell in cells if self._lacks(cell)]

    def scores(self) -> pd.DataFrame:
        """Write scores.csv from the cells as they stand, and give its frame."""
        return self.folder.write_scores(collect_rows(self.whole, self.folder, self.registry))

    def _lacks(self, cell: Cell) -> bool:
        files = self.folder.cell(cell.folder)
        status = files.status()["status"]
        if status == "diverged":
            return False
        return status not in RESULT or bool(missing(cell, files, self.registry))

    def _check_folder(self) -> None:
        path = self.folder.path
        if path.exists() and not path.is_dir():
            raise UsageError(f"--out {str(path)!r} is a file; give a folder")
        foreign = path.is_dir() and any(path.iterdir()) and not (path / "plan.json").is_file()
        if foreign and not (path / ".lock").is_file():
            raise UsageError(
                f"--out {str(path)!r} holds other files and no plan.json; give an empty or a "
                "result folder"
            )

    def _write_plan(self) -> None:
        if self.fresh:
            shutil.rmtree(self.folder.path / "cells", ignore_errors=True)
        elif (self.folder.path / "plan.json").is_file():
            self.whole = self.plan.merged(Plan.from_json(self.folder.plan()))
        self.folder.write_plan(self.whole.to_json())
