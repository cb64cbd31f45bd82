"""Trials in processes of their own, some at once: one that is killed leaves a row, not a wreck."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from benchbench.api.errors import BenchError, describe
from benchbench.tuning.trial import Job, Result, run_trial

__all__ = ["run_apart"]


def run_apart(
    jobs: Iterable[Job], *, at_once: int = 1, timeout: float | None = None
) -> Iterator[tuple[Job, Result]]:
    """Run each job in a fresh process and yield it with its result as it ends.

    jobs: the next one is asked for when a process is free, so it may depend on results.
    timeout: seconds a trial may take, or None.
    Raises BenchError where a trial can't be judged at all: no such device, data or weights.
    """
    context = multiprocessing.get_context("spawn")
    waiting, running = iter(jobs), dict[Connection, tuple[Job, SpawnProcess, float]]()
    previous = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    try:
        while True:
            while len(running) < at_once and (job := next(waiting, None)) is not None:
                os.environ.update(dict.fromkeys(previous, str(job.threads)))
                receive, send = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(run_trial, job, send), daemon=True)
                process.start()
                send.close()
                running[receive] = (job, process, time.monotonic())
            if not running:
                return
            for ended in wait(list(running), timeout=0.5):
                assert isinstance(ended, Connection)
                job, process, began = running.pop(ended)
                yield job, _result(ended, process, time.monotonic() - began)
            for receive, (job, process, began) in list(running.items()):
                seconds = time.monotonic() - began
                if timeout is not None and seconds > timeout:
                    process.kill()
                    process.join()
                    del running[receive]
                    reason = f"took longer than {timeout:g} s"
                    yield job, Result("timeout", reason=reason, seconds=seconds)
    finally:
        for _, process, _ in running.values():
            process.kill()
        for name, value in previous.items():
            os.environ.pop(name, None)
            os.environ.update({name: value} if value is not None else {})


def _child(run: Callable[[Job], Result], job: Job, send: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this
    answer: Result | str
    try:
        answer = run(job)
    except Exception as error:  # outside of what the model did: data or weights are not here
        answer = describe(error)
    send.send(answer)
    send.close()


def _result(receive: Connection, process: SpawnProcess, seconds: float) -> Result:
    try:
        answer: Result | str = receive.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        return Result("error", reason=f"its process was ended {how}", seconds=seconds)
    process.join()
    if isinstance(answer, str):
        raise BenchError(answer)
    return answer
