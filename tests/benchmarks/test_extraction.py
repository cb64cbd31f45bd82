"""Images a second that each extractor reads, at one thread.

    pytest tests/benchmarks/test_extraction.py --benchmark-enable

prints the time of a batch; the number of images in it stands in the benchmark's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from inception_cases import random_tensors

from benchbench.api import Assets
from benchbench.api.evaluation import Extractor
from benchbench.metrics.features import digits, grey28, scattering
from benchbench.metrics.features.inception import InceptionExtractor
from benchbench.metrics.features.inception_weights import Weights


def inception(assets: Assets) -> InceptionExtractor:
    """Random weights take the time of published ones."""
    return InceptionExtractor(Weights(random_tensors(), published=False))


@pytest.mark.parametrize(
    ("load", "shape"),
    [
        (digits.load_single, (2000, 1, 8, 8)),
        (grey28.load_fashion, (2000, 1, 28, 28)),
        (grey28.load_stacked_mnist, (500, 3, 28, 28)),
        (scattering.load, (2000, 1, 28, 28)),
        (scattering.load, (1000, 3, 32, 32)),
        (scattering.load, (200, 3, 64, 64)),
        (inception, (4, 3, 32, 32)),
    ],
    ids=lambda value: "x".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_extraction(
    benchmark: Any, load: Callable[[Assets], Extractor], shape: tuple[int, ...]
) -> None:
    extractor = load(Assets())
    x = 2 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 1
    features = benchmark.pedantic(extractor.features, (x,), rounds=3, warmup_rounds=1)
    assert len(features) == shape[0]
    assert features.isfinite().all()
