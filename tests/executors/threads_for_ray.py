"""Stands for the module `ray` where a test is about our side of it: tasks are threads.

Of Ray it has what `ray_executor` and `ray_node` use. A task can be lost, as with its node: see
`ThreadRay.lose`. `main` keeps the names of calls that a task made in its main thread: there Ray
would take its CPUs away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """As ray.exceptions.RayError."""


class TaskCancelledError(RayError):
    """As ray.exceptions.TaskCancelledError."""


class RayTaskError(RayError):
    """As ray.exceptions.RayTaskError."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class NodeDiedError(RayError):
    """As ray.exceptions.NodeDiedError."""


class ThreadRay:
    """A cluster of so many CPUs."""

    exceptions = SimpleNamespace(
        RayError=RayError, TaskCancelledError=TaskCancelledError, RayTaskError=RayTaskError
    )

    def __init__(self, cpus: int = 2) -> None:
        self.pool = ThreadPoolExecutor(cpus, thread_name_prefix="task")
        self.main: list[str] = []
        self.lost: dict[Any, Future[Any]] = {}
        self.requests: list[dict[str, Any]] = []

    def is_initialized(self) -> bool:
        return True

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(get_node_id=lambda: "0" * 56)

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 2.0}}]

    def remote(self, what: Any) -> Any:
        return _Actor(what) if isinstance(what, type) else _Task(self, what)

    def put(self, value: Any) -> Any:
        done: Future[Any] = Future()
        done.set_result(value)
        return done

    def get(self, reference: Future[Any]) -> Any:
        if threading.current_thread().name.startswith("task"):
            self.main.append("get")
        try:
            return reference.result()
        except RayError:
            raise
        except Exception as error:
            raise RayTaskError(error) from error

    def wait(self, references: Any, *, num_returns: int, timeout: float) -> Any:
        done = wait(references, timeout, FIRST_COMPLETED).done
        return list(done)[:num_returns], []

    def cancel(self, reference: Future[Any], *, force: bool) -> None:
        task = self.lost.get(reference)
        if task is not None and not reference.done() and task.cancel():
            reference.set_exception(TaskCancelledError())

    def kill(self, actor: Any) -> None:
        actor.dead = True

    def lose(self, reference: Future[Any]) -> None:
        """The node of a task is gone: nobody hears of it again."""
        reference.set_exception(NodeDiedError("its node died"))


class _Task:
    def __init__(self, cluster: ThreadRay, function: Callable[..., Any]) -> None:
        self.cluster, self.function = cluster, function

    def options(self, **request: Any) -> _Task:
        self.cluster.requests.append(request)
        return self

    def remote(self, *given: Any) -> Future[Any]:
        """The result: apart from the thread's own, so that it can be lost."""
        found: Future[Any] = Future()
        resolved = [g.result() if isinstance(g, Future) else g for g in given]
        task = self.cluster.pool.submit(self.function, *resolved)
        self.cluster.lost[found] = task

        def pass_on(ended: Future[Any]) -> None:
            if found.done() or ended.cancelled():
                return
            if ended.exception() is not None:
                found.set_exception(ended.exception())
            else:
                found.set_result(ended.result())

        task.add_done_callback(pass_on)
        return found


class _Actor:
    def __init__(self, kind: type) -> None:
        self.kind, self.dead = kind, False

    def options(self, **_: Any) -> _Actor:
        return self

    def remote(self) -> _Actor:
        self.instance = self.kind()
        return self

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any) -> Future[Any]:
            done: Future[Any] = Future()
            if self.dead:
                done.set_exception(RayError("the actor is dead"))
            else:
                done.set_result(getattr(self.instance, name)(*given))
            return done

        return SimpleNamespace(remote=call)
