"""Euclidean nearest neighbours, a tile of rows at a time: no n × n matrix is ever held.

    |x − y|² = |x|² + |y|² − 2 xᵀy      in float64, after moving the centre of x to the origin

Rounding can part two distances that are equal, so whoever compares distances with `<=` adds
`rounding(x, y)` to the larger side.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["distance_tiles", "neighbour_distances", "rounding"]

TILE_NUMBERS = 4_000_000
"""Distances in one tile: 32 MB."""


def distance_tiles(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of x: (n, f) to y: (m, f), as (rows of x, (rows, m) float64 >= 0)."""
    x, y = _centred(x, y)
    y_norm = y.square().sum(dim=1)
    rows = max(1, TILE_NUMBERS // max(1, len(y)))
    for start in range(0, len(x), rows):
        tile = x[start : start + rows]
        squared = torch.addmm(y_norm, tile, y.T, alpha=-2)
        squared += tile.square().sum(dim=1, keepdim=True)
        yield slice(start, start + len(tile)), squared.clamp_(min=0)


def neighbour_distances(x: Tensor, ks: tuple[int, ...]) -> Tensor:
    """Squared distance of each row to its k-th nearest other row: (n, f) -> (n, len(ks)).

    ks: each in [1, n − 1]. A row is no neighbour of itself; its duplicates are.
    """
    if not 1 <= min(ks) <= max(ks) < len(x):
        raise ValueError(f"k must lie in [1, {len(x) - 1}] for {len(x)} rows; got {ks}")
    found = []
    for rows, squared in distance_tiles(x, x):
        here = torch.arange(rows.start, rows.stop, device=x.device)
        squared[here - rows.start, here] = torch.inf
        nearest = squared.topk(max(ks), dim=1, largest=False, sorted=True).values
        found.append(nearest[:, [k - 1 for k in ks]])
    return torch.cat(found)


def rounding(x: Tensor, y: Tensor) -> float:
    """A bound on the rounding error of a squared distance within or between x and y."""
    x, y = _centred(x, y)
    largest = max(float(t.square().sum(dim=1).max()) for t in (x, y))
    return 8 * (x.shape[1] + 4) * torch.finfo(torch.float64).eps * largest


def _centred(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = x.double(), y.double()
    centre = x.mean(dim=0)
    return x - centre, y - centre
