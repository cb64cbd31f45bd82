"""The Slurm executor through submitit's own local mode: submit, leave, come back, collect."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from placed import FAKE, Heard, fake_folder, fake_plan, first_step, statuses

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'benchbench[slurm]'")

from benchbench.api import BenchError, UsageError
from benchbench.runner.plan import Plan
from benchbench.runner.slurm_executor import SlurmExecutor, SlurmPlacement
from benchbench.runner.submissions import JobRecord, new_submission, submissions
from benchbench.store.folder import ResultFolder

WAIT = 120.0


def executor(plan: Plan, folder: ResultFolder, heard: Heard, **more: Any) -> SlurmExecutor:
    placement = SlurmPlacement(cluster="local", **more)
    return SlurmExecutor(
        placement, plan, folder, jobs=2, timeout=None, command=FAKE, **heard.callbacks
    )


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_the_submitting_process_may_end(tmp_path: Path) -> None:
    plan = fake_plan(5, steps=2, pause=0.05)
    folder = fake_folder(tmp_path / "out", plan)
    pid = os.fork()
    if pid == 0:
        left = executor(plan, folder, Heard(), detach=True).run(plan.cells)
        os._exit(0 if {outcome.status for outcome in left} == {"queued"} else 1)
    assert os.waitpid(pid, 0)[1] == 0
    (submission,) = submissions(folder)
    assert sorted(key for job in submission.jobs for key in job.keys) == sorted(
        cell.key for cell in plan.cells
    )
    assert len(submission.jobs) == 2

    heard = Heard()
    missing = [c for c in plan.cells if folder.cell(c.folder).status()["status"] == "missing"]
    outcomes = executor(plan, folder, heard).run(missing)
    assert statuses(outcomes) == {cell.key: "done" for cell in missing}
    for cell in missing:
        assert heard.kinds(cell) == ["start", "train", "train"]
    assert all(folder.cell(c.folder).status()["status"] == "done" for c in plan.cells)
    executor(plan, folder, Heard()).run([])
    assert not list((folder.path / "jobs").iterdir())  # collected and put away


def test_what_is_queued_is_not_submitted_again(tmp_path: Path) -> None:
    plan = fake_plan(3, steps=1000, pause=0.02)
    folder = fake_folder(tmp_path / "out", plan)
    executor(plan, folder, Heard(), detach=True).run(plan.cells)
    placement = SlurmPlacement(cluster="local")
    try:
        assert placement.busy(folder) == {cell.key for cell in plan.cells}
        again = executor(plan, folder, Heard(), detach=True).run(plan.cells)
        assert set(statuses(again).values()) == {"queued"}
        assert len(list(submissions(folder))) == 1
    finally:
        end_jobs(folder)
    assert placement.busy(folder) == frozenset()


def test_preempted_cells_go_on_from_their_checkpoint(tmp_path: Path) -> None:
    """submitit's signal: a checkpoint, the job requeued by submitit, the rest of the cell."""
    plan, heard = fake_plan(1, steps=60, pause=0.05), Heard()
    folder = fake_folder(tmp_path / "out", plan)
    (cell,) = plan.cells

    def preempt() -> None:
        until(lambda: heard.kinds(cell).count("train") > 2)
        (submission,) = submissions(folder)
        (task,) = children(int(submission.jobs[0].id))
        os.kill(task, signal.SIGUSR2)

    thread = threading.Thread(target=preempt)
    thread.start()
    outcomes = executor(plan, folder, heard).run(plan.cells)
    thread.join()
    assert statuses(outcomes) == {cell.key: "done"}
    assert first_step(folder, cell) > 0
    assert heard.kinds(cell).count("start") == 2
    assert heard.kinds(cell).count("lost") == 1


def test_a_job_that_is_killed_is_told_and_begun_again(tmp_path: Path) -> None:
    plan, heard = fake_plan(1, steps=1000, pause=0.02), Heard()
    folder = fake_folder(tmp_path / "out", plan)
    (cell,) = plan.cells

    def kill() -> None:
        until(lambda: "train" in heard.kinds(cell))
        end_jobs(folder)

    thread = threading.Thread(target=kill)
    thread.start()
    (outcome,) = executor(plan, folder, heard).run(plan.cells)
    thread.join()
    assert outcome.status == "error"
    assert "ended before it" in outcome.reason
    assert folder.cell(cell.folder).checkpoint.is_file()
    short = fake_plan(1, steps=int(folder.cell(cell.folder).checkpoint.read_text()) + 2, pause=0.0)
    (outcome,) = executor(short, folder, Heard()).run(short.cells)
    assert outcome.status == "done"
    assert first_step(folder, cell) > 0


def test_a_failure_is_reported_once_and_then_tried_again(tmp_path: Path) -> None:
    plan = fake_plan(1, ends="error")
    folder = fake_folder(tmp_path / "out", plan)
    executor(plan, folder, Heard(), detach=True).run(plan.cells)
    placement = SlurmPlacement(cluster="local")
    until(lambda: not placement.busy(folder))
    heard = Heard()
    executor(plan, folder, heard).run(plan.cells)
    assert [outcome.status for outcome in heard.ended] == ["error"]
    assert heard.kinds(plan.cells[0]).count("start") == 1
    assert list(submissions(folder)) == []
    mended, heard = fake_plan(1), Heard()
    executor(mended, folder, heard).run(mended.cells)
    assert [outcome.status for outcome in heard.ended] == ["done"]


def test_jobs_take_every_nth_cell(tmp_path: Path) -> None:
    plan = fake_plan(7)
    folder = fake_folder(tmp_path, plan)
    seeds = [
        [
            [cell.seed for cell in group]
            for group in executor(plan, folder, Heard(), **more)._groups(list(plan.cells))
        ]
        for more in ({}, {"cells_per_job": 3}, {"cells_per_job": 100})
    ]
    assert seeds == [
        [[0, 2, 4, 6], [1, 3, 5]],
        [[0, 3, 6], [1, 4], [2, 5]],
        [list(range(7))],
    ]


def test_a_record_is_read_by_whole_lines(tmp_path: Path) -> None:
    record = tmp_path / "record-0.jsonl"
    job = JobRecord("1", ("a", "b"), record)
    assert job.news() == []
    record.write_text('{"key": "a", "event": "start"}\n{"key": "a", "event": "en')
    assert [event["event"] for event in job.news()] == ["start"]
    with record.open("a") as file:
        file.write('d", "status": "interrupted"}\nno json\n{"key": "b", "event": "end"}\n')
    assert [event["event"] for event in job.news()] == ["end", "end"]
    assert job.left == ["a"]  # interrupted: it goes on when its job does


def test_a_damaged_submission_is_named(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path)
    path = new_submission(folder, "local", [["a"]])
    assert [job.keys for s in submissions(folder) for job in s.jobs] == [("a",)]
    assert SlurmPlacement(cluster="local").busy(folder) == frozenset()  # it has no job
    (path / "submission.json").write_text("{}")
    with pytest.raises(BenchError, match=r"submission\.json"):
        list(submissions(folder))


def test_without_slurm_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="--slurm-cluster local"):
        SlurmPlacement()


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def end_jobs(folder: ResultFolder) -> None:
    """Kill the jobs of a folder, as a system does that gives no notice."""
    ids = [int(job.id) for submission in submissions(folder) for job in submission.jobs]
    for pid in ids:
        tasks = children(pid)
        os.kill(pid, signal.SIGKILL)
        for task in tasks:
            os.kill(task, signal.SIGKILL)
    until(lambda: not SlurmPlacement(cluster="local").busy(folder))
