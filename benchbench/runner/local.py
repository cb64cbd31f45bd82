"""The local executor: each cell in a process of its own, `jobs` at once, in the plan's order."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchbench.runner.plan import Cell
from benchbench.store.folder import ResultFolder

__all__ = ["LocalExecutor", "Outcome"]

GRACE_SECONDS = 60.0
"""After a request to stop, a worker has this long to write its checkpoint."""


@dataclass(frozen=True)
class Outcome:
    """How a cell ended: its status and, where there is something to say, why."""

    cell: Cell
    status: str
    reason: str = ""


@dataclass
class _Running:
    cell: Cell
    process: subprocess.Popen[str]
    errors: IO[str]
    began: float = field(default_factory=time.monotonic)
    end: dict[str, Any] | None = None
    timed_out: bool = False


class LocalExecutor:
    """Runs cells on this machine.

    jobs: processes at once. timeout: seconds of wall time a cell may take, or None.
    on_event(cell, event): progress; on_end(outcome): a cell has ended. Both in this thread.
    """

    def __init__(
        self,
        folder: ResultFolder,
        *,
        jobs: int,
        timeout: float | None,
        on_event: Callable[[Cell, dict[str, Any]], None],
        on_end: Callable[[Outcome], None],
    ) -> None:
        self.folder, self.jobs, self.timeout = folder, jobs, timeout
        self.on_event, self.on_end = on_event, on_end
        self._events: queue.Queue[tuple[_Running, dict[str, Any] | None]] = queue.Queue()
        self._running: list[_Running] = []
        self._stopping = 0

    def run(self, cells: Iterable[Cell]) -> list[Outcome]:
        """Run the cells; after Ctrl-C the running ones write checkpoints and the rest wait."""
        waiting = list(cells)
        outcomes: list[Outcome] = []
        previous = {n: signal.signal(n, self._on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            while self._running or (waiting and not self._stopping):
                while waiting and len(self._running) < self.jobs and not self._stopping:
                    self._start(waiting.pop(0))
                self._pump(outcomes)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            for running in self._running:
                running.process.kill()
        return outcomes + [Outcome(c, "interrupted", "not begun") for c in waiting]

    def _on_signal(self, number: int, _: Any) -> None:
        self._stopping += 1
        for running in self._running:
            running.process.send_signal(signal.SIGTERM if self._stopping == 1 else signal.SIGKILL)

    def _start(self, cell: Cell) -> None:
        threads = str(cell.threads)
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "benchbench.runner.worker"]
        errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        process = subprocess.Popen(
            [*command, str(self.folder.path), cell.key],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which asks its workers
        )
        running = _Running(cell, process, errors)
        self._running.append(running)
        self.on_event(cell, {"event": "start"})
        threading.Thread(target=self._read, args=(running,), daemon=True).start()

    def _read(self, running: _Running) -> None:
        assert running.process.stdout is not None
        for line in running.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            self._events.put((running, event))
        running.process.wait()
        self._events.put((running, None))

    def _pump(self, outcomes: list[Outcome]) -> None:
        try:
            running, event = self._events.get(timeout=0.5)
        except queue.Empty:
            self._check_time()
            return
        if event is None:
            self._running.remove(running)
            outcome = self._outcome(running)
            outcomes.append(outcome)
            self.on_end(outcome)
        elif event["event"] == "end":
            running.end = event
        else:
            self.on_event(running.cell, event)
        self._check_time()

    def _check_time(self) -> None:
        for running in self._running:
            if self.timeout is not None and time.monotonic() - running.began > self.timeout:
                running.timed_out = True
                running.process.kill()

    def _outcome(self, running: _Running) -> Outcome:
        """The worker's own word, or what its exit tells; the latter goes into cell.json."""
        running.errors.seek(0)
        tail = running.errors.read()[-4000:].strip()
        running.errors.close()
        if running.end is not None:
            return Outcome(running.cell, running.end["status"], running.end["reason"])
        code = running.process.returncode
        if running.timed_out:
            status, reason = "timeout", f"took longer than {self.timeout:g} s"
        elif self._stopping:
            status, reason = "interrupted", "stopped by the user"
        elif code < 0:
            status, reason = "error", f"its process was ended by {signal.Signals(-code).name}"
        else:
            last = tail.splitlines()[-1] if tail else "no message"
            status, reason = "error", f"its process exited with code {code}: {last}"
        files = self.folder.cell(running.cell.folder)
        files.path.mkdir(parents=True, exist_ok=True)
        if tail:
            Path(files.path / "error.txt").write_text(tail + "\n", encoding="utf-8")
        files.write_status({**files.status(), "status": status, "reason": reason})
        return Outcome(running.cell, status, reason)
