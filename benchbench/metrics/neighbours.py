"""Euclidean nearest neighbours by tiles: no n × n matrix is ever held, and nothing is guessed.

With the centre of the data at the origin, one matrix product gives a tile of lower bounds

    L_ij = (1 − c)(|x_i|² + |y_j|²) − 2 x_iᵀy_j  <=  |x_i − y_j|²  <=  L_ij + 2c(|x_i|² + |y_j|²)

in float32 where features are many, float64 where they are few; c (f + 16)·eps bounds every rounding
on the way (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, §3.1). A bound decides
what it can decide; the few pairs within rounding of a threshold are taken again in float64, by
differences. Neighbours are proven: the k-th is final where it lies below the bound of all rows that
were not looked at exactly, and else that row is searched again in float64.

Equal distances can still part in the last bits of float64, so whoever compares distances with `<=`
adds `Frame.rounding` to the larger side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from benchbench.metrics.precision import full_float32

__all__ = [
    "Cloud",
    "Frame",
    "at_most",
    "exact",
    "nearest",
    "neighbour_distances",
    "shared_frame",
    "tiles",
]

ROWS, COLUMNS = 1024, 2048
"""A tile: 8 MB in float32. Of rows, a few at a time are held in float64."""
GPU_SIDE = 4096
"""Of a tile on a GPU, where the calls of a small one cost more than its arithmetic: 64 MB."""
PART = 128
FEW_FEATURES = 32
"""Up to here a product in float64 costs less than what else is done to a tile."""
MANY_FEATURES = 256
"""From here on half of a symmetric product is worth saving."""
SPARE = 6
"""Candidates beyond the k-th neighbour that are looked at exactly."""
GROUP = 16
"""Columns whose smallest value is taken first."""
CHUNK_NUMBERS = 200_000
TINY = 1e-100
"""Scale of sets that are one point."""


@dataclass(frozen=True)
class Frame:
    """One origin and one scale for all clouds that are compared: no norm overflows or vanishes."""

    centre: Tensor
    scale: float
    dtype: torch.dtype

    @property
    def rounding(self) -> float:
        """A bound on the rounding error in float64 of a squared distance within it."""
        return 8 * (len(self.centre) + 4) * torch.finfo(torch.float64).eps * self.scale**2


@dataclass(frozen=True)
class Cloud:
    """Rows as they were given, (n, f), and ready for products in a frame.

    work: (n, f + 2): x, (1 − c)|x|², 1. slack: (n,) c|x|², in the frame's dtype and scale.
    """

    rows: Tensor
    work: Tensor
    slack: Tensor
    frame: Frame

    @classmethod
    def of(cls, x: Tensor, frame: Frame) -> Cloud:
        """x: (n, f) of any real dtype."""
        n, f = x.shape
        work = x.new_empty(n, f + 2, dtype=frame.dtype)
        slack = x.new_empty(n, dtype=frame.dtype)
        c = (f + 16) * torch.finfo(frame.dtype).eps
        for start in range(0, n, PART):
            rows = slice(start, min(n, start + PART))
            part = x[rows].to(torch.float64, copy=True).sub_(frame.centre).div_(frame.scale)
            norm = part.square().sum(dim=1)
            work[rows, :f] = part
            work[rows, f] = norm * (1 - c)
            slack[rows] = norm * c
        work[:, f + 1] = 1
        return cls(x, work, slack, frame)

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, rows: Tensor) -> Cloud:
        """The cloud of some of the rows, by index."""
        return Cloud(self.rows[rows], self.work[rows], self.slack[rows], self.frame)

    def limits(self, squared: Tensor) -> Tensor:
        """Squared distances (n,) float64 in the units of tiles."""
        return (squared / self.frame.scale**2).to(self.frame.dtype)


def shared_frame(*sets: Tensor, dtype: torch.dtype | None = None) -> Frame:
    """The frame of sets (n, f): centred on the first, the longest row about 1 long.

    dtype: of tiles; None: by the number of features.
    """
    # Off the first row, so that the centre of constant features is that constant, exactly.
    first = sets[0][0].double()
    total = torch.zeros_like(first)
    for part in sets[0].split(PART):
        total += (part.double() - first).sum(dim=0)
    centre = first + total / len(sets[0])
    if dtype is None:
        dtype = torch.float64 if len(first) <= FEW_FEATURES else torch.float32
    return Frame(centre, max(_longest(x, centre) for x in sets) ** 0.5 or TINY, dtype)


def _longest(x: Tensor, centre: Tensor) -> float:
    parts = x.split(PART)
    return max(float((p.double() - centre).square().sum(dim=1).max()) for p in parts)


def tiles(x: Cloud, y: Cloud, *, upper: bool = False) -> Iterator[tuple[slice, slice, Tensor]]:
    """Lower bounds of squared distances, as (rows of x, rows of y, (r, c) in the frame's units).

    upper: of x = y, only the tiles on and above the diagonal; they are square. A tile's memory is
    that of the next one.
    """
    f = x.rows.shape[1]
    height, width = _tile_shape(x.rows.device, square=upper or f >= MANY_FEATURES)
    room = x.work.new_empty(height * width)
    for left in range(0, len(y), width):
        columns = slice(left, min(len(y), left + width))
        other = y.work[columns].clone()
        other[:, :f] *= -2
        other[:, f:] = y.work[columns, f:].flip(1)
        for top in range(0, columns.stop if upper else len(x), height):
            rows = slice(top, min(len(x), top + height))
            mine = x.work[rows]
            tile = room[: len(mine) * len(other)].view(len(mine), len(other))
            with full_float32():
                torch.mm(mine, other.T, out=tile)
            yield rows, columns, tile


def _tile_shape(device: torch.device, *, square: bool) -> tuple[int, int]:
    if device.type == "cuda":
        return GPU_SIDE, GPU_SIDE
    return ROWS, ROWS if square else COLUMNS


def at_most(tile: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    """Where tile (r, c) <= limit (r,): rows and columns, int64. Cheap where few are."""
    width = tile.shape[1]
    groups = width // GROUP
    body = tile[:, : groups * GROUP].unflatten(1, (GROUP, groups))
    row, group = (body.amin(dim=1) <= limit[:, None]).nonzero(as_tuple=True)
    member = groups * torch.arange(GROUP, device=tile.device)
    value = tile.flatten().take((row * width + group)[:, None] + member)
    hit, place = (value <= limit[row, None]).nonzero(as_tuple=True)
    rest_row, rest = (tile[:, groups * GROUP :] <= limit[:, None]).nonzero(as_tuple=True)
    rows = torch.cat([row[hit], rest_row])
    return rows, torch.cat([group[hit] + groups * place, rest + groups * GROUP])


def exact(x: Tensor, y: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Squared distances in float64 of the pairs x[rows], y[columns]: (p,).

    By differences; by one product, within rounding, where most of all pairs are asked for.
    """
    if len(rows) > len(x) * len(y) // 16:
        return squared_distances(x, y)[rows, columns]
    chunk = max(1, CHUNK_NUMBERS // x.shape[1])
    squared = x.new_empty(len(rows), dtype=torch.float64)
    for start in range(0, len(rows), chunk):
        i, j = rows[start : start + chunk], columns[start : start + chunk]
        gap = x[i].double().sub_(y[j])
        torch.sum(gap.square_(), dim=1, out=squared[start : start + chunk])
    return squared


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """All squared distances in float64, within rounding: (n, f), (m, f) -> (n, m)."""
    centre = shared_frame(y).centre
    x, y = x.double() - centre, y.double() - centre
    squared = torch.addmm(y.square().sum(dim=1), x, y.T, alpha=-2)
    return squared.add_(x.square().sum(dim=1, keepdim=True)).clamp_(min=0)


def neighbour_distances(x: Cloud, ks: tuple[int, ...]) -> Tensor:
    """Squared distance of each row to its k-th nearest other row: (n,) -> (n, len(ks)) float64.

    ks: each in [1, n − 1]. A row is no neighbour of itself; its duplicates are.
    """
    if not 1 <= min(ks) <= max(ks) < len(x):
        raise ValueError(f"k must lie in [1, {len(x) - 1}] for {len(x)} rows; got {ks}")
    here = torch.arange(len(x), device=x.rows.device)
    lower, which = _candidates(x, x, min(max(ks) + SPARE, len(x) - 1), here)
    last = lower[:, -1].double() * x.frame.scale**2
    if which.shape[1] == len(x) - 1:
        last.fill_(torch.inf)
    found = {k: _kth(x, k, lower, which) for k in sorted(set(ks))}
    proven = (found[max(ks)] <= last) | (found[max(ks)] == 0)
    for part in _parts(~proven):
        found_again, _ = _searched(x.rows[part], x.rows, max(ks), part)
        for k, squared in found.items():
            squared[part] = found_again[:, k - 1]
    return torch.stack([found[k] for k in ks], dim=1)


def _parts(where: Tensor) -> Iterator[Tensor]:
    """The rows (n,) at which it is true, `PART` at a time; nothing where there is none."""
    rows = where.nonzero()[:, 0]
    yield from rows.split(PART) if len(rows) else ()


def _kth(x: Cloud, k: int, lower: Tensor, which: Tensor) -> Tensor:
    """The k-th least squared distance of each row to its candidates, (n,) float64.

    lower, which: (n, c) as of `_candidates`. Exact are those that bounds leave in question.
    """
    upper = lower + 2 * (x.slack[:, None] + x.slack[which])
    before = upper < lower[:, k - 1 : k]
    within = ~before & (lower <= upper.kthvalue(k, dim=1, keepdim=True).values)
    squared = torch.full_like(lower, torch.inf, dtype=torch.float64)
    squared[before] = -torch.inf
    row, column = within.nonzero(as_tuple=True)
    squared[within] = exact(x.rows, x.rows, row, which[row, column])
    return squared.kthvalue(k, dim=1).values


def nearest(x: Cloud, y: Cloud, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The nearest y of each x: squared distance, float64, and row of y, int64; (n,) each.

    own: (n,) the row of y that is no neighbour of each x, itself say.
    """
    count = min(1 + SPARE, len(y) - (own is not None))
    lower, which = _candidates(x, y, count, own)
    row = torch.arange(len(x), device=which.device)[:, None].expand_as(which)
    squared = exact(x.rows, y.rows, row.flatten(), which.flatten()).view_as(lower)
    least, at = squared.min(dim=1)
    found = which.gather(1, at[:, None])[:, 0]
    proven = (least <= lower[:, -1].double() * x.frame.scale**2) | (least == 0)
    if count < len(y) - (own is not None):
        for part in _parts(~proven):
            skipped = None if own is None else own[part]
            distance, index = _searched(x.rows[part], y.rows, 1, skipped)
            least[part], found[part] = distance[:, 0], index[:, 0]
    return least, found


def _candidates(x: Cloud, y: Cloud, count: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """Of each x the `count` y of least lower bound: the bounds, ascending, and which.

    own: the row of y to leave out for each x. Where x is y, half the products are saved.
    """
    values = x.slack.new_full((len(x), count), torch.inf)
    which = torch.zeros(len(x), count, dtype=torch.int64, device=values.device)
    upper = x is y and x.rows.shape[1] >= MANY_FEATURES
    for rows, columns, tile in tiles(x, y, upper=upper):
        if own is not None:
            _leave_out(tile, own[rows], columns.start)
        _take(values[rows], which[rows], tile, columns.start)
        if upper and rows.start < columns.start:
            _take(values[columns], which[columns], tile.T.contiguous(), rows.start)
    return values, which


def _take(values: Tensor, which: Tensor, tile: Tensor, first: int) -> None:
    """Merge a tile (r, c) into the least values found so far, in place: (r, count) each.

    first: the row of y that is the tile's first column. Once there are `count` values, only what is
    not above the last of them is looked at.
    """
    count = values.shape[1]
    if not bool(values[:, -1].isfinite().all()):
        new, column = _smallest(tile, min(count, tile.shape[1]))
        touched = torch.arange(len(tile), device=tile.device)
    else:
        row, place = at_most(tile, values[:, -1])
        if not len(row):
            return
        touched, which_touched = row.unique(return_inverse=True)
        new, column = _padded(which_touched, place, tile[row, place])
    both = torch.cat([values[touched], new], dim=1)
    index = torch.cat([which[touched], column + first], dim=1)
    values[touched], order = both.topk(count, dim=1, largest=False)
    which[touched] = index.gather(1, order)


def _padded(row: Tensor, column: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Entries (p,) as rows (r, w), w the most that a row has: values, infinite where there is none,
    and columns."""
    order = row.argsort(stable=True)
    counts = row.bincount()
    slot = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row[order]]
    values = value.new_full((len(counts), int(counts.max())), torch.inf)
    columns = torch.zeros_like(values, dtype=torch.int64)
    values[row[order], slot] = value[order]
    columns[row[order], slot] = column[order]
    return values, columns


def _leave_out(tile: Tensor, own: Tensor, first: int) -> None:
    """Set to infinity the column own − first of each row, where the tile has it."""
    row = ((own >= first) & (own < first + tile.shape[1])).nonzero()[:, 0]
    tile[row, own[row] - first] = torch.inf


def _smallest(tile: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` smallest of each row and their columns, through the minima of groups."""
    groups = tile.shape[1] // GROUP
    if groups <= 2 * count:
        found = tile.topk(count, dim=1, largest=False)
        return found.values, found.indices
    minima = tile[:, : groups * GROUP].unflatten(1, (GROUP, groups)).amin(dim=1)
    chosen = minima.topk(count, dim=1, largest=False).indices
    members = groups * torch.arange(GROUP, device=tile.device)
    column = (chosen[:, :, None] + members).flatten(1)
    rest = torch.arange(groups * GROUP, tile.shape[1], device=tile.device)
    column = torch.cat([column, rest.expand(len(tile), -1)], dim=1)
    values, order = tile.gather(1, column).topk(count, dim=1, largest=False)
    return values, column.gather(1, order)


def _searched(x: Tensor, y: Tensor, k: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """The k least squared distances of each x to a y, in float64: ascending, and which; (r, k)."""
    best = torch.full((len(x), k), torch.inf, dtype=torch.float64, device=x.device)
    which = torch.zeros(len(x), k, dtype=torch.int64, device=x.device)
    for start in range(0, len(y), 4 * PART):
        squared = squared_distances(x, y[start : start + 4 * PART])
        if own is not None:
            _leave_out(squared, own, start)
        new, column = _smallest(squared, min(k, squared.shape[1]))
        index = torch.cat([which, column + start], dim=1)
        best, order = torch.cat([best, new], dim=1).topk(k, dim=1, largest=False)
        which = index.gather(1, order)
    return best, which
