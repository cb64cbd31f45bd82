"""Precision, recall, density and coverage: how the balls of one sample hold the other.

B_k(X) is the union of closed balls around each x ∈ X, with the distance to its k-th nearest other
x as radius. For n real and n generated features R and G:

    precision = share of G inside B_3(R)        recall   = share of R inside B_3(G)
    density   = 1/(k n) Σ_g #{r : g in the ball of r}, k = 5
    coverage  = share of R whose ball, k = 5, holds a g

Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", 2019;
Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", 2020.

The comparison is `<=`, give or take rounding: features that are all the same lie in one another's
balls, which a `<` would deny. Density is about 1 for a perfect sampler and can exceed it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchbench.api import NotAvailable, Score
from benchbench.metrics.counts import paired_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.neighbours import distance_tiles, neighbour_distances, rounding
from benchbench.metrics.specs_quality import PrdcConfig

__all__ = ["Prdc", "compute", "prdc"]


@dataclass(frozen=True)
class Prdc:
    """The four values; all in [0, 1] but density, which is >= 0."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Tensor, fake: Tensor, *, k: int = 3, k_density: int = 5) -> Prdc:
    """real: (n, f), fake: (m, f); k of precision and recall, k_density of density and coverage."""
    slack = rounding(real, fake)
    radii = neighbour_distances(real, (k, k_density)) + slack
    near, wide = radii[:, :1], radii[:, 1:]
    fake_radii = neighbour_distances(fake, (k,)).T + slack
    precise = torch.zeros(len(fake), dtype=torch.bool, device=fake.device)
    recalled, covered, pairs = 0, 0, 0
    for rows, squared in distance_tiles(real, fake):
        precise |= (squared <= near[rows]).any(dim=0)
        recalled += int((squared <= fake_radii).any(dim=1).sum())
        inside = squared <= wide[rows]
        covered += int(inside.any(dim=1).sum())
        pairs += int(inside.sum())
    return Prdc(
        precision=int(precise.sum()) / len(fake),
        recall=recalled / len(real),
        density=pairs / (k_density * len(fake)),
        coverage=covered / len(real),
    )


def compute(evaluation: SampleEvaluation, config: PrdcConfig) -> list[Score]:
    """The four scores of n samples against the first n test examples."""
    n = paired_count(evaluation, config.n)
    if n <= max(config.k, config.k_density):
        k = max(config.k, config.k_density)
        raise NotAvailable(f"{n} samples are too few for {k} neighbours")
    real, fake = evaluation.features("reference", n), evaluation.features("samples", n)
    found = prdc(real, fake, k=config.k, k_density=config.k_density)
    detail = evaluation.extractor_detail() | sampling_detail(evaluation)
    detail |= {"reference": f"test:{n}"}
    return [
        Score("precision", found.precision, n=n, detail=detail | {"k": config.k}),
        Score("recall", found.recall, n=n, detail=detail | {"k": config.k}),
        Score("density", found.density, n=n, detail=detail | {"k": config.k_density}),
        Score("coverage", found.coverage, n=n, detail=detail | {"k": config.k_density}),
    ]
