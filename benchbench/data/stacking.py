"""Three digit images as the channels of one: 1000 modes from ten.

Metz et al., "Unrolled Generative Adversarial Networks", 2017; the protocol (128,000 random triples
to train on, 26,000 samples scored) is that of Lin et al., "PacGAN", 2018. Unlike there, the
triples of training, validation and test share no digit image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.api.data import Split

__all__ = ["stack_splits"]

TRIPLES = {"train": 128_000, "validation": 26_000, "test": 26_000}


def stack_splits(splits: dict[str, Split]) -> dict[str, Split]:
    """Triples of each split's own images: raw uint8 (n, 3, H, W), labels 100·a + 10·b + c.

    splits: train, validation and test, in this order: raw (n, 1, H, W) with digits as labels.
    """
    return {
        name: _stack(split, TRIPLES[name], seed)
        for seed, (name, split) in enumerate(splits.items())
    }


def _stack(digits: Split, n: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(1000 + seed)
    rows = torch.randint(len(digits), (n, 3), generator=generator)
    assert digits.labels is not None
    return Split(digits.raw[rows].squeeze(2), _number(digits.labels[rows]))


def _number(digits: Tensor) -> Tensor:
    """(n, 3) digits -> (n,) the number they spell."""
    return digits @ torch.tensor([100, 10, 1])
