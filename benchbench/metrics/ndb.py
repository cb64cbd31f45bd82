"""Number of statistically different bins: where samples are too many or too few.

k-means puts m bins into the feature space. Bin i holds a_i of n samples and b_i of n test examples;
with p its pooled share, it differs where

    |a_i − b_i| / (n sqrt(2 p (1 − p)/n)) > z_{1 − α/2}          α = 0.05

    ndb       = share of the m bins that differ, as published; 0.05 for a perfect sampler
    ndb_holm  = share that still differs when all m tests are taken together (Holm): 0 for a perfect
                sampler, but for one evaluation in 20

The bins are made of TRAINING data, which is neither of the two that are compared, so the test is
fair to both. A test with larger n finds smaller differences: n is part of the score.

Richardson and Weiss, "On GANs and GMMs", 2018; Holm, "A Simple Sequentially Rejective Multiple Test
Procedure", 1979.
"""

from __future__ import annotations

import torch
from scipy.special import ndtr
from sklearn.cluster import KMeans
from torch import Tensor

from benchbench.api import NotAvailable, Score
from benchbench.metrics.counts import paired_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.specs_distribution import BinsConfig

__all__ = ["bin_centres", "compute", "different_bins", "holm", "nearest_bin"]

ALPHA = 0.05


def bin_centres(x: Tensor, bins: int, *, generator: torch.Generator) -> Tensor:
    """Centres of k-means over rows x: (n, f) -> (bins, f) float64, on the device of x."""
    seed = int(torch.randint(2**31 - 1, (), generator=generator))
    found = KMeans(bins, n_init=1, random_state=seed).fit(x.double().cpu().numpy())
    return torch.from_numpy(found.cluster_centers_).to(x.device, torch.float64)


def nearest_bin(x: Tensor, centres: Tensor) -> Tensor:
    """Index of the nearest centre, int64 (n,)."""
    x = x.double() - centres.mean(dim=0)
    centres = centres - centres.mean(dim=0)
    return torch.addmm(centres.square().sum(dim=1), x, centres.T, alpha=-2).argmin(dim=1)


def different_bins(a: Tensor, b: Tensor) -> Tensor:
    """p-value of each bin from two histograms (m,): two-proportion z-tests, pooled."""
    a, b = a.double(), b.double()
    n, k = a.sum(), b.sum()
    pooled = (a + b) / (n + k)
    deviation = (pooled * (1 - pooled) * (1 / n + 1 / k)).sqrt()
    z = (a / n - b / k).abs() / deviation
    z = torch.where(deviation > 0, z, 0.0)
    return 2 * torch.from_numpy(ndtr(-z.cpu().numpy()))


def holm(p: Tensor, alpha: float = ALPHA) -> Tensor:
    """Which of m hypotheses are rejected with a family-wise error of alpha: bool (m,)."""
    order = p.argsort()
    passed = p[order] <= alpha / torch.arange(len(p), 0, -1)
    rejected = torch.zeros_like(p, dtype=torch.bool)
    rejected[order] = passed.cumprod(dim=0).bool()
    return rejected


def compute(evaluation: SampleEvaluation, config: BinsConfig) -> list[Score]:
    """`ndb` and `ndb_holm` of n samples against the first n test examples."""
    n = paired_count(evaluation, config.n)
    if n < 10 * config.bins:
        raise NotAvailable(f"{n} samples are too few for {config.bins} bins; take 10 a bin or more")
    train = evaluation.split_features("train", n)
    # The same bins for every row: seeded by the data, not by the row.
    generator = torch.Generator().manual_seed(int(evaluation.dataset.digest[:8], 16))
    centres = bin_centres(train, config.bins, generator=generator)
    counts = [
        torch.bincount(nearest_bin(x, centres).cpu(), minlength=config.bins)
        for x in (evaluation.features("samples", n), evaluation.features("reference", n))
    ]
    p = different_bins(*counts)
    detail = evaluation.extractor_detail() | sampling_detail(evaluation)
    detail |= {"reference": f"test:{n}", "bins": config.bins, "alpha": ALPHA}
    found = {"ndb": p < ALPHA, "ndb_holm": holm(p)}
    return [
        Score(name, float(differs.double().mean()), bound="estimate", n=n, detail=detail)
        for name, differs in found.items()
    ]
