"""A data set seen without its test split: what tuning may look at.

    train' = train,   test' ∪ validation' = validation,   test' ∩ validation' = ∅

Every measure that compares with `test` then compares with validation data, and what a measure
chooses on `validation` (σ of a likelihood, say) is chosen on the other half.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from benchbench.api import UsageError
from benchbench.api.data import Dataset, Split
from benchbench.api.seeding import derive_seed, seeded_generator

__all__ = ["on_validation"]


def on_validation(dataset: Dataset) -> Dataset:
    """The data set with halves of its validation split as test and as validation split.

    The halves are drawn by a fixed permutation, so the order of the split doesn't matter. The
    digest differs from the data set's own: nothing kept of one serves for the other.
    Raises UsageError where there are fewer than 4 validation examples.
    """
    n = len(dataset.validation)
    if n < 4:
        raise UsageError(f"{dataset.info.name} has {n} validation examples; tuning needs 4 or more")
    order = torch.randperm(n, generator=seeded_generator("cpu", "validation halves", n))
    half = n // 2
    return replace(
        dataset,
        test=_rows(dataset.validation, order[:half]),
        validation=_rows(dataset.validation, order[half:]),
        digest=f"{derive_seed('on validation', dataset.digest):016x}",
    )


def _rows(split: Split, rows: torch.Tensor) -> Split:
    return Split(split.raw[rows], None if split.labels is None else split.labels[rows])
