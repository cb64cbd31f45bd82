"""What the harness costs: training through it and a bare loop, sampling through an evaluation and
a bare call, over the same network and the same data.

    python tests/benchmarks/test_harness_speed.py [--device cuda] [--rounds 5] [--steps 400]
                                                  [--out FOLDER]

The bare loop hands the same batches to the same `fit` and does nothing else: no budget, no count of
FLOPs, no log. Both end in the same bits, which is what the tests here check; times are taken by the
command alone. The harness adds two things to a step, and each is measured where it is not lost in
the noise of the steps themselves:

    o   seconds a step of an empty loop through the harness, less those of an empty bare loop
    b   seconds of a bare step;   c   those of one whose FLOPs are counted, in alternate steps

FLOPs are counted over the first 64 steps of a phase, and where these models go on at the same cost
over 16 in each 4,096 after. A training of 10,000 steps counts the share p of them, which the ledger
itself is asked for, and its speed beside the bare loop is

    b / (b + o + p (c − b))

Samples are drawn by either in turn, in an order shuffled anew each round.

All are medians of CPU seconds in one process, which other work on the machine disturbs little; on
a GPU of seconds until all that was asked of it is done.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from rounds import in_turn
from tables import circumstances, write_tables
from torch import Tensor, nn

from benchbench.api import Assets, Budget
from benchbench.api.data import Dataset
from benchbench.api.model import Model
from benchbench.api.seeding import derive_seed, seeded_generator
from benchbench.api.training import Training
from benchbench.metrics.evaluation import SampleEvaluation, block_rows
from benchbench.metrics.flops import FlopCounter
from benchbench.registry import Registry, resolve
from benchbench.runner.ledger import BLOCK_EVERY, Ledger
from benchbench.runner.training import CellTraining, fit_model

CPU = torch.device("cpu")
MODELS = ("ldm", "vae", "gan")
TRAINING_STEPS = 10_000
"""Of the training whose speed is stated."""
SAMPLES = 10_000
SECONDS = 6.0
"""Of bare calls, at least: a call may take 30 ms, of which 3 % is less than what disturbs it."""


class BareTraining(Training):
    """Batches and generators, and no more. steps: of the whole training."""

    def __init__(self, dataset: Dataset, steps: int, seed: int, device: torch.device = CPU) -> None:
        self.data, self.device = dataset.info, device
        self._dataset, self._steps, self._seed = dataset, steps, seed
        self._train = dataset.to_model(dataset.train.raw.to(device))
        self._generators: dict[str, torch.Generator] = {}
        self._now, self._length, self._phases, self._overrun = 0, 1.0, 0, 0.0

    def batches(
        self,
        phase: str,
        *,
        share: float = 1.0,
        batch_size: int,
        source: Tensor | tuple[Tensor, ...] | None = None,
    ) -> Iterator[Any]:
        single = not isinstance(source, tuple)
        tensors: Any = (self._train if source is None else source,) if single else source
        n = len(tensors[0])
        seed = derive_seed(self._seed, "batches", self._phases)
        self._phases += 1
        self._length, self._now = share * self._steps - self._overrun, 0
        per_epoch = n // batch_size
        while self._now < self._length * (1 - 1e-9):
            epoch, place = divmod(self._now, per_epoch)
            if place == 0:
                order = torch.randperm(n, generator=seeded_generator("cpu", seed, epoch))
                order = order.to(self.device)
            rows = order[place * batch_size : (place + 1) * batch_size]
            picked = tuple(tensor[rows] for tensor in tensors)
            yield picked[0] if single else picked
            self._now += 1
        self._overrun = self._now - self._length
        self._now = 0

    def sweep(self, batch_size: int) -> Iterator[Tensor]:
        yield from self._train.split(batch_size)

    @property
    def validation(self) -> Tensor:
        return self._dataset.to_model(self._dataset.validation.raw.to(self.device))

    def generator(self, name: str) -> torch.Generator:
        if name not in self._generators:
            seed = derive_seed(self._seed, "train", name)
            self._generators[name] = torch.Generator(self.device).manual_seed(seed)
        return self._generators[name]

    def track(self, **objects: Any) -> None:
        """There is no checkpoint."""

    def log(self, **values: float | Tensor) -> None:
        """There is no log."""

    @property
    def step(self) -> int:
        return self._now

    @property
    def progress(self) -> float:
        return min(1.0, self._now / self._length)


def now(device: torch.device) -> float:
    """Seconds of CPU time; on a GPU of wall time, once it has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def loaded(name: str) -> Dataset:
    return Registry.load().load_dataset(name, Assets())


