"""The parts of the fast harness, each beside what a training loop has without it.

    python tests/benchmarks/test_parts_speed.py [--rounds 7] [--out FOLDER]

    batches      rows of a tensor that stays in memory, and torch's DataLoader on the same tensor
    optimiser    fused AdamW on the parameters of the ldm, and AdamW as torch makes it on the CPU
    average      `EMA.update` in one foreach call, and a loop over the parameters
    sampling     as many samples at once as an evaluation asks for, and a hundred at once
    threads      two trainings of one thread each at once, and twice the time of one on two threads

Both of a pair do the same work, which is what the tests here check; times are taken by the command
alone: medians, in one process and in turns, of CPU seconds; of `threads` of wall time, in processes
of their own, which needs two idle cores.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rounds import in_turn
from tables import circumstances, write_tables
from test_harness_speed import CPU, MODELS, bare, built, loaded
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchbench.api.data import Dataset
from benchbench.metrics.evaluation import block_rows
from benchbench.nn import EMA
from benchbench.runner.pool import BatchPool

DATASETS = ("grid25", "stacked-digits")
BATCH = 256
FEW = 100
"""Samples at once, of the slower way."""
SECONDS = 3.0
"""Of our calls, at least: some take a millisecond."""
STEPS, TURNS = 400, 3
"""Of each of two trainings, and how often they are timed."""

Pair = tuple[Callable[[], Any], Callable[[], Any]]


def batches(dataset: Dataset) -> Pair:
    """An epoch of training data; each call returns how many rows it handed out."""
    x = dataset.to_model(dataset.train.raw)
    pool = BatchPool(x, None, BATCH, 0, CPU)
    loader = DataLoader(
        TensorDataset(x),
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        generator=torch.Generator().manual_seed(0),
    )

    def ours() -> int:
        return sum(len(pool.batch(step)) for step in range(len(x) // BATCH))

    def plain() -> int:
        return sum(len(batch) for (batch,) in loader)

    return ours, plain


def optimiser(dataset: Dataset) -> Pair:
    """A step, gradients as they are; each call returns the parameters."""

    def stepping(**options: Any) -> Callable[[], list[Tensor]]:
        net = built("ldm", dataset)
        parameters = list(net.parameters())
        generator = torch.Generator().manual_seed(0)
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        steps = torch.optim.AdamW(parameters, lr=1e-3, **options)

        def step() -> list[Tensor]:
            steps.step()
            return parameters

        return step

    return stepping(fused=True), stepping()


def average(dataset: Dataset) -> Pair:
    """An update of the average; each call returns its parameters, which are listed beforehand."""
    net = built("ldm", dataset)
    mean = EMA(net, 0.999)
    theirs: nn.Module = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
    updates = itertools.count()
    averages, their_averages = list(mean.module.parameters()), list(theirs.parameters())

    def ours() -> list[Tensor]:
        mean.update(net)
        return averages

    @torch.no_grad()
    def plain() -> list[Tensor]:
        step = next(updates)
        weight = 1 - min(0.999, (1 + step) / (10 + step))
        for mine, new in zip(theirs.parameters(), net.parameters(), strict=True):
            mine.lerp_(new, weight)
        return their_averages

    return ours, plain


def sampling(name: str, dataset: Dataset) -> Pair:
    """As many samples as an evaluation asks for at once; each call returns them."""
    model = built(name, dataset).eval()
    size = block_rows(dataset.info.dim)

    def drawing(at_once: int) -> Callable[[], Tensor]:
        @torch.no_grad()
        def draw() -> Tensor:
            generator = torch.Generator().manual_seed(0)
            calls = range(0, size, at_once)
            return torch.cat([model.sample(at_once, generator=generator) for _ in calls])

        return draw

    return drawing(size), drawing(FEW)


def train(name: str, data: str, steps: int, threads: int, gate: Any) -> tuple[float, float]:
    """Train in this process from when the gate opens: when that began and ended, in wall time."""
    torch.set_num_threads(threads)
    dataset = loaded(data)
    bare(name, dataset, 3)  # warms up
    gate.wait()
    began = time.monotonic()
    bare(name, dataset, steps)
    return began, time.monotonic()


def two_trainings(name: str, data: str, steps: int) -> tuple[float, float]:
    """Seconds of two trainings at once, a thread each, and twice those of one on two threads."""
    spawned = multiprocessing.get_context("spawn")
    with spawned.Manager() as manager, spawned.Pool(2) as pool:
        gate = manager.Barrier(2)
        jobs = [pool.apply_async(train, (name, data, steps, 1, gate)) for _ in range(2)]
        spans = [job.get() for job in jobs]
        at_once = max(end for _, end in spans) - min(begin for begin, _ in spans)
        gate = manager.Barrier(1)
        began, ended = pool.apply(train, (name, data, steps, 2, gate))
    return at_once, 2 * (ended - began)


def pairs(data: str) -> dict[tuple[str, str], Pair]:
    """By part and by what it works on."""
    dataset = loaded(data)
    found = {
        ("batches", f"of {BATCH}"): batches(dataset),
        ("optimiser", "ldm"): optimiser(dataset),
        ("average", "ldm"): average(dataset),
    }
    return found | {("sampling", name): sampling(name, dataset) for name in MODELS}


@pytest.mark.parametrize("data", DATASETS)
def test_both_of_a_pair_do_the_same_work(data: str) -> None:
    found = pairs(data)
    ours, plain = found.pop(("batches", f"of {BATCH}"))
    assert ours() == plain() > 0
    for (part, _), (fast, slow) in found.items():
        for _ in range(3):
            mine, other = fast(), slow()
        if part == "sampling":
            assert mine.shape == other.shape  # from other noise
        else:
            for a, b in zip(mine, other, strict=True):
                torch.testing.assert_close(a, b)


def test_parts(benchmark: Any) -> None:
    ours, plain = average(loaded("grid25"))

    def compared() -> tuple[dict[str, float], int]:
        return in_turn({"ours": ours, "plain": plain}, time.process_time, rounds=3)

    seconds, rounds = benchmark.pedantic(compared, rounds=1)
    assert rounds == 3 and seconds.keys() == {"ours", "plain"}


def test_two_trainings_end() -> None:
    assert all(seconds > 0 for seconds in two_trainings("vae", "grid25", 5))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"), help="folder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []

    def tell(data: str, part: str, what: str, ours: float, plain: float, rounds: int) -> None:
        rows.append(
            {
                "dataset": data,
                "part": part,
                "of": what,
                "ours_ms": f"{1e3 * ours:.4g}",
                "without_ms": f"{1e3 * plain:.4g}",
                "ratio": f"{plain / ours:.3g}",
                "rounds": rounds,
            }
        )
        print(rows[-1], flush=True)

    for data in DATASETS:
        for (part, what), (ours, plain) in pairs(data).items():
            calls = {"ours": ours, "plain": plain}
            took, rounds = in_turn(calls, time.process_time, rounds=given.rounds, seconds=SECONDS)
            tell(data, part, what, took["ours"], took["plain"], rounds)
        for name in MODELS:
            spans = [two_trainings(name, data, STEPS) for _ in range(TURNS)]
            at_once, in_order = (statistics.median(times) for times in zip(*spans, strict=True))
            tell(data, "threads", name, at_once, in_order, TURNS)
    write_tables(
        rows,
        tuple(rows[0]),
        given.out / "parts",
        title="What the parts of the fast harness gain",
        notes=[
            f"Made by `python tests/benchmarks/test_parts_speed.py`; {circumstances()}, float32, "
            f"torch {torch.__version__}. `ratio`: of the time without a part over that with it; "
            "what each is stands at the top of the script."
        ],
    )
    print(f"wrote {given.out}/parts.md and parts.csv")


if __name__ == "__main__":
    main()
