"""FID in the limit of infinitely many samples, by extrapolation in 1/n.

    FID_n ≈ FID_∞ + b/n      fitted by least squares over `points` sizes n, evenly spaced

At each size, FID of that many randomly chosen samples against ALL the test examples that FID uses.
So the bias of the generated side goes, and that of the real side stays, the same for every model
of a column. The fit needs more rows than features, from the smallest size on: below that FID is no
line in 1/n, and the score is skipped.

Chong and Forsyth, "Effectively Unbiased FID and Inception Score and Where to Find Them", 2020
(who also draw the samples by quasi-Monte Carlo: here they are the row's own).
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.api import NotAvailable, Score
from benchbench.metrics.counts import paired_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.frechet import real_moments
from benchbench.metrics.moments import Moments
from benchbench.metrics.specs_distribution import ExtrapolationConfig

__all__ = ["compute", "extrapolate", "sizes"]


def sizes(n: int, features: int, points: int) -> list[int]:
    """Sample sizes from max(n/5, 2·features) to n, evenly spaced.

    Raises NotAvailable where n < 4·features: too short a stretch for a line.
    """
    if n < max(4 * features, 20):
        raise NotAvailable(
            f"{n} samples of {features} features give no line in 1/n; "
            f"{max(4 * features, 20)} are needed"
        )
    least = max(n // 5, 2 * features)
    return [least + round(i * (n - least) / (points - 1)) for i in range(points)]


def extrapolate(ns: list[int], values: list[float]) -> tuple[float, float]:
    """Intercept and slope of values against 1/n."""
    inverse = 1 / torch.tensor(ns, dtype=torch.float64)
    design = torch.stack([torch.ones_like(inverse), inverse], dim=1)
    target = torch.tensor(values, dtype=torch.float64)[:, None]
    # Scaled columns: 1/n is small beside 1.
    scale = design.norm(dim=0)
    found = torch.linalg.lstsq(design / scale, target).solution[:, 0] / scale
    return float(found[0]), float(found[1])


def distances(
    real: Moments, fake: Tensor, ns: list[int], *, generator: torch.Generator
) -> list[float]:
    """FID at each size, each of rows of its own choice."""
    found = []
    for n in ns:
        rows = torch.randperm(len(fake), generator=generator)[:n].to(fake.device)
        found.append(real.frechet(Moments.of(fake[rows])))
    return found


def compute(evaluation: SampleEvaluation, config: ExtrapolationConfig) -> list[Score]:
    """`fid_infinity` from n samples."""
    n = paired_count(evaluation, config.n)
    fake = evaluation.features("samples", n)
    ns = sizes(n, fake.shape[1], config.points)
    found = distances(
        real_moments(evaluation, n), fake, ns, generator=evaluation.generator("fid_infinity")
    )
    value, slope = extrapolate(ns, found)
    detail = evaluation.extractor_detail() | sampling_detail(evaluation)
    detail |= {"reference": f"test:{n}", "sizes": ns, "slope": slope}
    return [Score("fid_infinity", value, bound="estimate", n=n, detail=detail)]
