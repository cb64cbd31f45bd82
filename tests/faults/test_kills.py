"""kill -9 at random moments, of a worker, of the run or of both: every resume succeeds."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from forked import (
    LONG,
    arguments,
    assert_same_scores,
    bench,
    finish,
    forked_workers,
    gone,
    inline,
    start,
    until,
)

from benchbench.runner import cell

KILLS = 100 if LONG else 3
PLAN = ("good,slow,vae", "--jobs", "2")


def prepare(pids: Path) -> None:
    """Forked workers that write a checkpoint every few steps."""
    forked_workers(pids)
    cell.CHECKPOINT_SECONDS = 0.1  # type: ignore[misc]


def kill(victim: str, parent: int, pids: Path) -> bool:
    """Send SIGKILL; whether there was anyone to receive it."""
    workers = [int(line) for line in pids.read_text().split()] if pids.is_file() else []
    running = [pid for pid in workers if not gone(pid)]
    if victim != "parent" and not running:
        return False
    for pid in {"worker": running[-1:], "parent": [parent], "both": [parent, *running]}[victim]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return True


def test_random_kills(tmp_path: Path, warmed: None) -> None:
    whole, log, pids = tmp_path / "whole", tmp_path / "log", tmp_path / "pids"
    began = time.monotonic()
    assert bench(arguments(whole, *PLAN), log, lambda: prepare(pids)).code == 0
    seconds = time.monotonic() - began
    out, chance = tmp_path / "out", random.Random(0)
    kills = resumed = 0
    killed = {"worker": 0, "parent": 0, "both": 0}
    while kills < KILLS:
        pids.unlink(missing_ok=True)
        parent = start(arguments(out, *PLAN), log, lambda: prepare(pids))
        time.sleep(chance.uniform(0.0, 0.5 * seconds))
        victim = chance.choice(list(killed))
        if not gone(parent) and kill(victim, parent, pids):
            kills += 1
            killed[victim] += 1
        ended = finish(parent, log)
        if victim == "worker":
            assert ended.code in (0, 1), ended.err
        else:
            assert ended.code in (0, -signal.SIGKILL), ended.err
        for pid in pids.read_text().split() if pids.is_file() else ():
            assert until(lambda pid=pid: gone(int(pid)), 5.0), "a worker outlives its run"
        assert "damaged" not in ended.err, ended.err
        if ended.code == 0:
            assert_same_scores(out, whole)
            shutil.rmtree(out)
            resumed += 1
    ended = bench(arguments(out, *PLAN), log, inline)
    assert ended.code == 0, ended.err
    assert_same_scores(out, whole)
    assert not list(out.rglob(".*.tmp"))
    print(f"{kills} kills ({killed}), {resumed + 1} runs complete")
