"""Both sides of the Ray executor over threads: what is ours of it, where Ray is not installed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from placed import FAKE, Heard, fake_folder, fake_plan, first_step, statuses
from threads_for_ray import ThreadRay

from benchbench.runner import ray_executor
from benchbench.runner.plan import Plan
from benchbench.runner.ray_executor import RayExecutor, RayPlacement
from benchbench.store.folder import ResultFolder


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadRay]:
    """Two CPUs."""
    found = ThreadRay(2)
    strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: None)
    monkeypatch.setitem(sys.modules, "ray", found)
    monkeypatch.setitem(sys.modules, "ray.util.scheduling_strategies", strategies)
    monkeypatch.setattr("benchbench.runner.executor.find_spec", lambda module: True)
    yield found
    found.pool.shutdown(cancel_futures=True)


def executor(
    plan: Plan, folder: ResultFolder, heard: Heard, files: str = "stream", **more: Any
) -> RayExecutor:
    options = {"jobs": None, "timeout": None, "command": FAKE, **heard.callbacks}
    return RayExecutor(RayPlacement(files=files), plan, folder, **{**options, **more})


def meanwhile(condition: Callable[[], bool], action: Callable[[], None]) -> threading.Thread:
    def act() -> None:
        end = time.monotonic() + 120
        while not condition() and time.monotonic() < end:
            time.sleep(0.02)
        action()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


@pytest.mark.parametrize("files", ["shared", "auto", "stream"])
def test_cells_run_and_tell_in_order(cluster: ThreadRay, tmp_path: Path, files: str) -> None:
    plan, heard = fake_plan(5, steps=2, pause=0.0), Heard()
    folder = fake_folder(tmp_path, plan)
    outcomes = executor(plan, folder, heard, files).run(plan.cells)
    assert statuses(outcomes) == {cell.key: "done" for cell in plan.cells}
    assert statuses(heard.ended) == statuses(outcomes)
    for cell in plan.cells:
        assert heard.kinds(cell) == ["start", "train", "train"]
        assert not folder.cell(cell.folder).checkpoint.exists()
    assert cluster.main == []
    assert not list(tmp_path.glob(".ray-*"))


def test_a_cell_asks_for_what_the_user_said(cluster: ThreadRay, tmp_path: Path) -> None:
    plan, heard = fake_plan(1), Heard()
    placement = RayPlacement(address="head:1", gpus=0.5, memory=2**30)
    folder = fake_folder(tmp_path, plan)
    RayExecutor(
        placement, plan, folder, jobs=None, timeout=None, command=FAKE, **heard.callbacks
    ).run(plan.cells)
    (request,) = cluster.requests
    asked = {name: request[name] for name in ("num_cpus", "num_gpus", "memory", "max_retries")}
    assert asked == {"num_cpus": 1, "num_gpus": 0.5, "memory": 2**30, "max_retries": 0}


def test_a_node_that_does_not_see_the_folder_gets_parcels(
    cluster: ThreadRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RayExecutor, "_visible", lambda self: contextlib.nullcontext())
    plan, heard = fake_plan(3), Heard()
    folder = fake_folder(tmp_path / "auto", plan)
    assert set(statuses(executor(plan, folder, heard, "auto").run(plan.cells)).values()) == {"done"}
    assert all(first_step(folder, cell) == 0 for cell in plan.cells)
    folder = fake_folder(tmp_path / "shared", plan)
    outcomes = executor(plan, folder, Heard(), "shared").run(plan.cells)
    assert {outcome.status for outcome in outcomes} == {"error"}
    assert "does not see" in outcomes[0].reason


def test_a_lost_cell_goes_on_from_its_checkpoint(cluster: ThreadRay, tmp_path: Path) -> None:
    plan, heard = fake_plan(2, steps=40, pause=0.05), Heard()
    folder = fake_folder(tmp_path, plan)
    victim = folder.cell(plan.cells[0].folder).checkpoint

    def far() -> bool:
        return victim.is_file() and int(victim.read_text() or 0) > 5

    thread = meanwhile(far, lambda: cluster.lose(next(iter(cluster.lost))))
    outcomes = executor(plan, folder, heard).run(plan.cells)
    thread.join()
    assert statuses(outcomes) == {cell.key: "done" for cell in plan.cells}
    assert heard.kinds(plan.cells[0]).count("lost") == 1
    assert heard.kinds(plan.cells[0]).count("start") == 2
    assert heard.kinds(plan.cells[1]).count("start") == 1
    assert first_step(folder, plan.cells[0]) > 5
    assert first_step(folder, plan.cells[1]) == 0


def test_a_cell_is_not_placed_for_ever(
    cluster: ThreadRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "RETRIES", 2)
    monkeypatch.setattr(ray_executor, "run_job", lambda *_: None)
    place = RayExecutor._place

    def lose(self: RayExecutor, state: Any, cell: Any, attempt: int) -> None:
        place(self, state, cell, attempt)
        reference = list(state.placed)[-1]
        cluster.lost[reference].result()
        state.placed[lost_reference(cluster)] = state.placed.pop(reference)

    monkeypatch.setattr(RayExecutor, "_place", lose)
    plan, heard = fake_plan(1), Heard()
    folder = fake_folder(tmp_path, plan)
    (outcome,) = executor(plan, folder, heard).run(plan.cells)
    assert (outcome.status, outcome.reason) == (
        "error",
        "its node was lost 3 times, at last by NodeDiedError",
    )
    assert folder.cell(plan.cells[0].folder).status()["status"] == "error"
    assert [ended.status for ended in heard.ended] == ["error"]


def lost_reference(cluster: ThreadRay) -> Any:
    reference: Future[Any] = Future()
    cluster.lose(reference)
    return reference


def test_ctrl_c_brings_checkpoints_home(cluster: ThreadRay, tmp_path: Path) -> None:
    plan, heard = fake_plan(5, steps=1000, pause=0.02), Heard()
    folder = fake_folder(tmp_path, plan)

    def trains() -> bool:
        return any(event["event"] == "train" for _, event in heard.events)

    thread = meanwhile(trains, lambda: os.kill(os.getpid(), signal.SIGINT))
    outcomes = executor(plan, folder, heard).run(plan.cells)
    thread.join()
    assert statuses(outcomes) == {cell.key: "interrupted" for cell in plan.cells}
    began = {cell.key for cell, _ in heard.events}
    kept = {c.key for c in plan.cells if folder.cell(c.folder).checkpoint.is_file()}
    assert kept
    assert kept <= began
    assert {outcome.cell.key for outcome in heard.ended} == began
    assert len(began) == 2


def test_a_cell_has_its_time(cluster: ThreadRay, tmp_path: Path) -> None:
    plan, heard = fake_plan(1, steps=1000, pause=0.1), Heard()
    folder = fake_folder(tmp_path, plan)
    (outcome,) = executor(plan, folder, heard, timeout=1.0).run(plan.cells)
    assert (outcome.status, outcome.reason) == ("timeout", "took longer than 1 s")
    assert folder.cell(plan.cells[0].folder).status()["status"] == "timeout"


def test_another_version_on_a_node_is_an_error(
    cluster: ThreadRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "code_digest", lambda: "of another version")
    plan, heard = fake_plan(1), Heard()
    (outcome,) = executor(plan, fake_folder(tmp_path, plan), heard).run(plan.cells)
    assert outcome.status == "error"
    assert "another benchbench or another torch" in outcome.reason


def test_what_a_task_can_not_do_is_an_error(
    cluster: ThreadRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(ray_executor, "run_job", full)
    plan, heard = fake_plan(1), Heard()
    (outcome,) = executor(plan, fake_folder(tmp_path, plan), heard).run(plan.cells)
    assert outcome.status == "error"
    assert "its task failed" in outcome.reason
    assert "no space left" in outcome.reason
