"""The Ray executor: each cell a Ray task with its CPUs, GPUs and memory (`ray_node` is their side).

Ray decides where and when a task runs. A cell whose node was lost is placed once more; it goes on
from the last checkpoint that the result folder has. Where nodes share the result folder, they work
in it; otherwise cells travel as parcels, and this process alone writes to it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchbench.api import UsageError
from benchbench.api.errors import describe
from benchbench.registry import Registry
from benchbench.runner.executor import OnEnd, OnEvent, Outcome, fail, require
from benchbench.runner.local import CLOSE_SECONDS, GRACE_SECONDS, WORKER
from benchbench.runner.parcels import Parcel, pack, unpack
from benchbench.runner.plan import Cell, Plan
from benchbench.runner.ray_freight import Store
from benchbench.runner.ray_node import (
    UNSEEN,
    Desk,
    Ended,
    Freight,
    Job,
    code_digest,
    run_job,
)
from benchbench.store.folder import ResultFolder

__all__ = ["RayExecutor", "RayPlacement"]

WINDOW = 512
"""Tasks that Ray is given at once, where `--jobs` says nothing: enough for an autoscaler to see."""
RETRIES = 10
"""How often a cell is placed again after its node was lost."""
POLL_SECONDS = 0.5
OWN = "local"
"""Ray's address for a cluster on this machine that ends with this process."""


@dataclass(frozen=True)
class RayPlacement:
    """`--executor ray`.

    address: of a cluster; None: what $RAY_ADDRESS says, or one that lasts for this run.
    gpus: of a cell, fractions allowed; None: one where the plan's device is a GPU.
    memory: bytes that a cell reserves, or None. files: `shared` (nodes see the result folder),
    `stream` (they do not), or `auto`: the first cell on each node looks.
    """

    address: str | None = None
    gpus: float | None = None
    memory: int | None = None
    files: str = "auto"

    def __post_init__(self) -> None:
        require("ray", "ray")

    def busy(self, folder: ResultFolder) -> frozenset[str]:
        """Nothing: tasks end with the driver."""
        return frozenset()

    def executor(
        self,
        plan: Plan,
        folder: ResultFolder,
        *,
        jobs: int | None,
        timeout: float | None,
        on_event: OnEvent,
        on_end: OnEnd,
    ) -> RayExecutor:
        """The executor, which connects to the cluster when it runs."""
        return RayExecutor(
            self, plan, folder, jobs=jobs, timeout=timeout, on_event=on_event, on_end=on_end
        )


@dataclass
class _Placed:
    """A cell that Ray has. began: it has started; had: the names of files that its node has."""

    cell: Cell
    attempt: int
    had: frozenset[str] = frozenset()
    began: bool = False
    files: Any = None


@dataclass
class _State:
    """What one `run` has in hand."""

    waiting: deque[tuple[Cell, int]]
    placed: dict[Any, _Placed] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)


