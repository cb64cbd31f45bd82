"""The harness's side of `fit`: batches that end when a share of the budget is spent.

Inside a phase each step is charged when the next batch is asked for. Code between phases is
charged to the phase that follows, with every FLOP counted. The clock stops while the harness
itself works: progress, checkpoints, evaluation.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchbench.api.budget import Budget
from benchbench.api.data import Dataset
from benchbench.api.errors import Diverged, PluginError
from benchbench.api.model import Model
from benchbench.api.seeding import derive_seed
from benchbench.api.training import Training
from benchbench.metrics.flops import FlopCounter
from benchbench.runner.ledger import Ledger, Phase, Spend
from benchbench.runner.pool import BatchPool
from benchbench.runner.warmup import warm_up

__all__ = ["CellTraining", "Interrupted", "fit_model"]

LOG_EVERY = 64
"""Steps between two readings of the logged values; a reading waits for the device."""


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop; the state up to here is in the checkpoint."""


class CellTraining(Training):
    """The training of one cell.

    dataset: a loaded data set; seed: of the cell. Training order depends on seed alone, so every
    model of a seed sees the same batches for the same batch size.
    on_log: called with a JSON-ready dict at each reading of the log.
    on_step: called between steps, off the clock; raises `Interrupted` to stop.
    """

    def __init__(
        self,
        dataset: Dataset,
        budget: Budget,
        *,
        device: torch.device,
        seed: int,
        on_log: Callable[[dict[str, Any]], None] | None = None,
        on_step: Callable[[], None] | None = None,
    ) -> None:
        self.data = dataset.info
        self.device = device
        self.ledger = Ledger(budget)
        self.tracked: dict[str, Any] = {}
        self._dataset = dataset
        self._train = dataset.train.raw.to(device)
        self._seed = seed
        self._on_log, self._on_step = on_log, on_step
        self._generators: dict[str, torch.Generator] = {}
        self._phase: Phase | None = None
        self._values: dict[str, float | Tensor] = {}
        self._between: FlopCounter | None = None
        self._mark = time.perf_counter()
        self._built_in_fit = False
        self._restored: dict[str, Any] | None = None
        self._ends: dict[str, dict[str, Tensor]] = {}

    # --- what a plugin calls -------------------------------------------------------------------

    def batches(
        self,
        phase: str,
        *,
        share: float = 1.0,
        batch_size: int,
        source: Tensor | tuple[Tensor, ...] | None = None,
    ) -> Iterator[Any]:
        record = self.ledger.open(phase, share)
        if record.closed:
            self._set_generators(self._ends[phase])
            self._stop_between()  # code before a finished phase was charged the first time
            self._start_between()
            return
        if self._phase is not None:
            raise PluginError(f"phase {phase!r} begins inside phase {self._phase.name!r}")
        before = self._stop_between()
        if record.before is None:
            record.before = replace(before)
            record.spend.add(before)
        pool = BatchPool(
            self._train if source is None else source,
            self._dataset.to_model if source is None else None,
            batch_size,
            derive_seed(self._seed, "batches", self.ledger.phases.index(record)),
            self.device,
        )
        if self._restored is not None:
            self._set_generators(self._restored["generators"])
            self._restored = None
        self._phase = record
        try:
            yield from self._steps(record, pool)
        finally:
            self._phase = None
            record.closed = True
            self._ends[phase] = self._generator_states()
            self._start_between()

    def sweep(self, batch_size: int) -> Iterator[Tensor]:
        for rows in self._train.split(batch_size):
            yield self._dataset.to_model(rows)

    @property
    def validation(self) -> Tensor:
        return self._dataset.to_model(self._dataset.validation.raw.to(self.device))

    def generator(self, name: str) -> torch.Generator:
        if name not in self._generators:
            self._generators[name] = torch.Generator(self.device).manual_seed(self.derive(name))
        return self._generators[name]

    def track(self, **objects: Any) -> None:
        for name, value in objects.items():
            self.tracked[name] = value
            if self._restored is not None and name in self._restored["tracked"]:
                value.load_state_dict(self._restored["tracked"][name])

    def log(self, **values: float | Tensor) -> None:
        self._values = {
            name: v.detach() if isinstance(v, Tensor) else v for name, v in values.items()
        }

    @property
    def step(self) -> int:
        return self._phase.spend.step if self._phase else 0

    @property
    def progress(self) -> float:
        return self._phase.fraction(self.ledger.budget.unit) if self._phase else 0.0

    def derive(self, name: str) -> int:
        """The seed that this training gives to a role of this name."""
        return derive_seed(self._seed, "train", name)

    # --- what the harness calls ----------------------------------------------------------------

    @property
    def spend(self) -> dict[str, Spend]:
        """What each phase has spent."""
        return {phase.name: phase.spend for phase in self.ledger.phases}

    def attach(self, model: Model) -> None:
        """Name the model whose state belongs to the checkpoint; moves it to the device."""
        self.tracked["model"] = model.to(self.device)
        self._built_in_fit = model.built_in_fit

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Charge everything inside, whatever `fit` does it in."""
        self._start_between()
        try:
            yield
        finally:
            self.ledger.after.add(self._stop_between())

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock: the harness works."""
        self._synchronise()
        began = time.perf_counter()
        try:
            yield
        finally:
            self._synchronise()
            self._mark += time.perf_counter() - began

    def state(self) -> dict[str, Any]:
        """Everything a resumed training needs: tensors and JSON-ready values in nested dicts."""
        return {
            "ledger": self.ledger.to_json(),
            "tracked": {name: value.state_dict() for name, value in self.tracked.items()},
            "generators": self._generator_states(),
            "ends": self._ends,
        }

    @property
    def resumable(self) -> bool:
        """Whether `state` holds all that the training needs to go on.

        A model that `fit` itself builds is out of reach unless the plugin tracks its modules.
        """
        return not self._built_in_fit or len(self.tracked) > 1

    def replay(self) -> None:
        """Let `fit` run again over finished phases: each yields nothing and costs nothing."""
        for phase in self.ledger.phases:
            self._ends[phase.name] = {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over `state()` of an interrupted training; call before `fit`, after `attach`."""
        self.ledger.restore(state["ledger"])
        self._ends = state["ends"]
        self._restored = state
        if not self._built_in_fit:
            self.tracked["model"].load_state_dict(state["tracked"]["model"])

    # --- inside --------------------------------------------------------------------------------

    def _steps(self, record: Phase, pool: BatchPool) -> Iterator[Any]:
        unit = self.ledger.budget.unit
        self._mark = time.perf_counter()
        while not record.spent(unit):
            batch = pool.batch(record.spend.step)
            counter = FlopCounter() if record.counting() else None
            try:
                with counter or contextlib.nullcontext():
                    yield batch
            finally:  # a `break` in the plugin's loop closes this generator: its step counts too
                self._charge(record, pool.batch_size, counter.total if counter else None)
            if record.spend.step % LOG_EVERY == 0:
                self._read_log(record)
            if self._on_step is not None:
                self._on_step()
        self._read_log(record)

    def _charge(self, record: Phase, images: int, flop: int | None) -> None:
        if record.spend.step % 16 == 0:
            self._synchronise()
        now = time.perf_counter()
        record.spend.s += now - self._mark
        self._mark = now
        record.charge_step(images, flop)

    def _read_log(self, record: Phase) -> None:
        with self.paused():
            values = {name: float(value) for name, value in self._values.items()}
            bad = [name for name, value in values.items() if not math.isfinite(value)]
            if bad:
                raise Diverged(
                    f"{bad[0]} is {values[bad[0]]} in phase {record.name!r} at step "
                    f"{record.spend.step}"
                )
            if self._on_log is not None:
                total = self.ledger.total
                self._on_log(
                    {
                        "phase": record.name,
                        "step": record.spend.step,
                        "fraction": self.ledger.fraction,
                        "seconds": total.s,
                        "flop": total.flop,
                        "values": values,
                    }
                )

    def _start_between(self) -> None:
        if self._between is not None:
            return
        self._between = FlopCounter()
        self._between.__enter__()
        self._mark = time.perf_counter()

    def _stop_between(self) -> Spend:
        if self._between is None:
            return Spend()
        self._synchronise()
        self._between.__exit__(None, None, None)
        spend = Spend(s=time.perf_counter() - self._mark, flop=float(self._between.total))
        self._between = None
        return spend

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _generator_states(self) -> dict[str, Tensor]:
        states = {name: g.get_state() for name, g in self._generators.items()}
        states["\x00global"] = torch.get_rng_state()
        if self.device.type == "cuda":
            states["\x00cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def _set_generators(self, states: dict[str, Tensor]) -> None:
        for name, value in states.items():
            if name == "\x00global":
                torch.set_rng_state(value)
            elif name == "\x00cuda":
                torch.cuda.set_rng_state(value, self.device)
            else:
                self.generator(name).set_state(value)


def fit_model(model: Model, training: CellTraining, *, precision: str = "float32") -> None:
    """Run `model.fit` with everything in it charged, under a seeded global generator.

    precision: `bfloat16` trains under autocast on CUDA; `float32` elsewhere.
    The caller's global random state is untouched. What a process does once is not charged where
    it would count: on a GPU, and to a budget in seconds.
    """
    if training.device.type == "cuda" or training.ledger.budget.unit == "s":
        warm_up(training.device, precision)
    seed = training.derive("global")
    autocast = torch.autocast(
        training.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"
    )
    devices = [training.device] if training.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        model.train()
        with autocast, training.running():
            model.fit(training)
        model.eval()
