"""scikit-learn's 1,797 handwritten digits (8×8, levels 0 to 16), alone and stacked in threes.

Stacked: `data/stacking.py`.
"""

from __future__ import annotations

import torch

from benchbench.api import Assets, DatasetSpec
from benchbench.api.data import Dataset, Split
from benchbench.data.splits import image_dataset
from benchbench.data.stacking import stack_splits

__all__ = ["digit_splits", "load_digits", "load_stacked"]

LEVELS = 17


def digit_splits() -> dict[str, Split]:
    """60 % training, 20 % validation, 20 % test images, stratified by digit, fixed.

    Each split: raw uint8 (n, 1, 8, 8), labels int64 (n,).
    """
    from sklearn.datasets import load_digits as sklearn_digits
    from sklearn.model_selection import train_test_split

    bunch = sklearn_digits()
    index = list(range(len(bunch.target)))
    train, rest = train_test_split(index, train_size=0.6, stratify=bunch.target, random_state=0)
    validation, test = train_test_split(
        rest, train_size=0.5, stratify=bunch.target[rest], random_state=0
    )
    images = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).to(torch.int64)
    names = {"train": train, "validation": validation, "test": test}
    return {name: Split(images[rows], labels[rows]) for name, rows in names.items()}


def load_digits(spec: DatasetSpec, assets: Assets | None = None) -> Dataset:
    """Single digits: 1,078 to train on, 359 for validation, 360 for test; modes are the labels."""
    return image_dataset(spec, digit_splits(), levels=LEVELS, modes=10)


def load_stacked(spec: DatasetSpec, assets: Assets | None = None) -> Dataset:
    """Triples: 128,000 to train on, 26,000 for validation and 26,000 for test."""
    return image_dataset(spec, stack_splits(digit_splits()), levels=LEVELS, modes=1000)
