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
from benchbench.metrics.neighbours import neighbour_distances
from benchbench.metrics.precision import full_float32
from benchbench.metrics.specs_quality import PrdcConfig
from benchbench.metrics.tiles import Cloud, Pile, at_most, exact, shared_frame, tiles

__all__ = ["Prdc", "compute", "prdc"]

MANY_PAIRS = 1 << 17
"""Of points and balls that are decided at once."""


@dataclass(frozen=True)
class Prdc:
    """The four values; all in [0, 1] but density, which is >= 0."""

    precision: float
    recall: float
    density: float
    coverage: float


@full_float32()
def prdc(real: Tensor, fake: Tensor, *, k: int = 3, k_density: int = 5) -> Prdc:
    """real: (n, f), fake: (m, f); k of precision and recall, k_density of density and coverage."""
    frame = shared_frame(real, fake)
    x, y = Cloud.of(real, frame), Cloud.of(fake, frame)
    around_real = _Balls(x, y, neighbour_distances(x, (k, k_density)) + frame.rounding)
    around_fake = _Balls(y, x, neighbour_distances(y, (k,)) + frame.rounding)
    for rows, columns, tile in tiles(x, y):
        i, j, bound = at_most(tile, around_real.limit[rows])
        around_real.see(i + rows.start, j + columns.start, bound)
        recalled = around_fake.held[0, rows]
        if bool(recalled.any()):
            tile[recalled] = torch.inf  # a wide ball holds many, of which one is enough
        i, j, bound = at_most(tile, around_fake.limit[columns], by_column=True)
        around_fake.see(j + columns.start, i + rows.start, bound)
    around_real.settle()
    around_fake.settle()
    return Prdc(
        precision=float(around_real.held[0].double().mean()),
        recall=float(around_fake.held[0].double().mean()),
        density=int(around_real.pairs[1]) / (k_density * len(fake)),
        coverage=float(around_real.holding[1].double().mean()),
    )


class _Balls:
    """Closed balls around the rows of a cloud (n), and what they hold of another (m).

    radii: (n, b) squared, float64: b balls around each row. limit: (n,) the widest, in the units of
    tiles. held: (b, m) whether a point lies in some ball; holding: (b, n) whether a ball has some
    point; pairs: (b,) how many have been seen. All are of what was settled: pairs wait until there
    are many.
    """

    def __init__(self, centres: Cloud, points: Cloud, radii: Tensor) -> None:
        self._centres, self._points, self._radii = centres, points, radii.T
        self._limits = centres.limits(self._radii)
        self.limit = self._limits.amax(dim=0)
        flags = torch.zeros_like(self._radii, dtype=torch.bool)
        self.held = flags[:, :1].repeat(1, len(points))
        self.holding = flags
        self.pairs = flags.sum(dim=1)
        self._waiting = Pile(MANY_PAIRS)

    def see(self, centre: Tensor, point: Tensor, bound: Tensor) -> None:
        """Pairs (p,) by row, and the lower bound of their squared distance in the units of tiles.

        A pair in no ball may be left out.
        """
        if self._waiting.add(centre, point, bound):
            self.settle()

    def settle(self) -> None:
        """Decide what is waiting; bounds first, and exact distances where they leave a doubt."""
        if not self._waiting:
            return
        i, j, bound = self._waiting.taken()
        limits = self._limits[:, i]
        doubt = 2 * (self._centres.slack[i] + self._points.slack[j])
        inside = bound <= limits
        unsure = (inside & (bound + doubt > limits)).any(dim=0).nonzero()[:, 0]
        squared = exact(self._centres.rows, self._points.rows, i[unsure], j[unsure])
        inside[:, unsure] = squared <= self._radii[:, i[unsure]]
        self.pairs += inside.sum(dim=1)
        for held, holding, which in zip(self.held, self.holding, inside, strict=True):
            held[j[which]] = True
            holding[i[which]] = True


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
