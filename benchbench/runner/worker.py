"""One cell in a process of its own: `python -m benchbench.runner.worker RESULT_FOLDER CELL_KEY`.

Reads the plan from the folder, writes the cell's files there, and prints one JSON event a line.
It stops cleanly on SIGTERM or SIGINT, and by itself when its parent is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

__all__ = ["main"]

WATCH_SECONDS = 1.0


def main(arguments: list[str]) -> int:
    """Run the cell; 0 where its status is a result, 1 where it failed or was interrupted."""
    out, key = Path(arguments[0]), arguments[1]
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a plugin's print must not break the events
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()

    def emit(event: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            events.write(json.dumps(event) + "\n")

    return _run(out, key, emit, stop)


def _run(out: Path, key: str, emit: Any, stop: threading.Event) -> int:
    import torch

    from benchbench.api import BenchError
    from benchbench.registry import Registry
    from benchbench.runner.cell import CellRun
    from benchbench.runner.plan import Plan
    from benchbench.store.folder import ResultFolder

    folder = ResultFolder(out)
    plan = Plan.from_json(folder.plan())
    cell = next(cell for cell in plan.cells if cell.key == key)
    torch.set_num_threads(cell.threads)
    files = folder.cell(cell.folder)
    try:
        registry = Registry.load(plan.plugins)
        status = CellRun(cell, registry, files, plan.assets, emit, stop.is_set).run()
    except Exception as error:
        known = isinstance(error, BenchError)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        status = {**files.status(), "status": "error", "reason": " ".join(text.split())}
        files.path.mkdir(parents=True, exist_ok=True)
        if not known:
            import traceback

            (files.path / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        files.write_status(status)
    emit({"event": "end", "status": status["status"], "reason": status.get("reason", "")})
    return 0 if status["status"] in ("done", "diverged", "skipped") else 1


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
