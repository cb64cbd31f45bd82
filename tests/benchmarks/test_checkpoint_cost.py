"""What checkpoints cost: windows of training with one and without, interleaved, medians compared.

    pytest tests/benchmarks/test_checkpoint_cost.py --benchmark-enable -s

prints for each model the time of a checkpoint and its share of the time between two of them. The
harness stops the training's own clock meanwhile, so a budget in seconds doesn't pay for them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchbench.api import Assets, Budget
from benchbench.api.seeding import derive_seed
from benchbench.registry import Registry, resolve
from benchbench.runner.cell import CHECKPOINT_SECONDS
from benchbench.runner.checkpoint import load_state, save_state
from benchbench.runner.training import CellTraining, Interrupted, fit_model

MODELS = ("vae", "gan", "ldm")
DATASET = "stacked-digits"


class Windows:
    """Steps in windows of equal size; every other one begins with a checkpoint."""

    def __init__(self, size: int, pairs: int, save: Callable[[], object]) -> None:
        self.size, self.pairs, self.save = size, pairs, save
        self.plain: list[float] = []
        self.saving: list[float] = []
        self._step, self._began = 0, time.perf_counter()

    def on_step(self) -> None:
        """Called between steps."""
        self._step += 1
        if self._step % self.size:
            return
        now = time.perf_counter()
        number = self._step // self.size
        if number > 1:  # the first window has the imports in it
            (self.saving if number % 2 else self.plain).append(now - self._began)
        if len(self.saving) == self.pairs:
            raise Interrupted
        self._began = time.perf_counter()
        if number % 2 == 0:
            self.save()

    @property
    def cost(self) -> float:
        """Seconds of one checkpoint."""
        return statistics.median(self.saving) - statistics.median(self.plain)


@pytest.mark.parametrize("name", MODELS)
def test_checkpoint(benchmark: Any, tmp_path: Path, name: str) -> None:
    registry = Registry.load()
    dataset = registry.load_dataset(DATASET, Assets())
    spec = registry.model(name).spec
    file = tmp_path / "checkpoint.safetensors"
    size, pairs = (16, 9) if benchmark.enabled else (2, 1)

    def save() -> None:
        save_state(file, training.state())

    windows = Windows(size, pairs, save)
    training = CellTraining(
        dataset,
        Budget.parse("1e6step"),
        device=torch.device("cpu"),
        seed=0,
        on_step=windows.on_step,
    )
    torch.manual_seed(derive_seed(0, "init", name))
    model = resolve(spec.implementation, name)(spec.config(), dataset.info)
    training.attach(model)
    with pytest.raises(Interrupted):
        fit_model(model, training)
    benchmark.group = "checkpoint"
    benchmark.extra_info["bytes"] = file.stat().st_size
    benchmark.extra_info["share of training"] = windows.cost / CHECKPOINT_SECONDS
    benchmark.pedantic(save, rounds=5 if benchmark.enabled else 1)
    assert load_state(file).keys() == training.state().keys()
    if benchmark.enabled:
        share = windows.cost / CHECKPOINT_SECONDS
        print(
            f"\n{name}: {windows.cost * 1e3:.1f} ms each, {share:.3%} of {CHECKPOINT_SECONDS:g} s"
        )