class RayExecutor:
    """Runs cells as tasks of a Ray cluster; arguments as in `Placement.executor`.

    command: of a worker, before its arguments.
    """

    def __init__(
        self,
        placement: RayPlacement,
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
        self.window, self.timeout = jobs or WINDOW, timeout
        self.on_event, self.on_end, self.command = on_event, on_end, tuple(command)
        self._streams = placement.files == "stream"
        self._stopping, self._stop_at, self._kill_at = 0, 0.0, 0.0
        self._address = placement.address or os.environ.get("RAY_ADDRESS") or OWN
        self._store: Store | None = None
        self._token = f".ray-{uuid.uuid4().hex}"

    def run(self, cells: Iterable[Cell]) -> list[Outcome]:
        """Run the cells, as `Executor.run` says."""
        state = _State(deque((cell, 1) for cell in cells))
        if not state.waiting:
            return []
        with self._connected(), self._listening(), self._visible():
            self._begin()
            try:
                while state.placed or (state.waiting and not self._stopping):
                    while state.waiting and len(state.placed) < self.window and not self._stopping:
                        self._place(state, *state.waiting.popleft())
                    self._turn(state)
            finally:
                for reference in state.placed:
                    self._cancel(reference, force=True)
                self._ray.kill(self._desk)
        left = [Outcome(cell, "interrupted", "not begun") for cell, _ in state.waiting]
        return state.outcomes + left

    # --- the cluster ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        import ray

        self._ray = ray
        if ray.is_initialized():
            yield
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        own: dict[str, Any] = {}
        if self._address == OWN:
            own = {"include_dashboard": False}
            os.environ.setdefault("RAY_worker_niceness", "0")  # as local cells have it
        try:
            ray.init(self._address, log_to_driver=False, logging_level=logging.ERROR, **own)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(
                f"no Ray cluster at {self._address!r}: {describe(error)}; give --ray-address "
                "HOST:PORT of `ray start --head`, or leave it out"
            ) from None
        try:
            yield
        finally:
            ray.shutdown()

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, *_: Any) -> None:
        self._stopping += 1
        self._stop_at = self._stop_at or time.monotonic()

    @contextlib.contextmanager
    def _visible(self) -> Iterator[None]:
        """A file in the folder, by which a node sees that it is the same folder."""
        token = self.folder.path / self._token
        token.touch()
        try:
            yield
        finally:
            token.unlink(missing_ok=True)

    def _begin(self) -> None:
        """Start the desk beside this process, and make the task."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = self._ray.get_runtime_context().get_node_id()
        beside = NodeAffinitySchedulingStrategy(here, soft=True)
        desk = self._ray.remote(Desk).options(
            num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=beside
        )
        self._desk: Any = desk.remote()
        self._task = self._ray.remote(run_job)
        self._check_room()

    def _request(self, cell: Cell) -> dict[str, Any]:
        """What a cell asks of a node, in Ray's names."""
        gpus = self.placement.gpus
        if gpus is None:
            gpus = 1.0 if cell.device.startswith("cuda") else 0.0
        request: dict[str, Any] = {"num_cpus": cell.threads, "num_gpus": gpus}
        if self.placement.memory is not None:
            request["memory"] = self.placement.memory
        return request

    def _check_room(self) -> None:
        """Refuse cells that no node of a cluster of our own could ever take."""
        if self._address != OWN:
            return  # it may grow
        request = self._request(self.plan.cells[0])
        names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        wanted = {names[key]: amount for key, amount in request.items() if amount}
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(all(n.get(k, 0) >= v for k, v in wanted.items()) for n in nodes):
            have = "; ".join(
                ", ".join(f"{node.get(name, 0):g} {name}" for name in wanted) for node in nodes
            )
            asked = ", ".join(f"{amount:g} {name}" for name, amount in wanted.items())
            raise UsageError(f"a cell asks for {asked}, and this machine has {have}; ask for less")

    # --- cells ---------------------------------------------------------------------------------

    def _place(self, state: _State, cell: Cell, attempt: int) -> None:
        plan = self.plan.only(cell)
        placed, out = _Placed(cell, attempt), None
        freight: tuple[Freight, ...] = ()
        if self._streams:
            parcel = pack(self.folder.cell(cell.folder))
            placed.had = parcel.names
            placed.files = self._ray.put(parcel) if parcel.files else None
            freight = self._freight().of(plan)
        else:
            out = self.folder.path.absolute()
            plan = _absolute(plan)
        job = Job(
            plan,
            out,
            self._token,
            self.timeout,
            attempt,
            code_digest(),
            freight,
            self.command,
        )
        task = self._task.options(
            max_retries=0, name=cell.title, scheduling_strategy="DEFAULT", **self._request(cell)
        )
        state.placed[task.remote(job, placed.files, self._desk)] = placed

    def _freight(self) -> Store:
        if self._store is None:
            self._store = Store(Registry.load(self.plan.plugins), self._ray.put)
        return self._store

    def _turn(self, state: _State) -> None:
        """Wait for something to happen, and heed it."""
        ready, _ = self._ray.wait(list(state.placed), num_returns=1, timeout=POLL_SECONDS)
        self._hear(state)
        for reference in ready:
            self._finish(state, reference)
        self._check_stop(state)

    def _hear(self, state: _State) -> None:
        """Pass on what tasks have told since the last time."""
        level = self._level()
        known: dict[str, Any] = {placed.cell.key: placed for placed in state.placed.values()}
        for told in self._ray.get(self._desk.take.remote(level)):
            placed = known.get(told.key)
            if placed is None or told.attempt != placed.attempt:
                continue  # of a task that was given up
            if told.event is not None:
                placed.began = True
                self.on_event(placed.cell, told.event)
            if told.parcel is not None:
                self._unpack(placed, told.parcel)

    def _unpack(self, placed: _Placed, parcel: Parcel) -> None:
        unpack(parcel, self.folder.cell(placed.cell.folder), placed.had)
        placed.had = parcel.names

    def _finish(self, state: _State, reference: Any) -> None:
        errors = self._ray.exceptions
        placed = state.placed.pop(reference)
        try:
            ended: Ended = self._ray.get(reference)
        except errors.TaskCancelledError:
            self._interrupted(state, placed)
        except errors.RayTaskError as error:
            reason = f"its task failed: {describe(error.cause or error)}"
            self._end(state, fail(self.folder, placed.cell, "error", reason))
        except errors.RayError as error:
            self._lost(state, placed, type(error).__name__)
        else:
            self._ended(state, placed, ended)

    def _ended(self, state: _State, placed: _Placed, ended: Ended) -> None:
        if ended.status == UNSEEN:
            if self.placement.files == "shared":
                reason = f"its node does not see {str(self.folder.path.absolute())!r}"
                self._end(state, fail(self.folder, placed.cell, "error", reason))
            else:
                self._streams = True
                state.waiting.appendleft((placed.cell, placed.attempt + 1))
            return
        if ended.parcel.names:
            self._unpack(placed, ended.parcel)
        self._end(state, Outcome(placed.cell, ended.status, ended.reason))

    def _lost(self, state: _State, placed: _Placed, why: str) -> None:
        """A node is gone, with whatever ran on it."""
        if self._stopping:
            self._interrupted(state, placed)
        elif placed.attempt > RETRIES:
            reason = f"its node was lost {placed.attempt} times, at last by {why}"
            self._end(state, fail(self.folder, placed.cell, "error", reason))
        else:
            if placed.began:
                self.on_event(placed.cell, {"event": "lost", "reason": why})
            state.waiting.appendleft((placed.cell, placed.attempt + 1))

    def _interrupted(self, state: _State, placed: _Placed) -> None:
        if placed.began:
            self._end(state, Outcome(placed.cell, "interrupted", "stopped by the user"))
        else:
            state.outcomes.append(Outcome(placed.cell, "interrupted", "not begun"))

    def _end(self, state: _State, outcome: Outcome) -> None:
        state.outcomes.append(outcome)
        self.on_end(outcome)

    # --- stopping ------------------------------------------------------------------------------

    def _level(self) -> int:
        """What tasks are asked: 1 to write a checkpoint and end, 2 to be killed."""
        over = self._stopping and time.monotonic() - self._stop_at > GRACE_SECONDS
        return 2 if over or self._stopping > 1 else self._stopping

    def _check_stop(self, state: _State) -> None:
        if not self._stopping:
            return
        self._kill_at = self._kill_at or (time.monotonic() if self._level() > 1 else 0.0)
        silent = self._kill_at and time.monotonic() - self._kill_at > CLOSE_SECONDS
        for reference, placed in state.placed.items():
            if silent or not placed.began:
                self._cancel(reference, force=bool(silent))

    def _cancel(self, reference: Any, *, force: bool) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.cancel(reference, force=force)


def _absolute(plan: Plan) -> Plan:
    """The plan with plugin files as another working folder finds them."""
    return replace(plan, plugins=tuple(str(Path(path).absolute()) for path in plan.plugins))