def built(name: str, dataset: Dataset) -> Model:
    entry = Registry.load().model(name)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(0, "init", name))
        found: Model = resolve(entry.spec.implementation, entry.owner)(
            entry.spec.config(), dataset.info
        )
    return found


def bare(name: str, dataset: Dataset, steps: int, device: torch.device = CPU) -> Model:
    """The model trained by the bare loop, in float32."""
    model = built(name, dataset).to(device)
    training = BareTraining(dataset, steps, 0, device)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(0, "train", "global"))
        model.train()
        model.fit(training)
    return model.eval()


def harnessed(name: str, dataset: Dataset, steps: int, device: torch.device = CPU) -> Model:
    """The model trained through the harness, in float32."""
    training = CellTraining(dataset, Budget.parse(f"{steps}step"), device=device, seed=0)
    model = built(name, dataset)
    training.attach(model)
    fit_model(model, training)
    return model


class AlternatingTraining(BareTraining):
    """A bare loop that counts the FLOPs of every second step; `seconds[phase][counted]`, a step."""

    def __init__(self, dataset: Dataset, steps: int, device: torch.device = CPU) -> None:
        super().__init__(dataset, steps, 0, device)
        self.seconds: dict[str, tuple[list[float], list[float]]] = {}

    def batches(self, phase: str, **options: Any) -> Iterator[Any]:
        found = self.seconds[phase] = ([], [])
        for batch in super().batches(phase, **options):
            counted = self.step % 2
            with FlopCounter() if counted else contextlib.nullcontext():
                began = now(self.device)
                yield batch
                found[counted].append(now(self.device) - began)


class Empty(nn.Module):
    """Asks for all that a step asks for, and does nothing with it."""

    def fit(self, training: Training) -> None:
        loss = torch.zeros(())
        for _ in training.batches("empty", batch_size=128):
            assert training.step >= 0 and training.progress <= 1
            training.log(loss=loss)


def loop_seconds(dataset: Dataset, steps: int, device: torch.device = CPU) -> tuple[float, float]:
    """Seconds a step of an empty loop: bare, and through the harness."""
    training = CellTraining(dataset, Budget.parse(f"{steps}step"), device=device, seed=0)
    began = now(device)
    Empty().fit(BareTraining(dataset, steps, 0, device))
    middle = now(device)
    with training.running():
        Empty().fit(training)
    return (middle - began) / steps, (now(device) - middle) / steps


def counted_share(shares: list[float]) -> float:
    """The part of a training's steps that the ledger counts, in phases of these shares of it and of
    steps that cost the same."""
    ledger = Ledger(Budget.parse(f"{TRAINING_STEPS}step"))
    counted = 0
    for index, share in enumerate(shares):
        phase = ledger.open(str(index), share)
        while not phase.spent("step"):
            counts = phase.counting()
            counted += counts
            phase.charge_step(1, 1 if counts else None)
    return counted / ledger.total.step


def training_speed(
    name: str, dataset: Dataset, steps: int, rounds: int, device: torch.device = CPU
) -> dict[str, float]:
    """o in microseconds, b and c in milliseconds, and the harness's speed beside the bare loop."""
    # The first warms up.
    loops = [loop_seconds(dataset, BLOCK_EVERY, device) for _ in range(rounds + 1)][1:]
    overheads = [through - bare_loop for bare_loop, through in loops]
    training = AlternatingTraining(dataset, steps, device)
    built(name, dataset).to(device).train().fit(training)
    o = statistics.median(overheads)
    total = sum(len(times) for phase in training.seconds.values() for times in phase)
    plain, counted = (
        sum(
            statistics.median(phase[which][2:] or phase[which]) * sum(map(len, phase)) / total
            for phase in training.seconds.values()
        )
        for which in (0, 1)
    )
    p = counted_share([sum(map(len, phase)) / total for phase in training.seconds.values()])
    return {
        "overhead_us": 1e6 * o,
        "bare_ms": 1e3 * plain,
        "counted_ms": 1e3 * counted,
        "counted_share": p,
        "speed": plain / (plain + o + p * (counted - plain)),
    }


