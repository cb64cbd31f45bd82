"""The local executor, which others run where they have placed a cell, and files in transit."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from placed import FAKE, Heard, fake_folder, fake_plan, first_step, statuses

from benchbench.runner.local import LocalExecutor
from benchbench.runner.parcels import Parcel, Sender, pack, unpack
from benchbench.store.folder import CellFolder


def test_cells_run_and_tell_in_order(tmp_path: Path) -> None:
    plan, heard = fake_plan(5, steps=2, pause=0.0), Heard()
    folder = fake_folder(tmp_path, plan)
    executor = LocalExecutor(plan, folder, jobs=2, timeout=None, command=FAKE, **heard.callbacks)
    outcomes = executor.run(plan.cells)
    assert statuses(outcomes) == {cell.key: "done" for cell in plan.cells}
    assert statuses(heard.ended) == statuses(outcomes)
    for cell in plan.cells:
        assert heard.kinds(cell) == ["start", "train", "train"]


def test_stop_from_another_thread_keeps_checkpoints(tmp_path: Path) -> None:
    plan, heard = fake_plan(2, steps=1000, pause=0.02), Heard()
    folder = fake_folder(tmp_path, plan)
    executor = LocalExecutor(
        plan, folder, jobs=1, timeout=None, command=FAKE, listen=False, **heard.callbacks
    )

    def stop() -> None:
        while "train" not in heard.kinds(plan.cells[0]):
            time.sleep(0.01)
        executor.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    outcomes = executor.run(plan.cells)
    thread.join()
    assert statuses(outcomes) == dict.fromkeys((c.key for c in plan.cells), "interrupted")
    assert [outcome.cell for outcome in heard.ended] == [plan.cells[0]]
    assert folder.cell(plan.cells[0].folder).checkpoint.is_file()
    assert not executor.running
    short, heard = fake_plan(1, steps=3, pause=0.0), Heard()
    folder.cell(short.cells[0].folder).checkpoint.write_text("2")
    again = LocalExecutor(short, folder, jobs=1, timeout=None, command=FAKE, **heard.callbacks)
    assert [o.status for o in again.run(short.cells)] == ["done"]
    assert first_step(folder, short.cells[0]) == 2


def test_a_worker_needs_only_its_own_part_of_the_plan(tmp_path: Path) -> None:
    """Handed its cell, it does not read plan.json, whose size grows with the number of cells."""
    plan = fake_plan(1)
    (tmp_path / "plan.json").write_text("no plan")
    code = """
import sys
from benchbench.runner import worker
worker.end_with_parent = lambda number: None
worker.run_cell = lambda out, key, emit, stop, plan: {"status": plan["name"]}
sys.exit(worker.main(sys.argv[1:]))
"""
    with (tmp_path / "handed").open("w+b") as handed:
        handed.write(json.dumps(plan.to_json()).encode())
        handed.seek(0)
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                code,
                str(tmp_path),
                plan.cells[0].key,
                "0",
                f"{handed.fileno()}",
            ],
            pass_fds=[handed.fileno()],
            capture_output=True,
            text=True,
            check=False,
        )
    assert json.loads(done.stdout)["status"] == "fake"


@pytest.fixture
def cell(tmp_path: Path) -> CellFolder:
    folder = CellFolder(tmp_path / "here")
    folder.path.mkdir()
    for name in ("cell.json", "train.jsonl", "scores.json", "checkpoint.safetensors", ".lock"):
        (folder.path / name).write_text(name)
    return folder


def test_a_parcel_carries_a_cell(cell: CellFolder, tmp_path: Path) -> None:
    there = CellFolder(tmp_path / "there")
    parcel = pack(cell)
    assert set(parcel.files) == {n for n in _names(cell) if n != ".lock"}
    unpack(parcel, there)
    assert {name: (there.path / name).read_bytes() for name in _names(there)} == parcel.files


def test_only_what_one_can_go_on_from_is_sent_at_once(cell: CellFolder) -> None:
    sender = Sender(cell, sent=True)
    assert sender.changed() is None
    cell.append_log({"step": 1})
    (cell.path / ".checkpoint.safetensors.abc.tmp").write_text("half")
    assert sender.changed() is None
    cell.checkpoint.write_text("a later one")
    parcel = sender.changed()
    assert parcel is not None
    assert set(parcel.files) == {"checkpoint.safetensors", "train.jsonl"}
    assert list(parcel.files)[-1] == "train.jsonl"  # the log has all that the checkpoint has
    assert sender.changed() is None
    assert sender.last().files == {}


def test_a_checkpoint_that_has_served_goes_everywhere(cell: CellFolder, tmp_path: Path) -> None:
    there = CellFolder(tmp_path / "there")
    first = pack(cell)
    unpack(first, there)
    (there.path / "samples.png").write_text("drawn there")
    sender = Sender(cell, sent=True)
    cell.model.write_text("a model")
    cell.checkpoint.unlink()
    parcel = sender.changed()
    assert parcel is not None
    unpack(parcel, there, first.names)
    assert "checkpoint.safetensors" not in _names(there)
    assert {"model.safetensors", "samples.png"} <= _names(there)


def test_the_status_is_read_first_and_written_last(
    cell: CellFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert next(iter(pack(cell).files)) == "cell.json"
    written: list[str] = []
    monkeypatch.setattr(
        "benchbench.runner.parcels.write_bytes_atomic", lambda path, _: written.append(path.name)
    )
    unpack(Parcel({"cell.json": b"", "model.safetensors": b""}), CellFolder(tmp_path))
    assert written == ["model.safetensors", "cell.json"]


def _names(cell: CellFolder) -> set[str]:
    return {file.name for file in cell.path.iterdir()}


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_what_a_cell_started_ends_with_it(tmp_path: Path) -> None:
    """In a session of its own as well, which the end of a process group does not reach."""
    code = """
import os, sys, time
file = os.path.join(sys.argv[1], "pid")
if os.fork() == 0:
    os.setsid()
    with open(file + ".new", "w") as out:
        out.write(str(os.getpid()))
    os.rename(file + ".new", file)
    os.closerange(0, 3)
    time.sleep(600)
while not os.path.exists(file):
    time.sleep(0.01)
print('{"event": "end", "status": "done", "reason": ""}', flush=True)
"""
    plan, heard = fake_plan(1), Heard()
    folder = fake_folder(tmp_path, plan)
    command = (sys.executable, "-S", "-c", code)
    executor = LocalExecutor(plan, folder, jobs=1, timeout=60, command=command, **heard.callbacks)
    assert [outcome.status for outcome in executor.run(plan.cells)] == ["done"]
    stat = Path("/proc", (tmp_path / "pid").read_text(), "stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
