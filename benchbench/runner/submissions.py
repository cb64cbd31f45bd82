"""What has been handed to Slurm, on disk, so that the submitting process may end.

jobs/NAME/
    submission.json     the jobs with the keys of their cells; `over` once they have been collected
    record-K.jsonl      of job K: the events of its cells, one a line, written by the job
    submitit/           what submitit writes: logs, and pickles that only the jobs read
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbench.api import BenchError
from benchbench.store.files import read_json, write_json
from benchbench.store.folder import ResultFolder

__all__ = ["JobRecord", "Submission", "new_submission", "read_record", "submissions"]

FILE = "submission.json"


def read_record(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of a record from a byte on, and the byte behind them."""
    if not path.is_file():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    events = []
    for line in whole.splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("event"), str) and "key" in event:
                events.append(event)
    return events, offset + len(whole)


@dataclass
class JobRecord:
    """A job: its id, the keys of its cells, and what it has told so far.

    ends: the last event of each cell that has ended.
    """

    id: str
    keys: tuple[str, ...]
    path: Path
    ends: dict[str, dict[str, Any]] = field(default_factory=dict)
    _offset: int = 0

    def news(self) -> list[dict[str, Any]]:
        """Events since the last call. A cell that was interrupted has not ended: it goes on."""
        events, self._offset = read_record(self.path, self._offset)
        for event in events:
            if event["event"] == "end" and event.get("status") != "interrupted":
                self.ends[event["key"]] = event
        return events

    @property
    def left(self) -> list[str]:
        """Keys of cells that have not ended, as far as it has been read."""
        return [key for key in self.keys if key not in self.ends]


@dataclass
class Submission:
    """The jobs that were submitted together.

    cluster: `slurm` or `local`. lost: whether one has ended before its cells had.
    """

    path: Path
    cluster: str
    jobs: list[JobRecord] = field(default_factory=list)
    lost: bool = False

    @property
    def logs(self) -> Path:
        """The folder of submitit."""
        return self.path / "submitit"

    def record(self, number: int) -> Path:
        """The record of this job."""
        return self.path / f"record-{number}.jsonl"

    def write(self, *, over: bool = False) -> None:
        """Write which jobs there are."""
        jobs = [{"id": job.id, "keys": list(job.keys)} for job in self.jobs]
        write_json(self.path / FILE, {"cluster": self.cluster, "jobs": jobs, "over": over})

    def close(self, *, keep: bool) -> None:
        """Everything has been collected. keep: the logs, because something failed."""
        if keep:
            self.write(over=True)
        else:
            shutil.rmtree(self.path, ignore_errors=True)


def submissions(folder: ResultFolder) -> Iterator[Submission]:
    """Those that have not been collected, oldest first; raises BenchError for a damaged one."""
    for file in sorted((folder.path / "jobs").glob(f"*/{FILE}")):
        submission = _read(file)
        if submission is not None:
            yield submission


def _read(file: Path) -> Submission | None:
    try:
        saved = read_json(file)
        if saved["over"]:
            return None
        found = Submission(file.parent, str(saved["cluster"]))
        for number, job in enumerate(saved["jobs"]):
            keys = tuple(map(str, job["keys"]))
            found.jobs.append(JobRecord(str(job["id"]), keys, found.record(number)))
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(
            f"{str(file)!r} is damaged ({' '.join(str(error).split())}); see that its jobs have "
            "ended, and remove its folder"
        ) from error
    return found


def new_submission(folder: ResultFolder, cluster: str, groups: Sequence[Sequence[str]]) -> Path:
    """A new folder under jobs/, with the keys written down before anything is submitted."""
    jobs = folder.path / "jobs"
    taken = [int(path.name) for path in jobs.glob("[0-9]*") if path.name.isdigit()]
    path = jobs / f"{max(taken, default=0) + 1:04d}"
    path.mkdir(parents=True)
    submission = Submission(path, cluster)
    for number, keys in enumerate(groups):
        submission.jobs.append(JobRecord("", tuple(keys), submission.record(number)))
    submission.write()
    return path
