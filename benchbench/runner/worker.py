"""One cell in a process of its own.

    python -m benchbench.runner.worker FOLDER KEY [LIFELINE [PLAN]]

Reads the plan from the folder, writes the cell's files there, and prints one JSON event a line.
It stops cleanly on SIGTERM or SIGINT. With the descriptor of a LIFELINE it ends when its parent
does (`benchbench.runner.stopping`). PLAN is the descriptor of a file with the part of the plan that
is this cell, so that nobody has to read the others. A lock keeps every other process out of the
cell's folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchbench.runner.stopping import Stop, end_with_parent

__all__ = ["main", "run_cell"]

LOCK_SECONDS = 10.0
"""A worker whose parent was killed dies at once; whoever holds a cell longer is at work on it."""


def main(arguments: list[str]) -> int:
    """Run the cell; 0 where its status is a result, 1 where it failed or was interrupted."""
    out, key = Path(arguments[0]).absolute(), arguments[1]
    if len(arguments) > 2:
        end_with_parent(int(arguments[2]))
    handed = _handed(int(arguments[3])) if len(arguments) > 3 else None
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a plugin's print must not break the events
    stop = Stop()

    def emit(event: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            events.write(json.dumps(event) + "\n")

    stop.listen()
    try:
        status = run_cell(out, key, emit, stop, handed)
    except KeyboardInterrupt:  # before there was anything to lose
        status = {"status": "interrupted", "reason": "stopped by the user"}
    emit({"event": "end", "status": status["status"], "reason": status.get("reason", "")})
    return 0 if status["status"] in ("done", "diverged", "skipped") else 1


def _handed(descriptor: int) -> dict[str, Any]:
    with os.fdopen(descriptor, "rb") as file:
        return json.load(file)


def run_cell(
    out: Path, key: str, emit: Any, stop: Stop, handed: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Run the cell of this key; its status, as in cell.json.

    handed: a plan with this cell in place of the folder's.
    """
    import torch
    from filelock import FileLock, Timeout

    from benchbench.api import BenchError
    from benchbench.runner.plan import Plan
    from benchbench.store.folder import ResultFolder

    folder = ResultFolder(out)
    plan = Plan.from_json(folder.plan() if handed is None else handed)
    cell = next((cell for cell in plan.cells if cell.key == key), None)
    if cell is None:
        raise BenchError(f"plan.json has no cell {key}: another run has changed it")
    torch.set_num_threads(cell.threads)
    files = folder.cell(cell.folder)
    files.path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(files.lock, timeout=LOCK_SECONDS):
            return _guarded(plan, cell, files, emit, stop)
    except Timeout:
        reason = "another process is at work on this cell; wait for it and run the same again"
        return {"status": "error", "reason": reason}


def _guarded(plan: Any, cell: Any, files: Any, emit: Any, stop: Stop) -> dict[str, Any]:
    """The cell's status, whatever its plugin does, short of ending this process."""
    import traceback

    from benchbench.api import BenchError
    from benchbench.api.errors import describe
    from benchbench.registry import Registry
    from benchbench.runner.cell import CellRun
    from benchbench.store.files import write_text_atomic

    try:
        registry = Registry.load(plan.plugins)
        return CellRun(cell, registry, files, plan.assets, emit, stop).run()
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if stop.requested and isinstance(error, KeyboardInterrupt):
            last = {"status": "interrupted", "reason": "stopped by the user"}
        else:
            last = {"status": "error", "reason": describe(error)}
            if not isinstance(error, BenchError):
                trace = traceback.format_exc().encode("utf-8", "backslashreplace").decode()
                write_text_atomic(files.path / "error.txt", trace)
        status = {**files.status(), **last}
        files.write_status(status)
        return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
