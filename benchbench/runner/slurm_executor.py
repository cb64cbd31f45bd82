"""The Slurm executor: the missing cells of a plan as one job array, through submitit.

Jobs outlive this process. What was submitted is written down in the result folder
(`submissions`), so that the same command, begun again, follows what still runs, collects what has
ended, and submits only what is neither. Nothing that lies in the folder is unpickled here: how a
cell ended is read from its job's record, and whether a job still runs is asked of Slurm.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchbench.api import UsageError
from benchbench.api.errors import describe
from benchbench.runner.executor import RESULT, OnEnd, OnEvent, Outcome, fail, require
from benchbench.runner.local import WORKER
from benchbench.runner.plan import Cell, Plan
from benchbench.runner.slurm_job import SlurmJob
from benchbench.runner.submissions import JobRecord, Submission, new_submission, submissions
from benchbench.store.folder import ResultFolder

__all__ = ["SlurmExecutor", "SlurmPlacement"]

MAX_JOBS = 1000
"""Of an array: Slurm's MaxArraySize is 1001 where nobody has changed it."""
POLL_SECONDS, MAX_POLL_SECONDS, POLL_SHARE = 1.0, 30.0, 0.05
"""Between two looks at the records, and the part of the time that looking may take."""


@dataclass(frozen=True)
class SlurmPlacement:
    """`--executor slurm`.

    cluster: `slurm`, or `local` for processes of this machine. minutes: of a job. memory: GiB of a
    cell. more: further options of sbatch. cells_per_job: None: as few as the array allows.
    detach: submit and leave.
    """

    cluster: str = "slurm"
    partition: str | None = None
    minutes: int = 60
    gpus: int | None = None
    memory: float | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    cells_per_job: int | None = None
    detach: bool = False

    def __post_init__(self) -> None:
        require("submitit", "slurm")
        if self.cluster == "slurm" and shutil.which("sbatch") is None:
            raise UsageError(
                "--executor slurm finds no sbatch on this machine; run it where jobs are "
                "submitted, or give --slurm-cluster local to try it without Slurm"
            )

    def busy(self, folder: ResultFolder) -> frozenset[str]:
        """Keys of cells whose jobs are queued or running."""
        keys: set[str] = set()
        for submission in submissions(folder):
            for job in submission.jobs:
                job.news()
                if job.left and not _over(submission, job):
                    keys.update(job.left)
        return frozenset(keys)

    def executor(
        self,
        plan: Plan,
        folder: ResultFolder,
        *,
        jobs: int | None,
        timeout: float | None,
        on_event: OnEvent,
        on_end: OnEnd,
    ) -> SlurmExecutor:
        """The executor; jobs: of the array, at once."""
        return SlurmExecutor(
            self, plan, folder, jobs=jobs, timeout=timeout, on_event=on_event, on_end=on_end
        )


