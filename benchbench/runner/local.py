"""The local executor: each cell in a process of its own, `jobs` at once, in the plan's order.

A worker leads a process group and carries a mark, so that its own children end with it. It ends
with this process too, by the pipe that each is handed (`benchbench.runner.stopping`). Each is also
handed the plan of its own cell, so that its start does not depend on how many cells the plan has.

Other executors run one of these where they have placed a cell.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from benchbench.api.errors import one_line
from benchbench.runner.executor import OnEnd, OnEvent, Outcome, fail
from benchbench.runner.plan import Cell, Plan
from benchbench.runner.strays import MARK, end_marked, new_mark
from benchbench.store.files import write_text_atomic
from benchbench.store.folder import ResultFolder

__all__ = ["WORKER", "LocalExecutor"]

WORKER = (sys.executable, "-m", "benchbench.runner.worker")
"""The command of a cell, before its arguments."""

GRACE_SECONDS = 60.0
"""After a request to stop, a worker has this long to write its checkpoint."""
CLOSE_SECONDS = 5.0
"""After a worker's end its pipes are read for this long: a child that left its group holds them."""
TAIL = 4000
"""Bytes that are kept of what a worker writes to standard error."""


@dataclass
class _Running:
    """A worker. code: its exit code, or minus a signal's number; peak: its memory in bytes."""

    cell: Cell
    process: subprocess.Popen[bytes]
    mark: str
    began: float = field(default_factory=time.monotonic)
    end: dict[str, Any] | None = None
    timed_out: bool = False
    tail: bytes = b""
    code: int | None = None
    peak: int = 0
    waiter: threading.Thread | None = None

    def signal(self, number: int) -> None:
        """Send a signal to the worker alone."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End the worker and every process that it started."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


class LocalExecutor:
    """Runs cells on this machine.

    jobs: processes at once. timeout: seconds of wall time a cell may take, or None.
    listen: whether Ctrl-C and SIGTERM mean `stop`; only in the main thread.
    command: of a worker, before its arguments.
    """

    def __init__(
        self,
        plan: Plan,
        folder: ResultFolder,
        *,
        jobs: int,
        timeout: float | None,
        on_event: OnEvent,
        on_end: OnEnd,
        listen: bool = True,
        command: Sequence[str] = WORKER,
    ) -> None:
        self.plan, self.folder, self.jobs, self.timeout = plan, folder, jobs, timeout
        self.on_event, self.on_end = on_event, on_end
        self.listen, self.command = listen, tuple(command)
        self._events: queue.Queue[tuple[_Running, dict[str, Any] | None]] = queue.Queue()
        self._running: list[_Running] = []
        self._stopping = 0
        self._stop_at = 0.0

    def run(self, cells: Iterable[Cell]) -> list[Outcome]:
        """Run the cells. After Ctrl-C the running ones write checkpoints and the rest wait; after
        the second one they are killed."""
        waiting = deque(cells)
        outcomes: list[Outcome] = []
        self._lifeline, held = os.pipe()
        try:
            with self._listening():
                while self._running or (waiting and not self._stopping):
                    while waiting and len(self._running) < self.jobs and not self._stopping:
                        self._start(waiting.popleft())
                    self._pump(outcomes)
        finally:
            for running in self._running:
                running.kill()
                if running.waiter is not None:
                    running.waiter.join(CLOSE_SECONDS)
            os.close(held)
            os.close(self._lifeline)
        return outcomes + [Outcome(c, "interrupted", "not begun") for c in waiting]

    @property
    def running(self) -> bool:
        """Whether a worker's process is alive."""
        return any(running.code is None for running in self._running)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM) if self.listen else ()
        previous = {n: signal.signal(n, lambda *_: self.stop()) for n in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """Ask the workers to write checkpoints and end; the second time, kill them.

        May be called from any thread, and from a handler of signals.
        """
        self._stopping += 1
        self._stop_at = self._stop_at or time.monotonic()
        for running in list(self._running):
            self._tell(running)

    def _tell(self, running: _Running) -> None:
        if self._stopping == 1:
            running.signal(signal.SIGTERM)
        elif self._stopping:
            running.kill()

    def _start(self, cell: Cell) -> None:
        threads = str(cell.threads)
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONUNBUFFERED": "1",
            MARK: (mark := new_mark()),
        }
        with tempfile.TemporaryFile() as plan:
            plan.write(json.dumps(self.plan.only(cell).to_json()).encode())
            plan.seek(0)
            handed = [self._lifeline, plan.fileno()]
            process = subprocess.Popen(
                [*self.command, str(self.folder.path), cell.key, *map(str, handed)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                pass_fds=handed,
                start_new_session=True,  # Ctrl-C reaches the parent alone, which asks its workers
            )
        running = _Running(cell, process, mark)
        self._running.append(running)
        running.waiter = threading.Thread(target=self._wait, args=(running,), daemon=True)
        running.waiter.start()
        self._tell(running)  # a signal may have come while it was starting
        self.on_event(cell, {"event": "start"})

    def _wait(self, running: _Running) -> None:
        """Follow one worker to its end, then end what it has left running."""
        readers = [
            threading.Thread(target=read, args=(running, stream), daemon=True)
            for read, stream in (
                (self._read_events, running.process.stdout),
                (_read_tail, running.process.stderr),
            )
        ]
        for reader in readers:
            reader.start()
        _, status, usage = os.wait4(running.process.pid, 0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(running.process.pid, signal.SIGKILL)
        end_marked(running.mark)
        running.peak = usage.ru_maxrss * 1024
        running.code = running.process.returncode = os.waitstatus_to_exitcode(status)
        for reader in readers:
            reader.join(CLOSE_SECONDS)
        self._events.put((running, None))

    def _read_events(self, running: _Running, stream: IO[bytes]) -> None:
        for line in stream:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and isinstance(event.get("event"), str):
                    self._events.put((running, event))

    def _pump(self, outcomes: list[Outcome]) -> None:
        self._check_time()
        try:
            running, event = self._events.get(timeout=0.5)
        except queue.Empty:
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

    def _check_time(self) -> None:
        now = time.monotonic()
        over = self._stopping == 1 and now - self._stop_at > GRACE_SECONDS
        for running in self._running:
            if self.timeout is not None and now - running.began > self.timeout:
                running.timed_out = running.timed_out or running.code is None
                running.kill()
            elif over:
                running.kill()

    def _outcome(self, running: _Running) -> Outcome:
        """The worker's own word, or what its exit tells; the latter goes into cell.json."""
        if running.end is not None:
            return Outcome(running.cell, running.end["status"], running.end["reason"])
        tail = running.tail.decode("utf-8", "backslashreplace").strip()
        status, reason = self._reason(running, tail)
        if tail:
            files = self.folder.cell(running.cell.folder)
            write_text_atomic(files.path / "error.txt", tail + "\n")
        return fail(self.folder, running.cell, status, reason)

    def _reason(self, running: _Running, tail: str) -> tuple[str, str]:
        assert running.code is not None
        if running.timed_out:
            return "timeout", f"took longer than {self.timeout:g} s"
        if self._stopping:
            return "interrupted", "stopped by the user"
        if running.code < 0:
            reason = f"its process was ended by {_signal_name(-running.code)}"
            if running.code == -signal.SIGKILL:
                peak = f"{running.peak / 2**30:.1f} GiB"
                reason += f", as the system does when memory runs out; it had used {peak}"
            return "error", reason
        last = one_line(tail.splitlines()[-1]) if tail else "no message"
        return "error", f"its process exited with code {running.code}: {last}"


def _read_tail(running: _Running, stream: IO[bytes]) -> None:
    while chunk := os.read(stream.fileno(), 1 << 16):
        running.tail = (running.tail + chunk)[-TAIL:]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
