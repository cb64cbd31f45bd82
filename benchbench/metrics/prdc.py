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
from benchbench.metrics.neighbours import (
    Cloud,
    at_most,
    exact,
    neighbour_distances,
    shared_frame,
    tiles,
)
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
    frame = shared_frame(real, fake)
    x, y = Cloud.of(real, frame), Cloud.of(fake, frame)
    radii = neighbour_distances(x, (k, k_density)) + frame.rounding
    fake_radii = neighbour_distances(y, (k,))[:, 0] + frame.rounding
    precise = torch.zeros(len(fake), dtype=torch.bool, device=fake.device)
    recalled, covered = (torch.zeros_like(precise[:1]).repeat(len(real)) for _ in range(2))
    pairs = 0
    for rows, columns, tile in tiles(x, y):
        i, j, (in_near, in_wide) = _inside(tile, x, y, rows, columns, radii)
        precise[j[in_near]] = True
        covered[i[in_wide]] = True
        pairs += int(in_wide.sum())
        recalled[rows] |= _held(tile, x, y, rows, columns, fake_radii, ~recalled[rows])
    return Prdc(
        precision=float(precise.double().mean()),
        recall=float(recalled.double().mean()),
        density=pairs / (k_density * len(fake)),
        coverage=float(covered.double().mean()),
    )


def _inside(
    tile: Tensor, x: Cloud, y: Cloud, rows: slice, columns: slice, radii: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs (i, j) of a tile, as rows of x and of y, and which balls of x_i hold y_j: (b, p) bool.

    radii: (n, b) squared radii of the balls around each row of x, float64. A pair in no ball may
    be left out.
    """
    radii = radii[rows]
    limits = x.limits(radii)
    i, j = at_most(tile, limits.amax(dim=1))
    value, doubt = tile[i, j], 2 * (x.slack[rows][i] + y.slack[columns][j])
    inside = value <= limits[i].T
    unsure = (inside & (value + doubt > limits[i].T)).any(dim=0).nonzero()[:, 0]
    squared = exact(x.rows[rows], y.rows[columns], i[unsure], j[unsure])
    inside[:, unsure] = squared <= radii[i[unsure]].T
    return i + rows.start, j + columns.start, inside


def _held(
    tile: Tensor, x: Cloud, y: Cloud, rows: slice, columns: slice, radii: Tensor, asked: Tensor
) -> Tensor:
    """Whether each x_i of a tile that is asked for lies in the ball of some y_j: (r,) bool.

    radii: (m,) squared radius of each ball of y, float64. asked: (r,) bool. Wide balls hold many,
    so pairs are looked at only where no bound decides.
    """
    which = asked.nonzero()[:, 0]
    gap = tile.index_select(0, which).sub_(y.limits(radii[columns]))
    lowest = gap.amin(dim=1)
    doubt = 2 * (x.slack[rows][which] + y.slack[columns].max())
    within = lowest <= -doubt
    unsure = ((lowest <= 0) & ~within).nonzero()[:, 0]
    i, j = at_most(gap[unsure], torch.zeros_like(lowest[unsure]))
    squared = exact(x.rows[rows], y.rows[columns], which[unsure[i]], j)
    within[unsure[i[squared <= radii[columns][j]]]] = True
    held = torch.zeros_like(asked)
    held[which] = within
    return held


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
