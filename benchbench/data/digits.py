"""scikit-learn's 1,797 handwritten digits (8×8, levels 0 to 16), alone and stacked in threes.

Stacked: three digits drawn independently from one split's digit images, one a colour channel;
the mode is the three-digit number 100·a + 10·b + c, so there are 1000. Unlike PacGAN's protocol,
training, validation and test triples share no digit image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.api import Assets, DatasetSpec
from benchbench.api.data import DataInfo, Dataset, LabelModes, Split
from benchbench.data.hashing import digest_tensors

__all__ = ["digit_splits", "load_digits", "load_stacked"]

LEVELS = 17
TRIPLES = {"train": 128_000, "validation": 26_000, "test": 26_000}


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
    return _image_dataset(spec, digit_splits(), modes=10)


def load_stacked(spec: DatasetSpec, assets: Assets | None = None) -> Dataset:
    """Triples: 128,000 to train on, 26,000 for validation and 26,000 for test."""
    splits = {
        name: _stack(split, TRIPLES[name], seed)
        for seed, (name, split) in enumerate(digit_splits().items())
    }
    return _image_dataset(spec, splits, modes=1000)


def _stack(digits: Split, n: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(1000 + seed)
    rows = torch.randint(len(digits), (n, 3), generator=generator)
    assert digits.labels is not None
    return Split(digits.raw[rows].squeeze(2), _number(digits.labels[rows]))


def _number(digits: Tensor) -> Tensor:
    """(n, 3) digits -> (n,) the number they spell."""
    return digits @ torch.tensor([100, 10, 1])


def _image_dataset(spec: DatasetSpec, splits: dict[str, Split], modes: int) -> Dataset:
    tensors = [t for split in splits.values() for t in (split.raw, split.labels)]
    return Dataset(
        info=DataInfo(spec.name, spec.kind, spec.shape, len(splits["train"]), levels=LEVELS),
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        digest=digest_tensors(*tensors),
        modes=LabelModes(modes),
    )
