"""Kernel distance: the squared maximum mean discrepancy of features under a cubic kernel (KID).

    k(x, y) = (xᵀy / f + 1)³
    MMD² = mean_{i≠j} k(x_i, x_j) + mean_{i≠j} k(y_i, y_j) − 2 mean_{ij} k(x_i, y_j)

Unbiased at every n, so it may be negative; no Gaussian is fitted, and fewer rows than features are
no trouble. All n rows are used at once. As published, it is the mean over random subsets, which is
unbiased too and varies more: `subsets` gives that. The scale depends on the features: values of two
extractors can't be compared. Unbiased means for independent draws: splits that are stratified by
class are nearer to each other than such draws, so the row `real` reads below 0 at small n.

Standard error: the jackknife of the U-statistic over the pairs (x_i, y_i), from row sums. It is
conservative (by up to √2) where both distributions are the same.

Bińkowski et al., "Demystifying MMD GANs", 2018; Efron and Stein, "The Jackknife Estimate of
Variance", 1981.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchbench.api import NotAvailable, Score
from benchbench.metrics.counts import paired_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.features.fidelity import PIPELINE, peer_detail, peer_scores
from benchbench.metrics.specs_distribution import KernelConfig

__all__ = ["Mmd", "compute", "kernel_distance", "subset_distance"]

BLOCK = 1024
"""Rows of a block: no n × n kernel matrix is held."""
PEER_SUBSETS = 100
"""torch-fidelity's own number of subsets, for a row that states none."""


@dataclass(frozen=True)
class Mmd:
    """An estimate of MMD² and its standard error."""

    value: float
    standard_error: float


def kernel_distance(x: Tensor, y: Tensor) -> Mmd:
    """MMD² of all rows x, y: (n, f) each, n >= 3; in float64."""
    n = len(x)
    x, y = x.double(), y.double()
    within = _row_sums(x, x) - _kernel(x, x) + _row_sums(y, y) - _kernel(y, y)
    rows, columns = _row_sums(x, y), _row_sums(y, x)
    value = float(within.sum()) / (n * (n - 1)) - 2 * float(rows.sum()) / n**2
    # h(z_i, z_j) = k(x_i, x_j) + k(y_i, y_j) − k(x_i, y_j) − k(x_j, y_i), averaged over j ≠ i.
    h = (within - rows - columns + 2 * _kernel(x, y)) / (n - 1)
    variance = 4 * (n - 1) / (n * (n - 2) ** 2) * float((h - h.mean()).square().sum())
    return Mmd(value, variance**0.5)


def subset_distance(
    x: Tensor, y: Tensor, *, subsets: int, size: int, generator: torch.Generator
) -> Mmd:
    """Mean MMD² over random subsets of `size` rows of each side, and its deviation over √subsets.

    That standard error is of the choice of subsets alone: subsets share rows.
    """
    found = []
    for _ in range(subsets):
        i, j = (torch.randperm(len(z), generator=generator)[:size].to(z.device) for z in (x, y))
        found.append(kernel_distance(x[i], y[j]).value)
    values = torch.tensor(found, dtype=torch.float64)
    error = float(values.std()) / subsets**0.5 if subsets > 1 else 0.0
    return Mmd(float(values.mean()), error)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """k(x_i, y_i), (n,)."""
    return ((x * y).sum(dim=1) / x.shape[1] + 1) ** 3


def _row_sums(x: Tensor, y: Tensor) -> Tensor:
    """Σ_j k(x_i, y_j), (n,)."""
    total = torch.zeros_like(x[:, 0])
    for start in range(0, len(x), BLOCK):
        for other in y.split(BLOCK):
            base = (x[start : start + BLOCK] @ other.T).div_(x.shape[1]).add_(1)
            total[start : start + BLOCK] += (base.square() * base).sum(dim=1)
    return total


def compute(evaluation: SampleEvaluation, config: KernelConfig) -> list[Score]:
    """`kid` of n samples against the first n test examples."""
    n = paired_count(evaluation, config.n)
    if n < 3 or (config.subsets and n < config.subset_size):
        raise NotAvailable(
            f"{n} samples are too few; {config.subset_size if config.subsets else 3} are needed"
        )
    detail = evaluation.extractor_detail() | sampling_detail(evaluation)
    detail |= {"reference": f"test:{n}", "estimator": "all samples"}
    if config.pipeline == PIPELINE:
        return [_by_peer(evaluation, n, config, detail)]
    real, fake = evaluation.features("reference", n), evaluation.features("samples", n)
    if config.subsets:
        found = subset_distance(
            real,
            fake,
            subsets=config.subsets,
            size=config.subset_size,
            generator=evaluation.generator("kid"),
        )
        detail |= {"estimator": f"{config.subsets} subsets of {config.subset_size}"}
    else:
        found = kernel_distance(real, fake)
    detail |= {"standard_error": found.standard_error}
    half = 1.96 * found.standard_error
    return [
        Score("kid", found.value, "estimate", n, detail=detail)
        if config.subsets
        else Score(
            "kid",
            found.value,
            "estimate",
            n,
            detail=detail,
            ci_low=found.value - half,
            ci_high=found.value + half,
        )
    ]


def _by_peer(
    evaluation: SampleEvaluation, n: int, config: KernelConfig, detail: dict[str, Any]
) -> Score:
    """torch-fidelity's mean over subsets of its own choice; it knows no other estimator."""
    subsets, size = config.subsets or PEER_SUBSETS, min(config.subset_size, n)
    found = peer_scores(evaluation, n, kid=True, kid_subsets=subsets, kid_subset_size=size)
    error = found["kernel_inception_distance_std"] / subsets**0.5
    detail |= {"estimator": f"{subsets} subsets of {size}", "standard_error": error}
    value = found["kernel_inception_distance_mean"]
    return Score("kid", value, "estimate", n, detail=detail | peer_detail())
