"""A run: the plan into its folder, the missing cells through an executor, the scores out."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from benchbench.api import UsageError
from benchbench.api.files import remove_leftovers
from benchbench.registry import Registry
from benchbench.runner.executor import RESULT, Executor, OnEnd, OnEvent, Outcome, Placement
from benchbench.runner.local import LocalExecutor
from benchbench.runner.plan import Cell, Plan
from benchbench.runner.repair import repair
from benchbench.runner.scoring import collect_rows, missing
from benchbench.store.folder import ResultFolder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run", "default_jobs"]


def default_jobs(threads: int, device: str) -> int:
    """How many cells at once: the cores over the threads of a cell; one on a GPU."""
    if device.startswith("cuda"):
        return 1
    return max(1, len(os.sched_getaffinity(0)) // threads)


class Run:
    """One plan into one result folder.

    placement: where its cells run; None: on this machine.
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
        placement: Placement | None = None,
    ) -> None:
        self.plan, self.registry = plan, registry
        self.folder = ResultFolder(out)
        self.jobs = jobs or default_jobs(plan.cells[0].threads, plan.cells[0].device)
        self.asked_jobs, self.timeout = jobs, timeout
        self.fresh, self.placement = fresh, placement
        self.whole = plan
        self._lock = FileLock(self.folder.path / ".lock", timeout=0)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs out of the folder; raises UsageError where one is at work there.

        May be nested. The system gives the lock back when its holder ends, however it does.
        """
        self._check_folder()
        self.folder.path.mkdir(parents=True, exist_ok=True)
        where = repr(str(self.folder.path))
        try:
            self._lock.acquire()
        except NotImplementedError:
            raise UsageError(
                f"{where} lies on a file system without locks, so a second run there would not be "
                "noticed; give another --out"
            ) from None
        except Timeout:
            raise UsageError(
                f"another run is writing to {where}; wait for it, or give another --out"
            ) from None
        try:
            yield
        finally:
            self._lock.release()

    def execute(
        self,
        on_event: OnEvent,
        on_end: OnEnd,
        on_begin: Callable[[list[Cell]], None] = lambda cells: None,
        on_damage: Callable[[str], None] = lambda line: None,
    ) -> list[Outcome]:
        """Run what is missing of the plan, with the folder held.

        on_damage: called with a line for each file that is not what was written.
        """
        with self.held():
            busy = self.placement.busy(self.folder) if self.placement else frozenset()
            if self.fresh and busy:
                raise UsageError(
                    f"{len(busy)} cells of {str(self.folder.path)!r} are still queued or running; "
                    "end their jobs, or leave --fresh out"
                )
            self._write_plan()
            self._clean()
            for line in repair((c for c in self.whole.cells if c.key not in busy), self.folder):
                on_damage(line)
            todo = self.missing_cells()
            on_begin(todo)
            return self._executor(on_event, on_end).run(todo)

    def _executor(self, on_event: OnEvent, on_end: OnEnd) -> Executor:
        said: dict[str, Any] = {
            "timeout": self.timeout,
            "on_event": on_event,
            "on_end": on_end,
        }
        if self.placement is None:
            return LocalExecutor(self.whole, self.folder, jobs=self.jobs, **said)
        return self.placement.executor(self.whole, self.folder, jobs=self.asked_jobs, **said)

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
        if "\0" in str(path):
            raise UsageError(f"--out {str(path)!r} has a NUL byte; give another folder")
        if path.exists() and not path.is_dir():
            raise UsageError(f"--out {str(path)!r} is a file; give a folder")
        foreign = path.is_dir() and any(path.iterdir()) and not (path / "plan.json").is_file()
        if foreign and not (path / ".lock").is_file():
            raise UsageError(
                f"--out {str(path)!r} holds other files and no plan.json; give an empty or a "
                "result folder"
            )

    def _clean(self) -> None:
        """Remove the temporary files of writers that were killed."""
        remove_leftovers(self.folder.path)
        for folder in self.folder.path.rglob("*"):
            if folder.is_dir() and not folder.is_symlink():
                remove_leftovers(folder)

    def _write_plan(self) -> None:
        if self.fresh:
            for name in ("cells", "jobs"):
                shutil.rmtree(self.folder.path / name, ignore_errors=True)
        elif (self.folder.path / "plan.json").is_file():
            self.whole = self.plan.merged(Plan.from_json(self.folder.plan()))
        self.folder.write_plan(self.whole.to_json())
