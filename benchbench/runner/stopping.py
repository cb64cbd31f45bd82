"""A worker's two ways of ending early: asked by a signal, or because its parent is gone."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

from benchbench.runner.strays import MARK, end_marked

__all__ = ["Stop", "end_with_parent"]


class Stop:
    """A request to stop. It is heeded at once, but between two steps while a model trains.

    Outside `deferred` the signal raises KeyboardInterrupt, so that a long measure doesn't keep
    anyone waiting: what was measured before is on disk.
    """

    def __init__(self) -> None:
        self.requested = False
        self._deferred = False

    def __call__(self) -> bool:
        return self.requested

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the request."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Inside, the request is only noted: the training asks for it between steps."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def _on_signal(self, *_: Any) -> None:
        first, self.requested = not self.requested, True
        if first and not self._deferred:
            raise KeyboardInterrupt


def end_with_parent(lifeline: int) -> None:
    """Fork a watcher that kills this process, and all that it started, when the parent is gone.

    lifeline: the reading end of a pipe whose other end only the parent holds: it reads as ended
        when the parent exits, however it does. A process of its own sees this in time even while
        native code keeps this one busy; it is no child of this one, so nothing here waits for it.
    """
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        os.close(lifeline)
        return
    try:
        if os.fork() == 0:
            _watch(lifeline)
    finally:
        os._exit(0)


def _watch(lifeline: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.closerange(0, lifeline)
    os.closerange(lifeline + 1, max(1024, lifeline + 2))
    os.read(lifeline, 1)
    if MARK in os.environ:
        end_marked(os.environ[MARK])
    os.killpg(0, signal.SIGKILL)
