"""All that a cell has started, whatever became of its process group.

A child that makes a session of its own leaves the group of its worker, and whoever ends the group
misses it. But children inherit the environment, so a worker carries a mark there. Where the system
has no /proc, groups are all there is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from pathlib import Path

__all__ = ["MARK", "end_marked", "new_mark"]

MARK = "BENCHBENCH_CELL"
"""The variable that holds the mark."""
ROUNDS = 10
"""How often it is looked again: what is being ended may have started more."""


def new_mark() -> str:
    """A mark that no other worker has."""
    return uuid.uuid4().hex


def end_marked(mark: str) -> None:
    """Kill every other process with this mark."""
    for _ in range(ROUNDS):
        found = _marked(f"{MARK}={mark}".encode())
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return


def _marked(setting: bytes) -> list[int]:
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # gone, or somebody else's
            if setting in file.read_bytes().split(b"\0") and int(file.parent.name) != os.getpid():
                found.append(int(file.parent.name))
    return found
