"""What the tests of the image networks share: a small image data set and short trainings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchbench.api import Budget, Model
from benchbench.api.data import DataInfo, Dataset, Split
from benchbench.runner.training import CellTraining, fit_model

__all__ = ["blobs", "cell", "rng", "train"]


def rng(seed: int = 0) -> torch.Generator:
    """A seeded generator."""
    return torch.Generator().manual_seed(seed)


def _levels(n: int, shape: tuple[int, ...], seed: int) -> Tensor:
    """A bright square at one of four places, with noise: uint8 (n, *shape)."""
    _, height, width = shape
    x = torch.randint(0, 40, (n, *shape), generator=rng(seed), dtype=torch.uint8)
    where = torch.randint(4, (n,), generator=rng(seed + 1)).tolist()
    for row, place in enumerate(where):
        top, left = (place // 2) * (height // 2), (place % 2) * (width // 2)
        x[row, :, top : top + height // 3, left : left + width // 3] += 180
    return x


def blobs(shape: tuple[int, ...] = (1, 17, 20), n: int = 256) -> Dataset:
    """Images whose sides are neither equal nor even, unless told otherwise."""
    return Dataset(
        info=DataInfo("blobs", "image", shape, n, levels=256),
        train=Split(_levels(n, shape, 0)),
        validation=Split(_levels(32, shape, 10)),
        test=Split(_levels(32, shape, 20)),
        digest="blobs",
    )


def cell(budget: str, data: Dataset, on_step: Callable[[], None] | None = None) -> CellTraining:
    """A training of seed 0 on the CPU."""
    device = torch.device("cpu")
    return CellTraining(data, Budget.parse(budget), device=device, seed=0, on_step=on_step)


def train(
    model: Model, data: Dataset, budget: str, saved: dict[str, Any] | None = None
) -> CellTraining:
    """Train to the end of the budget, from a saved state where there is one."""
    training = cell(budget, data)
    training.attach(model)
    if saved is not None:
        training.restore(saved)
    fit_model(model, training)
    return training
