"""`bench` in processes that are forked from this one, so that a run costs no import of torch.

They are processes like any other: they are killed with real signals, hold real locks and write
real files. Only `exec` and its imports are left out.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pandas as pd

from benchbench.cli.main import _guarded
from benchbench.runner import local, run, worker
from benchbench.runner.executor import Outcome
from benchbench.runner.local import LocalExecutor
from benchbench.runner.stopping import Stop
from benchbench.store.scores import read_scores

FAULTY = Path(__file__).parent.parent / "broken" / "faulty.py"
TIMINGS = ("train_seconds", "samples_per_second", "latency_p50_ms", "latency_p95_ms")
WAIT_SECONDS = 120.0
LONG = os.environ.get("BENCH_FAULTS") == "long"
"""Whether everything is wanted and not the part that the normal suite runs."""


@dataclass(frozen=True)
class Ended:
    """A finished command: its exit code (minus the signal's number) and what it printed."""

    code: int
    out: str
    err: str


def arguments(out: Path, models: str = "good", *more: str, report: bool = False) -> list[str]:
    """A run of small cells; without pictures, which take most of it, where no test needs them."""
    plan = ["--models", models, "--datasets", "ring8", "--budget", "40step", "--metrics", "modes"]
    seeds = [] if "--seeds" in more else ["--seeds", "0"]
    rest = [*seeds, "--plugin", str(FAULTY), "--out", str(out), *more]
    return ["run", *plan, *rest, *([] if report else ["--no-report"])]


def warm(folder: Path) -> None:
    """Import here what a run imports, so that forked processes find it."""
    original, run.LocalExecutor = run.LocalExecutor, Inline  # type: ignore[misc]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert _guarded(arguments(folder, "good,vae", report=True)) == 0
    finally:
        run.LocalExecutor = original  # type: ignore[misc]


def start(command: list[str], log: Path, prepare: Callable[[], object] = lambda: None) -> int:
    """Fork a process that runs `bench COMMAND`, and give its id.

    log: where its output goes, with the suffixes .out and .err. prepare: called there first.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        for number, stream in ((1, "out"), (2, "err")):
            with log.with_suffix(f".{stream}").open("wb") as file:
                os.dup2(file.fileno(), number)
        _own_streams()
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_number, signal.default_int_handler)
        prepare()
        code = _guarded(command)
    except BaseException:
        traceback.print_exc()
    _leave(code)


def finish(pid: int, log: Path) -> Ended:
    """Wait for a process that `start` began; fails where it hangs."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            out, err = (log.with_suffix(s).read_text(errors="replace") for s in (".out", ".err"))
            return Ended(os.waitstatus_to_exitcode(status), out, err)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError(f"the command hangs: {log.with_suffix('.err').read_text()[-2000:]}")


def bench(command: list[str], log: Path, prepare: Callable[[], object] = lambda: None) -> Ended:
    """Run `bench COMMAND` in a forked process to its end."""
    return finish(start(command, log, prepare), log)


def untimed(folder: Path) -> pd.DataFrame:
    """The scores of a folder without timings: their rows, and the details of spend."""
    table = read_scores(folder / "scores.csv")
    table = table[~table.metric.isin(TIMINGS)].copy()
    table.loc[table.metric.str.startswith("train_"), "detail"] = ""
    return table.reset_index(drop=True)


def assert_same_scores(found: Path, expected: Path) -> None:
    """The same rows with the same bits, timings apart."""
    pd.testing.assert_frame_equal(untimed(found), untimed(expected), check_exact=True)


class Inline(LocalExecutor):
    """Cells in this process, one after another."""

    def run(self, cells: Any) -> list[Outcome]:
        """As the local executor, without processes, signals and time limits."""
        outcomes = []
        for cell in cells:
            self.on_event(cell, {"event": "start"})

            def emit(event: dict[str, Any], cell: Any = cell) -> None:
                self.on_event(cell, event)

            try:
                status = worker.run_cell(self.folder.path.absolute(), cell.key, emit, Stop())
            except Exception as error:  # a worker's process would end here, with its traceback
                files = self.folder.cell(cell.folder)
                reason = f"its process exited with code 1: {type(error).__name__}: {error}"
                status = {**files.status(), "status": "error", "reason": reason}
                files.write_status(status)
            outcomes.append(Outcome(cell, status["status"], status.get("reason", "")))
            self.on_end(outcomes[-1])
        return outcomes


def inline() -> None:
    """Let this process run its cells itself."""
    run.LocalExecutor = Inline  # type: ignore[misc]


class ForkedWorker:
    """What `LocalExecutor` needs of subprocess.Popen, by a fork."""

    pids: Path | None = None
    """Where the id of each worker is noted, one a line."""

    def __init__(self, command: list[str], *, env: dict[str, str], pass_fds: Any, **_: Any) -> None:
        from_out, to_out = os.pipe()
        from_err, to_err = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._work(command[3:], to_out, to_err, set(pass_fds))
        os.close(to_out)
        os.close(to_err)
        self.stdout, self.stderr = open(from_out, "rb"), open(from_err, "rb")  # noqa: SIM115
        if self.pids is not None:
            with self.pids.open("a") as file:
                file.write(f"{self.pid}\n")

    def _work(self, given: list[str], out: int, err: int, passed: set[int]) -> NoReturn:
        code = 70
        try:
            os.setsid()
            os.dup2(out, 1)
            os.dup2(err, 2)
            for name in os.listdir("/proc/self/fd"):
                if int(name) > 2 and int(name) not in passed:
                    with contextlib.suppress(OSError):
                        os.close(int(name))
            _own_streams()
            code = worker.main(given)
        except BaseException:
            traceback.print_exc()
        _leave(code)


def forked_workers(pids: Path | None = None) -> None:
    """Let this process start its workers by forks."""
    ForkedWorker.pids = pids
    local.subprocess = SimpleNamespace(  # type: ignore[assignment]
        Popen=ForkedWorker, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL
    )


def gone(pid: int) -> bool:
    """Whether no such process runs any more; one that nobody has waited for counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition holds within this time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def _own_streams() -> None:
    """Python's standard streams on descriptors 1 and 2, whatever pytest has put there."""
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[attr-defined]


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


@contextlib.contextmanager
def timed(limit: float) -> Iterator[None]:
    """Fails where the block takes longer, by SIGALRM."""

    def over(*_: Any) -> None:
        raise AssertionError(f"hangs: more than {limit:g} s")

    previous = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def assert_clear(ended: Ended) -> None:
    """All done, or a row with a reason, or one line that says what was wrong."""
    assert ended.code in (0, 1, 2), ended
    assert "Traceback" not in ended.err, ended.err
    assert "defect of the bench" not in ended.err, ended.err
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == (ended.code == 2), ended.err
    assert ended.code != 1 or "\nfailed   " in ended.err, ended.err
