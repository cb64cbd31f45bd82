"""Small data and models for the harness's tests."""

from __future__ import annotations

import pytest
import torch

from benchbench.api.data import DataInfo, Dataset, Split


@pytest.fixture
def points() -> Dataset:
    """256 points in two dimensions, of unit scale."""
    raw = torch.randn(256, 2, generator=torch.Generator().manual_seed(1))
    split = Split(raw)
    return Dataset(
        info=DataInfo("toy", "points", (2,), n_train=256),
        train=split,
        validation=split,
        test=split,
        digest="toy",
        mean=torch.zeros(2),
        std=torch.ones(2),
    )
