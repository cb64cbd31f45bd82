"""Workers end when they are told to, with their parent, and with all that they started."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
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

from benchbench.runner import cell as cell_module
from benchbench.runner import local
from benchbench.store.files import read_json

pytestmark = pytest.mark.usefixtures("warmed")

SOON = 5.0
"""Seconds within which a worker ends after its parent."""


def pids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.is_file() else []


def group(leader: int) -> list[int]:
    """The running processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and not gone(int(entry.name)):
            try:
                if os.getpgid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def status_of(out: Path, model: str) -> str:
    for file in out.glob(f"cells/ring8/{model}/*/cell.json"):
        return str(read_json(file)["status"])
    return "missing"


def workers(file: Path, grace: float = 60.0, checkpoint: float = 0.05) -> None:
    """Forked workers, with checkpoints every few steps."""
    forked_workers(file)
    local.GRACE_SECONDS = grace  # type: ignore[misc]
    cell_module.CHECKPOINT_SECONDS = checkpoint  # type: ignore[misc]


@pytest.mark.parametrize("model", ["busy", "spawns", "slowsample", *(["hangs"] if LONG else [])])
def test_a_worker_ends_with_its_parent(tmp_path: Path, model: str) -> None:
    """In native code that keeps the interpreter's lock, in fit, in a measure; with its children."""
    out, log, file = tmp_path / "out", tmp_path / "log", tmp_path / "pids"
    parent = start(arguments(out, model), log, lambda: workers(file))
    wanted = "trained" if model == "slowsample" else "training"
    assert until(lambda: status_of(out, model) == wanted, 60), log.with_suffix(".err").read_text()
    time.sleep(0.5)
    leaders = pids(file)
    assert any(len(group(leader)) >= 2 for leader in leaders)  # a worker and its watcher
    os.kill(parent, signal.SIGKILL)
    assert finish(parent, log).code == -signal.SIGKILL
    assert until(lambda: not any(group(leader) for leader in leaders), SOON)
    # A lock whose holder was killed never blocks.
    assert bench(arguments(out, "good"), log, inline).code == 0


def test_what_a_worker_started_ends_with_it(tmp_path: Path) -> None:
    """By the time limit, and after a good end; its pipes keep nobody waiting."""
    out, log, file = tmp_path / "out", tmp_path / "log", tmp_path / "pids"
    ended = bench(
        arguments(out, "spawns,leaves", "--timeout", "6", "--jobs", "3"), log, lambda: workers(file)
    )
    assert ended.code == 1
    assert "failed   ring8 spawns seed 0: took longer than 6 s" in ended.err
    assert status_of(out, "leaves") == "done"
    assert until(lambda: not any(group(leader) for leader in pids(file)), SOON)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, warmed: None) -> Path:
    out = tmp_path_factory.mktemp("uninterrupted") / "out"
    assert bench(arguments(out, "slow"), out.parent / "log", inline).code == 0
    return out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_is_not_failed(tmp_path: Path, uninterrupted: Path, number: int) -> None:
    """The first signal leaves a checkpoint; the same command ends in the same bits."""
    out, log, file = tmp_path / "out", tmp_path / "log", tmp_path / "pids"
    parent = start(arguments(out, "slow"), log, lambda: workers(file, checkpoint=1000))
    assert until(lambda: status_of(out, "slow") == "training", 60)
    time.sleep(0.4)
    os.kill(parent, number)
    ended = finish(parent, log)
    assert ended.code == 130, ended
    assert "the same command goes on" in ended.err.splitlines()[-1]
    assert status_of(out, "slow") == "interrupted"
    assert len(list(out.rglob("checkpoint.safetensors"))) == 1
    assert bench(arguments(out, "slow"), log, inline).code == 0
    assert_same_scores(out, uninterrupted)


def test_a_long_measure_is_left_at_once(tmp_path: Path) -> None:
    out, log, file = tmp_path / "out", tmp_path / "log", tmp_path / "pids"
    parent = start(arguments(out, "slowsample"), log, lambda: workers(file))
    assert until(lambda: status_of(out, "slowsample") == "trained", 60)
    time.sleep(0.3)
    os.kill(parent, signal.SIGINT)
    assert finish(parent, log).code == 130
    assert status_of(out, "slowsample") == "interrupted"


@pytest.mark.parametrize("again", [True, False])
def test_who_does_not_stop_is_killed(tmp_path: Path, again: bool) -> None:
    """By the second signal, or when the time for a checkpoint is over."""
    out, log, file = tmp_path / "out", tmp_path / "log", tmp_path / "pids"
    parent = start(arguments(out, "busy"), log, lambda: workers(file, 60 if again else 1))
    assert until(lambda: status_of(out, "busy") == "training", 60)
    time.sleep(0.3)
    os.kill(parent, signal.SIGINT)
    if again:
        time.sleep(0.3)
        os.kill(parent, signal.SIGINT)
    ended = finish(parent, log)
    assert ended.code == 130
    assert status_of(out, "busy") == "interrupted"
    assert not any(group(leader) for leader in pids(file))


def test_two_runs_at_once(tmp_path: Path) -> None:
    """The second is refused in one line, and the first is none the worse for it."""
    out, log, file = tmp_path / "out", tmp_path / "log", tmp_path / "pids"
    first = start(arguments(out, "slow"), log, lambda: workers(file))
    assert until(lambda: status_of(out, "slow") == "training", 60)
    second = bench(arguments(out, "good"), tmp_path / "second", inline)
    assert second.code == 2
    assert second.err.startswith("error: another run is writing to")
    assert second.err.count("\n") == 1
    assert finish(first, log).code == 0


def test_a_cell_is_written_by_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that outlives its run, however it may, keeps others out of its cell."""
    from filelock import FileLock

    from benchbench.runner import worker
    from benchbench.runner.stopping import Stop

    out, log = tmp_path / "out", tmp_path / "log"
    assert bench(arguments(out, "good"), log, inline).code == 0
    (status,) = out.glob("cells/ring8/good/*/cell.json")
    before = status.read_bytes()
    cells = json.loads((out / "plan.json").read_text())["cells"]
    key = next(cell["key"] for cell in cells if cell["model"] == "good")
    monkeypatch.setattr(worker, "LOCK_SECONDS", 0.1)
    with FileLock(status.parent / ".lock"):
        ended = worker.run_cell(out, key, lambda event: None, Stop())
    assert ended["status"] == "error"
    assert "another process is at work on this cell" in ended["reason"]
    assert status.read_bytes() == before
