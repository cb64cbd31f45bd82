"""Rows to measure: points and digits, and a model made of one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchbench.api.config import Config
from benchbench.api.data import DataInfo, Dataset
from benchbench.api.model import Model
from benchbench.api.specs import DatasetSpec
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.features.digits import load_single

POINTS = DatasetSpec("pair", "points", (2,), implementation="", samples=2_500)
IMAGES = DatasetSpec("digits", "image", (1, 8, 8), implementation="", samples=1_200)


class Sampler(Model):
    """A model made of one function (n, generator) -> samples."""

    def __init__(self, data: DataInfo, make: Callable[..., Tensor]) -> None:
        super().__init__(Config(), data)
        self.make, self.calls = make, 0

    def fit(self, training: Any) -> None:
        raise NotImplementedError

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        self.calls += 1
        return self.make(n, generator, **sampling)

    def nfe(self, **sampling: Any) -> int:
        return sampling.get("steps", 1)


def normal(n: int, generator: torch.Generator, **_: Any) -> Tensor:
    return torch.randn(n, 2, generator=generator)


def grey(n: int, generator: torch.Generator, **_: Any) -> Tensor:
    return 2 * torch.rand(n, 1, 8, 8, generator=generator) - 1


def on_points(data: Dataset, make: Callable[..., Tensor] = normal, **more: Any) -> SampleEvaluation:
    return SampleEvaluation(data, POINTS, model=Sampler(data.info, make), **more)


def on_images(data: Dataset, make: Callable[..., Tensor] = grey, **more: Any) -> SampleEvaluation:
    model = Sampler(data.info, make)
    return SampleEvaluation(data, IMAGES, model=model, extractor=load_single(), **more)
