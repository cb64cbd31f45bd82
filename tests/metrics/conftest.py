"""Data that several tests of measures look at."""

from __future__ import annotations

import pytest
import torch
from evaluation_cases import IMAGES, POINTS

from benchbench.api.data import Dataset
from benchbench.data.digits import load_digits
from benchbench.data.gaussians import mixture


@pytest.fixture(scope="module")
def points() -> Dataset:
    return mixture(POINTS, torch.tensor([[0.0, 0.0], [4.0, 1.0]]).double(), 0.1, seed=1)


@pytest.fixture(scope="module")
def images() -> Dataset:
    return load_digits(IMAGES)
