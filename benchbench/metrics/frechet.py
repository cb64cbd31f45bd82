"""Fréchet distance between Gaussians fitted to features (FID, where an extractor makes them).

    d² = |μ₁ − μ₂|² + tr S₁ + tr S₂ − 2 tr (S₁ S₂)^½

With roots S = L Lᵀ the last trace is the nuclear norm of L₁ᵀ L₂: its singular values are the
square roots of the eigenvalues of S₁ S₂. So no square root of a rounded number is taken, and a
singular covariance, from fewer rows than features, loses no precision.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
2017. The estimate is biased upwards by about 1/n, so n is part of the score.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchbench.api import Score
from benchbench.metrics.counts import paired_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.specs_quality import FrechetConfig

__all__ = ["Moments", "compute", "frechet_distance", "root"]

BATCH = 4096


@dataclass(frozen=True)
class Moments:
    """Mean and scatter of the rows seen so far, in float64.

    mean: (f,). scatter: (f, f), Σ (x − mean)(x − mean)ᵀ.
    """

    n: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Moments:
        """Moments of rows x: (n, f), n >= 1, read a batch at a time."""
        first, *rest = x.split(BATCH)
        found = cls._of_batch(first)
        for batch in rest:
            found = found.merge(cls._of_batch(batch))
        return found

    @classmethod
    def _of_batch(cls, x: Tensor) -> Moments:
        x = x.double()
        mean = x.mean(dim=0)
        centred = x - mean
        return cls(len(x), mean, centred.T @ centred)

    def merge(self, other: Moments) -> Moments:
        """Moments of both sets of rows (Chan et al., "Updating Formulae and a Pairwise Algorithm
        for Computing Sample Variances", 1979)."""
        n = self.n + other.n
        gap = other.mean - self.mean
        between = torch.outer(gap, gap) * (self.n * other.n / n)
        return Moments(n, self.mean + gap * (other.n / n), self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Tensor:
        """The unbiased covariance, (f, f); needs n >= 2."""
        return self.scatter / (self.n - 1)


def root(covariance: Tensor) -> Tensor:
    """L with L Lᵀ = S for a symmetric, positive semi-definite S: (f, f) float64.

    Eigenvalues below the rounding error of the largest are zero.
    """
    values, vectors = torch.linalg.eigh(covariance)
    floor = values[-1].clamp_min(0) * len(values) * torch.finfo(values.dtype).eps
    return vectors * torch.where(values > floor, values, 0.0).sqrt()


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """d² between N(mean1, cov1) and N(mean2, cov2); means (f,), covariances (f, f), >= 0."""
    mean1, cov1, mean2, cov2 = (t.double() for t in (mean1, cov1, mean2, cov2))
    shared = torch.linalg.svdvals(root(cov1).T @ root(cov2)).sum()
    gap = mean1 - mean2
    return max(0.0, float(gap @ gap + cov1.trace() + cov2.trace() - 2 * shared))


def compute(evaluation: SampleEvaluation, config: FrechetConfig) -> list[Score]:
    """`fid` of n samples against the first n test examples."""
    n = paired_count(evaluation, config.n)
    real = Moments.of(evaluation.features("reference", n))
    fake = Moments.of(evaluation.features("samples", n))
    value = frechet_distance(real.mean, real.covariance, fake.mean, fake.covariance)
    features = len(real.mean)
    detail = evaluation.extractor_detail() | sampling_detail(evaluation)
    detail |= {"reference": f"test:{n}", "features": features, "full_rank": n > features}
    return [Score("fid", value, bound="estimate", n=n, detail=detail)]
