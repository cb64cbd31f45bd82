"""Fréchet distance between Gaussians fitted to features (FID, where an extractor makes them).

`moments` has the formula and how it is computed. The estimate is biased upwards by about 1/n, the
more the more features there are, so n is part of the score and `fid_infinity` extrapolates; with
no more rows than features it is still defined, and means little (`full_rank` in the detail).

Interval: ± 1.96 standard deviations of the distance over resamplings of the generated rows, with
replacement, real rows fixed. Their mean is not used: a resampling repeats rows, which biases the
distance upwards again. It is the interval of the score at this n, not of the limit.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
2017; Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.api import Score
from benchbench.metrics import moments
from benchbench.metrics.counts import paired_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.features.fidelity import PIPELINE, peer_detail, peer_scores
from benchbench.metrics.moments import Moments
from benchbench.metrics.specs_quality import FrechetConfig

__all__ = ["bootstrap_deviation", "compute", "real_moments"]


def real_moments(evaluation: SampleEvaluation, n: int) -> Moments:
    """Moments of the features of the first n test examples, from the cache where they are."""
    found = evaluation.statistic("moments", n, lambda x: Moments.of(x).tensors(), moments)
    return Moments(n, **found)


def bootstrap_deviation(
    real: Moments, fake: Tensor, *, resamplings: int, generator: torch.Generator
) -> float:
    """Standard deviation of d² over resamplings of fake: (n, f)."""
    n, found = len(fake), []
    for _ in range(resamplings):
        rows = torch.randint(n, (n,), generator=generator).to(fake.device)
        found.append(real.frechet(Moments.of(fake[rows])))
    return float(torch.tensor(found, dtype=torch.float64).std())


def compute(evaluation: SampleEvaluation, config: FrechetConfig) -> list[Score]:
    """`fid` of n samples against the first n test examples."""
    n = paired_count(evaluation, config.n)
    detail = evaluation.extractor_detail() | sampling_detail(evaluation)
    detail |= {"reference": f"test:{n}"}
    if config.pipeline == PIPELINE:
        value = peer_scores(evaluation, n, fid=True)["frechet_inception_distance"]
        return [Score("fid", value, bound="estimate", n=n, detail=detail | peer_detail())]
    real, features = real_moments(evaluation, n), evaluation.features("samples", n)
    value = real.frechet(Moments.of(features))
    detail |= {"features": features.shape[1], "full_rank": n > features.shape[1]}
    low, high = None, None
    if config.resamplings:
        generator = evaluation.generator("fid")
        half = 1.96 * bootstrap_deviation(
            real, features, resamplings=config.resamplings, generator=generator
        )
        low, high = max(0.0, value - half), value + half
    return [Score("fid", value, "estimate", n, detail=detail, ci_low=low, ci_high=high)]
