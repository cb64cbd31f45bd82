"""A Gaussian with the data's own mean and covariance: the shortest useful plugin.

    bench run --models ldm,vae,gan,pixel-gaussian --plugin examples/pixel_gaussian.py

Everything that `fit` spends is charged through `training.batches`; this model stops after one
pass, and what is left of its budget expires.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchbench.api import Training

NAME = "pixel-gaussian"
FAMILY = "gaussian"


class Gaussian(nn.Module):
    """x = μ + L ε, with L Lᵀ the covariance of the training data."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        dim = torch.Size(shape).numel()
        self.shape = shape
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("factor", torch.eye(dim))


def fit(training: Training) -> nn.Module:
    """Moments in one pass, in double precision."""
    model = Gaussian(training.data.shape).to(training.device)
    dim = training.data.dim
    total = torch.zeros(dim, dtype=torch.float64, device=training.device)
    square = torch.zeros(dim, dim, dtype=torch.float64, device=training.device)
    batch_size = min(1000, training.data.n_train)
    steps = training.data.n_train // batch_size
    count = 0
    for x in training.batches("moments", batch_size=batch_size):
        flat = x.flatten(1).double()
        total += flat.sum(0)
        square += flat.T @ flat
        count += len(flat)
        if training.step + 1 == steps:
            break
    mean = total / count
    covariance = square / count - mean.outer(mean)
    values, vectors = torch.linalg.eigh(covariance)
    model.mean.copy_(mean)
    model.factor.copy_(vectors * values.clamp(min=0).sqrt())
    return model


def sample(module: Gaussian, n: int, *, generator: torch.Generator) -> Tensor:
    """n draws, clamped to [−1, 1] where the data are images."""
    noise = torch.randn(n, len(module.mean), generator=generator, device=generator.device)
    x = (module.mean + noise @ module.factor.T).reshape(n, *module.shape)
    return x.clamp(-1, 1) if len(module.shape) == 3 else x
