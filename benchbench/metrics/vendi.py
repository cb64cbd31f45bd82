"""Vendi score: how many different samples there seem to be, without reference data.

    VS = exp(−Σ_i λ_i log λ_i),  λ the eigenvalues of K/n,  K_ij = x_iᵀx_j / (|x_i||x_j|)

1 where all are alike, n where all are orthogonal. K/n and the f × f matrix of the normalised rows
have the same eigenvalues but for zeros, so the smaller one is taken. Noise is diverse: only beside
the value of real data (the row `real`, the same n) does it mean anything. The cosine is about the
origin of the feature space, so features with a large common part read little diversity.

Friedman and Dieng, "The Vendi Score: A Diversity Evaluation Metric for Machine Learning", 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.api import NotAvailable, Score
from benchbench.metrics.counts import paired_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.specs_distribution import VendiConfig

__all__ = ["compute", "vendi_score"]


def vendi_score(x: Tensor) -> float:
    """Of rows (n, f), none of them all zero: a number in [1, min(n, f)]."""
    x = x.double()
    norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    if not bool((norm > 0).all()):
        raise NotAvailable(f"{int((norm == 0).sum())} of {len(x)} rows of features are all zero")
    x = x / norm
    gram = x @ x.T if len(x) <= x.shape[1] else x.T @ x
    values = torch.linalg.eigvalsh(gram / len(x)).clamp_min(0)
    return float(torch.exp(-torch.special.xlogy(values, values).sum()))


def compute(evaluation: SampleEvaluation, config: VendiConfig) -> list[Score]:
    """`vendi` of n samples; of as many test examples beside it in the detail."""
    n = paired_count(evaluation, config.n)
    value = vendi_score(evaluation.features("samples", n))
    detail = evaluation.extractor_detail() | sampling_detail(evaluation)
    detail |= {"test_data": vendi_score(evaluation.features("reference", n))}
    return [Score("vendi", value, bound="exact", n=n, detail=detail)]
