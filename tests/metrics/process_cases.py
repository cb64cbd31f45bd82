"""Models whose diffusion process and best denoiser are known, for tests of denoising and heat."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchbench.api import Config
from benchbench.api.data import DataInfo, Dataset
from benchbench.api.model import Model
from benchbench.api.training import Training
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.registry import Registry

__all__ = ["Affine", "Plain", "evaluation"]


class Plain(Model):
    """Diffusion in data space; `denoise` shrinks towards 0, the best for Z ~ N(0, I)."""

    growth = 1.0
    """Variance that the process adds, over t."""

    def fit(self, training: Training) -> None:
        """Nothing to learn."""

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        """Standard normal numbers."""
        return torch.randn((n, *self.data.shape), generator=generator)

    def add_noise(self, z: Tensor, t: Tensor, *, generator: torch.Generator) -> Tensor:
        """X = Z + sqrt(growth·t)·ε."""
        noise = torch.randn(z.shape, generator=generator)
        return z + (self.growth * t).sqrt()[:, None] * noise

    def denoise(self, x: Tensor, t: Tensor) -> Tensor:
        """E[Z | X] for Z ~ N(0, I)."""
        return x / (1 + t)[:, None]


class Affine(Plain):
    """The same behind an affine encoder, z = A x + b with a posterior of width 0.1."""

    weight = torch.tensor([[2.0, 0.5], [0.0, 0.7]])
    shift = torch.tensor([0.3, -1.0])

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of q(z | x)."""
        mean = x @ self.weight.T + self.shift
        return mean, torch.full_like(mean, 0.1)


def evaluation(kind: type[Plain], dataset: Dataset, *capabilities: str) -> SampleEvaluation:
    """A row of such a model on a data set of points."""
    spec = Registry.load().dataset("grid25").spec
    model = kind(Config(), DataInfo("toy", "points", dataset.info.shape, 1))
    return SampleEvaluation(
        dataset,
        spec,
        model=model,
        capabilities=frozenset(capabilities),  # type: ignore[arg-type]
        seed=3,
    )
