"""What runs on a node of a Ray cluster: one cell under a local executor, and the desk between.

A task tells the desk what happens and hears from it whether to stop. Where its node does not see
the result folder, the task works in a folder of its own and sends the cell's files: at the end, and
whenever there is something new to go on from.
"""

from __future__ import annotations

import hashlib
import os
import queue
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import benchbench
from benchbench.api import Assets
from benchbench.api.assets import default_cache
from benchbench.runner.executor import Outcome
from benchbench.runner.local import WORKER, LocalExecutor
from benchbench.runner.parcels import Parcel, Sender, unpack
from benchbench.runner.plan import Cell, Plan
from benchbench.store.files import write_bytes_atomic
from benchbench.store.folder import ResultFolder

__all__ = ["Desk", "Ended", "Freight", "Job", "Told", "code_digest", "run_job"]

TELL_SECONDS = 0.5
"""Between two words with the desk."""
UNSEEN = "unseen"
"""Status of a cell whose node does not see the result folder: it has not begun."""


@dataclass(frozen=True)
class Told:
    """What a task tells the desk: events of its cell, or files to go on from."""

    key: str
    attempt: int
    event: dict[str, Any] | None = None
    parcel: Parcel | None = None


class Desk:
    """An actor: what tasks have told waits here, and here they ask whether to stop."""

    def __init__(self) -> None:
        self._told: list[Told] = []
        self._stopping = 0

    def tell(self, told: list[Told]) -> int:
        """Take in; how often the user has asked to stop."""
        self._told += told
        return self._stopping

    def take(self, stopping: int) -> list[Told]:
        """Give out what has come in since the last time."""
        self._stopping = stopping
        told, self._told = self._told, []
        return told


@dataclass(frozen=True)
class Freight:
    """Files that a node keeps under their hash.

    role: `data`, `plugin`, or the extractor whose weights they are. name: of the file, or of the
    folder that all lie in. reference: of {relative path: content} in Ray's object store.
    """

    role: str
    name: str
    digest: str
    reference: Any


@dataclass(frozen=True)
class Job:
    """A cell on its way.

    plan: of this cell alone. out: the result folder where nodes share it (the file `token` in it
    tells), else None: then freight has what the cell reads.
    """

    plan: Plan
    out: Path | None
    token: str
    timeout: float | None
    attempt: int
    code: str
    freight: tuple[Freight, ...] = ()
    command: tuple[str, ...] = WORKER

    @property
    def cell(self) -> Cell:
        """The one cell of the plan."""
        return self.plan.cells[0]


@dataclass(frozen=True)
class Ended:
    """How a task ended; parcel: the files that were not sent before."""

    status: str
    reason: str
    parcel: Parcel = field(default_factory=Parcel)


@cache
def code_digest() -> str:
    """Of the version, the source and the torch that would compute a cell here; imports none."""
    state = hashlib.sha256(f"{benchbench.__version__} {version('torch')}".encode())
    root = Path(benchbench.__file__).parent
    for file in sorted(root.rglob("*.py")):
        state.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return state.hexdigest()


def run_job(job: Job, files: Parcel | None, desk: Any) -> Ended:
    """The Ray task. files: of the cell, where it has begun and the folder is not shared."""
    if job.code != code_digest():
        return Ended(
            "error",
            f"{socket.gethostname()} has another benchbench or another torch than the machine "
            "that made the plan; install the same on both",
        )
    if job.out is None:
        return _apart(job, files or Parcel(), desk)
    if not (job.out / job.token).is_file():
        return Ended(UNSEEN, "")
    outcome = _run(job, job.plan, ResultFolder(job.out), desk, None)
    return Ended(outcome.status, outcome.reason)


def _apart(job: Job, files: Parcel, desk: Any) -> Ended:
    """Run the cell in a folder of this node and send what it makes."""
    with tempfile.TemporaryDirectory(prefix="benchbench-") as temporary:
        folder = ResultFolder(Path(temporary))
        cell = folder.cell(job.cell.folder)
        unpack(files, cell)
        sender = Sender(cell, sent=True)
        outcome = _run(job, _unload(job.plan, job.freight), folder, desk, sender)
        return Ended(outcome.status, outcome.reason, sender.last())


def _run(job: Job, plan: Plan, folder: ResultFolder, desk: Any, sender: Sender | None) -> Outcome:
    events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    executor = LocalExecutor(
        plan,
        folder,
        jobs=1,
        timeout=job.timeout,
        on_event=lambda _, event: events.put(event),
        on_end=lambda outcome: None,
        listen=False,
        command=job.command,
    )
    with _talking(job, desk, executor, events, sender):
        (outcome,) = executor.run(plan.cells)
    return outcome


@contextmanager
def _talking(
    job: Job,
    desk: Any,
    executor: LocalExecutor,
    events: queue.SimpleQueue[dict[str, Any]],
    sender: Sender | None,
) -> Iterator[None]:
    """Meanwhile tell the desk of events and files, and stop the cell when it says so.

    In a thread: a task that waits for Ray in its main one gives its CPUs away meanwhile.
    """
    import ray

    heard, over = 0, threading.Event()

    def word() -> None:
        nonlocal heard
        told = []
        while not events.empty():
            told.append(Told(job.cell.key, job.attempt, event=events.get()))
        parcel = sender.changed() if sender is not None and not over.is_set() else None
        told += [Told(job.cell.key, job.attempt, parcel=parcel)] if parcel else []
        asked = ray.get(desk.tell.remote(told))
        for _ in range(asked - heard):
            executor.stop()
        heard = max(heard, asked)

    def talk() -> None:
        try:
            while not over.wait(TELL_SECONDS):
                word()
        except ray.exceptions.RayError:  # nobody is there any more: keep a checkpoint and end
            executor.stop()

    with ThreadPoolExecutor(1) as aside:
        aside.submit(word).result()
        talking = aside.submit(talk)
        try:
            yield
        finally:
            over.set()
            talking.result()
            aside.submit(word).result()


def _unload(plan: Plan, freight: tuple[Freight, ...]) -> Plan:
    """The plan with the paths of this node."""
    places = [(item, _kept(item)) for item in freight]
    data = [place for item, place in places if item.role == "data"]
    plugins = [str(place / item.name) for item, place in places if item.role == "plugin"]
    weights = {
        item.role: place / item.name
        for item, place in places
        if item.role not in ("data", "plugin")
    }
    folders = [*data, *(place / item.name for item, place in places if place in data)]
    assets = Assets(tuple(folders), plan.assets.download, weights=weights)
    return replace(plan, plugins=tuple(plugins), assets=assets)


def _kept(item: Freight) -> Path:
    """The folder of this node with these files; what is there already is not fetched."""
    import ray

    folder = default_cache() / "freight" / item.digest
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as aside:  # as in `_talking`
        contents: Any = aside.submit(ray.get, item.reference).result()
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        files = Path(temporary, "files")
        for name, content in contents.items():
            write_bytes_atomic(files / name, content)
        try:
            os.rename(files, folder)
        except OSError:  # another task of this node was first
            if not folder.is_dir():
                raise
    return folder
