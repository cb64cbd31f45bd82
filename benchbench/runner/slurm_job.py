"""A job of Slurm: cells of a plan one after another, each under a local executor.

It writes what happens to its record. Begun again, because it was preempted or its time was up, it
leaves out the cells that have ended and goes on from the checkpoint of the one that has not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchbench.runner.local import GRACE_SECONDS, WORKER, LocalExecutor
from benchbench.runner.plan import Plan
from benchbench.runner.submissions import JobRecord
from benchbench.store.folder import ResultFolder

__all__ = ["SlurmJob"]


class SlurmJob:
    """What submitit calls on the node.

    out: the result folder. plans: as JSON, each of one cell, in their order. record: where the
    events go. timeout, command: as in `LocalExecutor`.
    """

    def __init__(
        self,
        out: Path,
        plans: Sequence[dict[str, Any]],
        record: Path,
        timeout: float | None,
        command: Sequence[str] = WORKER,
    ) -> None:
        self._given = (out, plans, record, timeout, command)
        self._executor: LocalExecutor | None = None

    def __call__(self) -> None:
        """Run the cells that have not ended."""
        out, plans, record, timeout, command = self._given
        before = JobRecord("", (), record)
        before.news()
        for saved in plans:
            plan = Plan.from_json(saved)
            if plan.cells[0].key in before.ends:
                continue
            with record.open("a", encoding="utf-8", buffering=1) as file:
                while self._run(plan, ResultFolder(out), file, timeout, command) == "interrupted":
                    # The system's SIGTERM, which reaches all processes of a job: what follows is
                    # submitit's signal, or the end. Where nothing follows, the cell goes on.
                    time.sleep(GRACE_SECONDS)

    def _run(
        self,
        plan: Plan,
        folder: ResultFolder,
        file: Any,
        timeout: float | None,
        command: Sequence[str],
    ) -> str:
        (cell,) = plan.cells

        def write(event: dict[str, Any]) -> None:
            file.write(json.dumps({"key": cell.key, **event}) + "\n")

        self._executor = LocalExecutor(
            plan,
            folder,
            jobs=1,
            timeout=timeout,
            on_event=lambda _, event: write(event),
            on_end=lambda o: write({"event": "end", "status": o.status, "reason": o.reason}),
            listen=False,
            command=command,
        )
        (outcome,) = self._executor.run(plan.cells)
        return outcome.status

    def checkpoint(self) -> Any:
        """Called by submitit, in a signal's handler, before it asks for the job to be requeued."""
        from submitit.helpers import DelayedSubmission

        if self._executor is not None:
            self._executor.stop()
            until = time.monotonic() + GRACE_SECONDS
            while self._executor.running and time.monotonic() < until:
                time.sleep(0.05)
        return DelayedSubmission(SlurmJob(*self._given))
