"""CIFAR-10: 32×32 colour photographs of ten classes (Krizhevsky, 2009).

Splits: 45,000 to train on and 5,000 for validation, stratified, out of the published 50,000; the
published 10,000 to test on. No augmentation: flips are a model's own business.
"""

from __future__ import annotations

import numpy as np
import torch

from benchbench.api import Assets, DatasetSpec
from benchbench.api.data import Dataset, Split
from benchbench.data.cifar_files import read_batches
from benchbench.data.splits import hold_out, image_dataset

__all__ = ["load_cifar10"]

LEVELS = 256
VALIDATION = 5_000


def load_cifar10(spec: DatasetSpec, assets: Assets) -> Dataset:
    """The data set; its extractor reads no labels, so that it has no modes."""
    batches = read_batches(assets)
    train, validation = hold_out(_split(batches[:-1]), VALIDATION)
    splits = {"train": train, "validation": validation, "test": _split(batches[-1:])}
    return image_dataset(spec, splits, levels=LEVELS, modes=None)


def _split(batches: list[tuple[np.ndarray, np.ndarray]]) -> Split:
    labels, pixels = (np.concatenate(part) for part in zip(*batches, strict=True))
    return Split(torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64)))
