"""Mixtures of Gaussians with known modes and a known density.

p(x) = 1/m Σ_i N(x; c_i, σ² I)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchbench.api import Assets, DatasetSpec
from benchbench.api.data import DataInfo, Dataset, GaussianModes, Split
from benchbench.api.tensors import digest_tensors

__all__ = ["load_grid25", "load_ring8", "mixture"]

TRAIN, HELD_OUT = 100_000, 10_000


def load_ring8(spec: DatasetSpec, assets: Assets | None = None) -> Dataset:
    """8 Gaussians, σ = 0.01, on a circle of radius 1."""
    angle = torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
    return mixture(spec, torch.stack([angle.cos(), angle.sin()], dim=1), sigma=0.01, seed=8)


def load_grid25(spec: DatasetSpec, assets: Assets | None = None) -> Dataset:
    """25 Gaussians, σ = 0.05, means {−4, −2, 0, 2, 4}²."""
    axis = torch.arange(-4, 5, 2, dtype=torch.float64)
    return mixture(spec, torch.cartesian_prod(axis, axis), sigma=0.05, seed=25)


def mixture(spec: DatasetSpec, centres: Tensor, sigma: float, seed: int) -> Dataset:
    """A data set of 100k training, 10k validation and 10k test points of an equal mixture.

    centres: (m, d) float64. sigma: > 0. seed: of the fixed draw. Splits are stratified: every
    mode has the same number of points, give or take one.
    """
    generator = torch.Generator().manual_seed(seed)
    splits = [_draw(centres, sigma, n, generator) for n in (TRAIN, HELD_OUT, HELD_OUT)]
    train, validation, test = splits
    mean, std = train.raw.double().mean(0).float(), train.raw.double().std(0).float()
    return Dataset(
        info=DataInfo(spec.name, spec.kind, spec.shape, n_train=TRAIN),
        train=train,
        validation=validation,
        test=test,
        digest=digest_tensors(*(t for s in splits for t in (s.raw, s.labels)), mean, std),
        mean=mean,
        std=std,
        modes=GaussianModes(centres, sigma),
        log_prob=lambda x: _log_prob(x, centres, sigma),
    )


def _draw(centres: Tensor, sigma: float, n: int, generator: torch.Generator) -> Split:
    labels = torch.arange(n) % len(centres)
    labels = labels[torch.randperm(n, generator=generator)]
    noise = torch.randn(n, centres.shape[1], generator=generator, dtype=torch.float64)
    return Split((centres[labels] + sigma * noise).float(), labels)


def _log_prob(x: Tensor, centres: Tensor, sigma: float) -> Tensor:
    """x: (n, d) in original units -> (n,) float64 nats."""
    squared = torch.cdist(x.double(), centres.to(x.device)).square()
    d = centres.shape[1]
    log_norm = -0.5 * d * math.log(2 * math.pi * sigma**2) - math.log(len(centres))
    return torch.logsumexp(-squared / (2 * sigma**2), dim=1) + log_norm
