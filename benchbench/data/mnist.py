"""MNIST, Fashion-MNIST and MNIST stacked in threes: 28×28 images of 256 grey levels.

Splits: 50,000 to train on and 10,000 for validation, stratified, out of the published 60,000; the
published 10,000 to test on.
"""

from __future__ import annotations

import torch

from benchbench.api import Assets, DatasetSpec
from benchbench.api.data import Dataset, Split
from benchbench.data.idx import FASHION_MNIST, MNIST, IdxSource
from benchbench.data.splits import hold_out, image_dataset
from benchbench.data.stacking import stack_splits

__all__ = ["idx_splits", "load_fashion_mnist", "load_mnist", "load_stacked_mnist"]

LEVELS = 256
VALIDATION = 10_000


def load_mnist(spec: DatasetSpec, assets: Assets) -> Dataset:
    """Handwritten digits (LeCun et al., 1998)."""
    return image_dataset(spec, idx_splits(MNIST, assets), levels=LEVELS, modes=10)


def load_fashion_mnist(spec: DatasetSpec, assets: Assets) -> Dataset:
    """Ten kinds of clothes (Xiao et al., 2017)."""
    return image_dataset(spec, idx_splits(FASHION_MNIST, assets), levels=LEVELS, modes=10)


def load_stacked_mnist(spec: DatasetSpec, assets: Assets) -> Dataset:
    """Triples of MNIST's digits, 180,000 in all: 423 MB of memory."""
    splits = stack_splits(idx_splits(MNIST, assets))
    return image_dataset(spec, splits, levels=LEVELS, modes=1000)


def idx_splits(source: IdxSource, assets: Assets) -> dict[str, Split]:
    """Each split: raw uint8 (n, 1, 28, 28), labels int64 (n,); raises UsageError without files."""
    arrays = source.read(assets)

    def part(name: str) -> Split:
        images = torch.from_numpy(arrays[f"{name}-images"].copy()).unsqueeze(1)
        return Split(images, torch.from_numpy(arrays[f"{name}-labels"].astype("int64")))

    train, validation = hold_out(part("train"), VALIDATION)
    return {"train": train, "validation": validation, "test": part("t10k")}