def sampling_speed(
    name: str,
    dataset: Dataset,
    n: int,
    rounds: int,
    device: torch.device = CPU,
    seconds: float = 0.0,
) -> dict[str, float]:
    """Seconds of n samples by a bare call, by bare calls for as many as an evaluation asks for at
    once, and through an evaluation; and its speed, 1 being that of either.

    rounds: the fewest; there are as many as make `seconds` of bare calls.
    """
    registry = Registry.load()
    model = built(name, dataset).to(device).eval()
    spec = registry.dataset(dataset.info.name).spec

    def by_evaluation() -> Tensor:
        return SampleEvaluation(dataset, spec, model=model, seed=0, device=device).samples(n)

    @torch.no_grad()
    def by_call() -> Tensor:
        return model.sample(n, generator=torch.Generator(device).manual_seed(0))

    @torch.no_grad()
    def by_blocks() -> Tensor:
        size = block_rows(dataset.info.dim, device.type)
        generator = torch.Generator(device).manual_seed(0)
        sizes = [min(size, n - start) for start in range(0, n, size)]
        return torch.cat([model.sample(m, generator=generator) for m in sizes])

    calls: dict[str, Callable[[], Tensor]] = {
        "bare": by_call,
        "blocks": by_blocks,
        "evaluation": by_evaluation,
    }
    median, taken = in_turn(calls, lambda: now(device), rounds=rounds, seconds=seconds)
    return {f"{how}_s": t for how, t in median.items()} | {
        "rounds": float(taken),
        "speed": median["bare"] / median["evaluation"],
        "speed_by_blocks": median["blocks"] / median["evaluation"],
    }


@pytest.fixture(scope="module")
def grid25() -> Dataset:
    return loaded("grid25")


@pytest.mark.parametrize("name", MODELS)
def test_bare_loop_and_harness_end_in_the_same_bits(name: str, grid25: Dataset) -> None:
    """So the two really train the same network on the same batches."""
    expected = bare(name, grid25, 70).state_dict()
    found = harnessed(name, grid25, 70).state_dict()
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_counted_share() -> None:
    """10,000 steps in one phase: 64, 16 and 16; in two, of which one has a second block: 144."""
    assert counted_share([1.0]) == 96 / 10_000
    assert counted_share([0.4, 0.6]) == 144 / 10_000


def test_training_speed(benchmark: Any, grid25: Dataset) -> None:
    found = benchmark.pedantic(training_speed, ("vae", grid25, 40, 1), rounds=1)
    assert found["speed"] > 0  # a figure came out; how large it is, is for the command to tell


def test_sampling_speed(benchmark: Any, grid25: Dataset) -> None:
    found = benchmark.pedantic(sampling_speed, ("vae", grid25, 2_000, 1), rounds=1)
    assert found["speed"] > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", type=torch.device, default=CPU, help="cpu or cuda")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400, help="timed of each model")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"), help="folder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    gpu = given.device.type == "cuda"
    name = "gpu-harness" if gpu else "harness"
    card = f"{torch.cuda.get_device_name(given.device)} with " if gpu else ""
    rows: list[dict[str, Any]] = []
    for data in ("grid25", "stacked-digits"):
        dataset = loaded(data)
        for model in MODELS:
            trained = training_speed(model, dataset, given.steps, given.rounds, given.device)
            sampled = sampling_speed(model, dataset, SAMPLES, given.rounds, given.device, SECONDS)
            figures = {f"training_{k}": v for k, v in trained.items()}
            figures |= {f"sampling_{k}": v for k, v in sampled.items()}
            rows.append(
                {"dataset": data, "model": model} | {k: f"{v:.4g}" for k, v in figures.items()}
            )
            print(rows[-1], flush=True)
    write_tables(
        rows,
        tuple(rows[0]),
        given.out / name,
        title="What the harness costs" + (" on a GPU" if gpu else ""),
        notes=[
            f"Made by `python tests/benchmarks/test_harness_speed.py{' --device cuda' * gpu}`; "
            f"{card}{circumstances()}, float32, torch {torch.__version__}, one thread, medians of "
            f"{given.rounds} rounds (of sampling, `rounds`). `speed`: of training or sampling "
            "through the harness, 1 being that of the bare loop or call (`by_blocks`: of bare "
            "calls for as many as an evaluation draws at once); how it is taken stands at the top "
            "of the script. "
            f"{TRAINING_STEPS:,} steps, {SAMPLES:,} samples.",
        ],
    )
    print(f"wrote {given.out}/{name}.md and {name}.csv")


if __name__ == "__main__":
    main()
