"""Fréchet distance between Gaussians fitted to features (FID, where an extractor makes them).

    d² = |μ₁ − μ₂|² + tr S₁ + tr S₂ − 2 tr (S₁ S₂)^½

With roots S = L Lᵀ the last trace is the nuclear norm of L₁ᵀ L₂: its singular values are the
square roots of the eigenvalues of S₁ S₂. So no square root of a rounded number is taken, and a
singular covariance, from fewer rows than features, loses no precision.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
2017. The estimate is biased upwards by about 1/n, so n is part of the score.
"""

from __future__ import annotations

from benchbench.api import Score
from benchbench.metrics.counts import paired_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.features.fidelity import PIPELINE, peer_detail, peer_scores
from benchbench.metrics.specs_quality import FrechetConfig

__all__ = ["compute", "real_moments"]


def compute(evaluation: SampleEvaluation, config: FrechetConfig) -> list[Score]:
    """`fid` of n samples against the first n test examples."""
    n = paired_count(evaluation, config.n)
    detail = evaluation.extractor_detail() | sampling_detail(evaluation)
    detail |= {"reference": f"test:{n}"}
    if config.pipeline == PIPELINE:
        found = peer_scores(evaluation, n, fid=True)["frechet_inception_distance"]
        return [Score("fid", found, bound="estimate", n=n, detail=detail | peer_detail())]
    real = Moments.of(evaluation.features("reference", n))
    fake = Moments.of(evaluation.features("samples", n))
    value = frechet_distance(real.mean, real.covariance, fake.mean, fake.covariance)
    features = len(real.mean)
    detail |= {"features": features, "full_rank": n > features}
    return [Score("fid", value, bound="estimate", n=n, detail=detail)]