class SlurmExecutor:
    """Runs cells as jobs of Slurm; arguments as in `Placement.executor`.

    command: of a worker, before its arguments.
    """

    def __init__(
        self,
        placement: SlurmPlacement,
        plan: Plan,
        folder: ResultFolder,
        *,
        jobs: int | None,
        timeout: float | None,
        on_event: OnEvent,
        on_end: OnEnd,
        command: Sequence[str] = WORKER,
    ) -> None:
        self.placement, self.plan, self.folder = placement, plan, folder
        self.jobs, self.timeout = jobs, timeout
        self.on_event, self.on_end, self.command = on_event, on_end, tuple(command)
        self._leave = placement.detach
        self._began: set[str] = set()

    def run(self, cells: Iterable[Cell]) -> list[Outcome]:
        """Submit what is not submitted, and follow it; Ctrl-C leaves the jobs as they are."""
        waiting = {cell.key: cell for cell in cells}
        outcomes: list[Outcome] = []
        found = list(submissions(self.folder))
        with self._listening():
            self._collect(found, waiting, outcomes)
            submitted = {key for s in found for job in s.jobs for key in job.left}
            new = [cell for key, cell in waiting.items() if key not in submitted]
            if new:
                found.append(self._submit(new))
            self._follow(found, waiting, outcomes)
        return outcomes + [self._queued(found, cell) for cell in waiting.values()]

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        def leave(*_: Any) -> None:
            self._leave = True

        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, leave) for number in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    # --- submitting ----------------------------------------------------------------------------

    def _submit(self, cells: list[Cell]) -> Submission:
        groups = self._groups(cells)
        keys = [[cell.key for cell in group] for group in groups]
        path = new_submission(self.folder, self.placement.cluster, keys)
        submission = Submission(path, self.placement.cluster)
        plugins = tuple(str(Path(name).absolute()) for name in self.plan.plugins)
        plan, out = replace(self.plan, plugins=plugins), self.folder.path.absolute()
        jobs = [
            SlurmJob(
                out,
                [plan.only(cell).to_json() for cell in group],
                submission.record(number).absolute(),
                self.timeout,
                self.command,
            )
            for number, group in enumerate(groups)
        ]
        try:
            with _undisturbed(self.placement.cluster):
                handed = self._submitit(submission.logs.absolute()).submit_array(jobs)
        except Exception as error:
            submission.close(keep=False)
            raise UsageError(f"Slurm refused the jobs: {describe(error)}") from error
        for number, (job, own) in enumerate(zip(handed, keys, strict=True)):
            record = submission.record(number)
            submission.jobs.append(JobRecord(str(job.job_id), tuple(own), record))
        submission.write()
        return submission

    def _groups(self, cells: list[Cell]) -> list[list[Cell]]:
        """The cells of each job: every n-th one, so that all jobs begin with the first seeds."""
        most = MAX_JOBS
        if self.placement.cluster == "local":  # it starts all its jobs at once
            most = self.jobs or max(1, len(os.sched_getaffinity(0)) // cells[0].threads)
        each = self.placement.cells_per_job or math.ceil(len(cells) / most)
        count = math.ceil(len(cells) / each)
        return [cells[number::count] for number in range(count)]

    def _submitit(self, logs: Path) -> Any:
        """submitit's executor, with what each job asks for."""
        import submitit

        asked, cell = self.placement, self.plan.cells[0]
        gpus = asked.gpus
        if gpus is None:
            gpus = int(cell.device.startswith("cuda"))
        executor = submitit.AutoExecutor(folder=logs, cluster=asked.cluster)
        executor.update_parameters(
            name=f"bench-{self.plan.name}",
            timeout_min=asked.minutes,
            cpus_per_task=cell.threads,
            gpus_per_node=gpus or None,
            mem_gb=asked.memory,
            slurm_partition=asked.partition,
            slurm_array_parallelism=self.jobs,
            slurm_additional_parameters=dict(asked.more) or None,
        )
        return executor

    # --- following -----------------------------------------------------------------------------

    def _collect(
        self, found: list[Submission], waiting: dict[str, Cell], outcomes: list[Outcome]
    ) -> None:
        """What has ended since anyone looked; a lost job's cells are left to be submitted."""
        for submission in list(found):
            for job in list(submission.jobs):
                over = _over(submission, job)
                self._read(job, waiting, outcomes)
                self._part(submission, job, over)
            self._close(submission, found)

    def _follow(
        self, found: list[Submission], waiting: dict[str, Cell], outcomes: list[Outcome]
    ) -> None:
        """Until the cells have ended, or the user leaves."""
        while waiting and not self._leave:
            began = time.monotonic()
            for submission in list(found):
                for job in list(submission.jobs):
                    over = _over(submission, job)  # before the record is read to its end
                    self._read(job, waiting, outcomes)
                    if over:
                        self._lost(job, waiting, outcomes)
                    self._part(submission, job, over)
                self._close(submission, found)
            spent = time.monotonic() - began
            until = time.monotonic() + min(max(POLL_SECONDS, spent / POLL_SHARE), MAX_POLL_SECONDS)
            while waiting and not self._leave and time.monotonic() < until:
                time.sleep(0.1)

    def _read(self, job: JobRecord, waiting: dict[str, Cell], outcomes: list[Outcome]) -> None:
        """Pass on what a job has told of cells that are wanted here."""
        for event in job.news():
            cell = waiting.get(event["key"])
            if cell is None:
                continue
            told = {name: value for name, value in event.items() if name != "key"}
            if told["event"] != "end":
                if told["event"] == "start" and cell.key in self._began:
                    self.on_event(cell, {"event": "lost", "reason": "its job was requeued"})
                self._began.add(cell.key)
                self.on_event(cell, told)
            elif told["status"] != "interrupted":
                self._end(Outcome(cell, told["status"], told["reason"]), waiting, outcomes)

    def _lost(self, job: JobRecord, waiting: dict[str, Cell], outcomes: list[Outcome]) -> None:
        """A job is over that has not told of all its cells' ends."""
        for key in job.left:
            if key not in waiting:
                continue
            status = self.folder.cell(waiting[key].folder).status()
            if status["status"] in RESULT:
                outcome = Outcome(waiting[key], status["status"], status.get("reason", ""))
            else:
                reason = f"its job {job.id} ended before it; the same command goes on"
                outcome = fail(self.folder, waiting[key], "error", reason)
            self._end(outcome, waiting, outcomes)

    def _end(self, outcome: Outcome, waiting: dict[str, Cell], outcomes: list[Outcome]) -> None:
        del waiting[outcome.cell.key]
        outcomes.append(outcome)
        self.on_end(outcome)

    def _part(self, submission: Submission, job: JobRecord, over: bool) -> None:
        """Leave a job alone from which nothing more is to come."""
        if over or not job.left:
            submission.lost |= bool(job.left)
            submission.jobs.remove(job)

    def _close(self, submission: Submission, found: list[Submission]) -> None:
        """Put a submission away whose jobs have all been collected."""
        if submission.jobs:
            return
        found.remove(submission)
        submission.close(keep=submission.lost or _failed(submission))

    def _queued(self, found: list[Submission], cell: Cell) -> Outcome:
        ids = (j.id for s in found for j in s.jobs if cell.key in j.left)
        array = next(ids, "").partition("_")[0]
        where = "Slurm job" if self.placement.cluster == "slurm" else "process"
        return Outcome(cell, "queued", f"{where} {array}")


def _failed(submission: Submission) -> bool:
    """Whether a cell of a submission ended without a result, so that its logs are of use."""
    records = sorted(submission.path.glob("record-*.jsonl"))
    jobs = [JobRecord("", (), record) for record in records]
    for job in jobs:
        job.news()
    return any(end.get("status") not in RESULT for job in jobs for end in job.ends.values())


def _over(submission: Submission, job: JobRecord) -> bool:
    """Whether a job has left the system; one of unknown id was never submitted."""
    if not job.id:
        return True
    if submission.cluster == "local":
        return not _alive(job.id)
    import submitit

    return bool(submitit.SlurmJob(submission.logs.absolute(), job.id).done())


def _alive(pid: str) -> bool:
    """Whether submitit's controller with this process id runs on this machine."""
    try:
        return b"submitit" in Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return False


@contextlib.contextmanager
def _undisturbed(cluster: str) -> Iterator[None]:
    """Local jobs are children of this process: its Ctrl-C and the end of its terminal are not
    theirs, and signals that are ignored here are ignored by them."""
    main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGHUP) if cluster == "local" and main else ()
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
