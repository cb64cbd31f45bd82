"""What the harness costs: training through it and a bare loop, sampling through an evaluation and
a bare call, over the same network and the same data.

    python tests/benchmarks/test_harness_speed.py [--rounds 5] [--steps 512]

The bare loop hands the same batches to the same `fit` and does nothing else: no budget, no count of
FLOPs, no log. Both end in the same bits, which is what the tests here check; times are measured
by the command alone. In each round the two run in turn; figures are medians of CPU seconds, which
other work on the machine disturbs little.

FLOPs are counted over the first 64 steps of a phase and 64 in each 4,096 after, so a training of N
steps in m phases has the share p = 1/64 + 64 m/N of counted steps, and

    speed = b / ((1 − p) u + p c)

of the bare loop, with b, u and c the seconds of a bare, an uncounted and a counted step.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from benchbench.api import Assets, Budget
from benchbench.api.data import Dataset
from benchbench.api.model import Model
from benchbench.api.seeding import derive_seed, seeded_generator
from benchbench.api.training import Training
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.registry import Registry, resolve
from benchbench.runner.training import CellTraining, fit_model

CPU = torch.device("cpu")
MODELS = ("ldm", "vae", "gan")
COUNTED, PERIOD = 64, 4096
"""Steps of a counted block, and from the start of one to that of the next."""
TRAINING_STEPS = 10_000
"""Of the training whose speed is stated."""


class BareTraining(Training):
    """Batches and generators, and no more. steps: of the whole training."""

    def __init__(self, dataset: Dataset, steps: int, seed: int) -> None:
        self.data, self.device = dataset.info, CPU
        self._dataset, self._steps, self._seed = dataset, steps, seed
        self._train = dataset.to_model(dataset.train.raw)
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
        return self._dataset.to_model(self._dataset.validation.raw)

    def generator(self, name: str) -> torch.Generator:
        if name not in self._generators:
            seed = derive_seed(self._seed, "train", name)
            self._generators[name] = torch.Generator().manual_seed(seed)
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


def built(name: str, dataset: Dataset) -> Model:
    entry = Registry.load().model(name)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(0, "init", name))
        found: Model = resolve(entry.spec.implementation, entry.owner)(
            entry.spec.config(), dataset.info
        )
    return found


def bare(name: str, dataset: Dataset, steps: int) -> tuple[Model, float]:
    """The trained model and its CPU seconds."""
    model, training = built(name, dataset), BareTraining(dataset, steps, seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(0, "train", "global"))
        model.train()
        began = time.process_time()
        model.fit(training)
        used = time.process_time() - began
    return model.eval(), used


def harnessed(name: str, dataset: Dataset, steps: int) -> tuple[Model, float, float]:
    """The trained model, and the CPU seconds of its counted steps and of the others."""
    spent = {True: 0.0, False: 0.0}
    mark = [time.process_time()]

    def after_step() -> None:
        counted = (training.step - 1) % PERIOD < COUNTED
        now = time.process_time()
        spent[counted] += now - mark[0]
        mark[0] = now

    training = CellTraining(
        dataset, Budget.parse(f"{steps}step"), device=CPU, seed=0, on_step=after_step
    )
    model = built(name, dataset)
    training.attach(model)
    mark[0] = time.process_time()
    fit_model(model, training)
    return model, spent[True], spent[False]


def training_speed(name: str, dataset: Dataset, steps: int, rounds: int) -> dict[str, float]:
    """Milliseconds of a bare, an uncounted and a counted step, and the harness's relative speed."""
    b, u, c = [], [], []
    for _ in range(rounds):
        _, plain = bare(name, dataset, steps)
        training = harnessed(name, dataset, steps)
        phases = 2 if name == "ldm" else 1
        b.append(plain / steps)
        c.append(training[1] / (phases * COUNTED))
        u.append(training[2] / (steps - phases * COUNTED))
    median = {k: statistics.median(v) for k, v in {"bare": b, "uncounted": u, "counted": c}.items()}
    p = COUNTED / PERIOD + COUNTED * phases / TRAINING_STEPS
    speed = median["bare"] / ((1 - p) * median["uncounted"] + p * median["counted"])
    return {**{f"{k}_ms": 1e3 * v for k, v in median.items()}, "speed": speed}


def sampling_speed(name: str, dataset: Dataset, n: int, rounds: int) -> dict[str, float]:
    """CPU seconds of n samples by a bare call and through an evaluation, and their ratio."""
    registry = Registry.load()
    model, spec = built(name, dataset).eval(), registry.dataset(dataset.info.name).spec
    times: dict[str, list[float]] = {"bare": [], "evaluation": []}

    def by_evaluation() -> Tensor:
        return SampleEvaluation(dataset, spec, model=model, seed=0).samples(n)

    def by_call() -> Tensor:
        return model.sample(n, generator=torch.Generator().manual_seed(0))

    calls: dict[str, Callable[[], Tensor]] = {"bare": by_call, "evaluation": by_evaluation}
    for _ in range(rounds):
        for how, call in calls.items():
            began = time.process_time()
            call()
            times[how].append(time.process_time() - began)
    median = {how: statistics.median(t) for how, t in times.items()}
    return {f"{how}_s": t for how, t in median.items()} | {
        "speed": median["bare"] / median["evaluation"]
    }


@pytest.fixture(scope="module")
def grid25() -> Dataset:
    return Registry.load().load_dataset("grid25", Assets())


@pytest.mark.parametrize("name", MODELS)
def test_bare_loop_and_harness_end_in_the_same_bits(name: str, grid25: Dataset) -> None:
    """So the two really train the same network on the same batches."""
    plain, _ = bare(name, grid25, 70)
    through, *_ = harnessed(name, grid25, 70)
    expected, found = plain.state_dict(), through.state_dict()
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_training_speed(benchmark: Any, grid25: Dataset) -> None:
    found = benchmark.pedantic(training_speed, ("vae", grid25, 100, 1), rounds=1)
    assert found["speed"] > 0  # a figure came out; how large it is, is for the command to tell


def test_sampling_speed(benchmark: Any, grid25: Dataset) -> None:
    found = benchmark.pedantic(sampling_speed, ("vae", grid25, 2_000, 1), rounds=1)
    assert found["speed"] > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=512)
    given = parser.parse_args()
    torch.set_num_threads(1)
    dataset = Registry.load().load_dataset("grid25", Assets())
    for name in MODELS:
        print(name, "training", training_speed(name, dataset, given.steps, given.rounds))
        print(name, "sampling", sampling_speed(name, dataset, 10_000, given.rounds), flush=True)


if __name__ == "__main__":
    main()
