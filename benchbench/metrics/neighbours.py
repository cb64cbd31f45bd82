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

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from benchbench.metrics.precision import full_float32

__all__ = [
    "Cloud",
    "Frame",
    "Pile",
    "at_most",
    "exact",
    "nearest",
    "neighbour_distances",
    "shared_frame",
    "tiles",
]

SIDE = {"cpu": 1024, "cuda": 4096}
"""Of a tile, 4 MB in float32; on a GPU 64 MB, for the calls of a small one cost more than its
arithmetic."""
PART = 128
"""Rows that are held in float64 at a time."""
FEW_FEATURES = 32
"""Up to here a product in float64 costs less than what else is done to a tile."""
SPARE = 3
"""Candidates beyond the k-th neighbour that are looked at exactly."""
WAITING = 10
"""New candidates of a row, on average, that are sorted in at once."""
GROUP = 16
"""Values of a row or column whose smallest is taken first."""
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

    upper: of x = y, only the tiles on and above the diagonal, of each block of columns the one on
    the diagonal first. A tile's memory is that of the next one. For use within `full_float32`, or
    the bounds are none.
    """
    side, f = _side(x.rows.device), x.rows.shape[1]
    room = x.work.new_empty(side * side)
    for left in range(0, len(y), side):
        columns = slice(left, min(len(y), left + side))
        other = y.work[columns].clone()
        other[:, :f] *= -2
        other[:, f:] = y.work[columns, f:].flip(1)
        for top in range(left, -1, -side) if upper else range(0, len(x), side):
            rows = slice(top, min(len(x), top + side))
            mine = x.work[rows]
            tile = room[: len(mine) * len(other)].view(len(mine), len(other))
            torch.mm(mine, other.T, out=tile)
            yield rows, columns, tile


def _side(device: torch.device) -> int:
    return SIDE.get(device.type, SIDE["cpu"])


def at_most(
    tile: Tensor, limit: Tensor, *, by_column: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Where a contiguous tile (r, c) is at most its row's limit (r,), or its column's (c,).

    Rows and columns, int64, and the values. Cheap where they are few.
    """
    height, width = tile.shape
    bound = limit if by_column else limit[:, None]
    groups = (height if by_column else width) // GROUP
    if by_column:
        body, rest = tile[: groups * GROUP], tile[groups * GROUP :]
        least = body.unflatten(0, (GROUP, groups)).amin(dim=0)
    else:
        body, rest = tile[:, : groups * GROUP], tile[:, groups * GROUP :]
        least = body.unflatten(1, (GROUP, groups)).amin(dim=1)
    first = (least <= bound).flatten().nonzero()[:, 0]
    if by_column:
        owner, stride = first % width, groups * width
    else:
        owner, stride = first // max(groups, 1), groups
        first = first + owner * (width - groups)
    place = first[:, None] + stride * torch.arange(GROUP, device=tile.device)
    value = tile.view(-1).take(place)
    hit = (value <= limit.take(owner)[:, None]).flatten().nonzero()[:, 0]
    place, value = place.take(hit), value.take(hit)
    row = place // width
    column = place - row * width
    if rest.numel():
        i, j = (rest <= bound).nonzero(as_tuple=True)
        row = torch.cat([row, i + groups * GROUP if by_column else i])
        column = torch.cat([column, j if by_column else j + groups * GROUP])
        value = torch.cat([value, rest[i, j]])
    return row, column, value


class Pile:
    """Pairs and their values (p,), kept until there are more than `most`."""

    def __init__(self, most: int) -> None:
        self._most, self._count = most, 0
        self._parts: list[tuple[Tensor, Tensor, Tensor]] = []

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, first: Tensor, second: Tensor, value: Tensor) -> bool:
        """Put them on the pile; whether it is full now."""
        self._parts.append((first, second, value))
        self._count += len(value)
        return self._count > self._most

    def taken(self) -> tuple[Tensor, Tensor, Tensor]:
        """All of them, of a pile with some; it is empty after that."""
        first, second, value = (torch.cat(part) for part in zip(*self._parts, strict=True))
        self._parts, self._count = [], 0
        return first, second, value


def exact(x: Tensor, y: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Squared distances in float64 of the pairs x[rows], y[columns]: (p,).

    By differences; by one product, within rounding, where most of a large block's pairs are asked
    for.
    """
    chunk = max(1, CHUNK_NUMBERS // x.shape[1])
    if len(rows) > chunk:
        (top, bottom), (left, right) = (
            (int(low), int(high) + 1) for low, high in (rows.aminmax(), columns.aminmax())
        )
        if (bottom - top) * (right - left) < min(16 * len(rows), 4 * _side(x.device) ** 2):
            return squared_distances(x[top:bottom], y[left:right])[rows - top, columns - left]
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


@full_float32()
def neighbour_distances(x: Cloud, ks: tuple[int, ...]) -> Tensor:
    """Squared distance of each row to its k-th nearest other row: (n,) -> (n, len(ks)) float64.

    ks: each in [1, n − 1]. A row is no neighbour of itself; its duplicates are.
    """
    if not 1 <= min(ks) <= max(ks) < len(x):
        raise ValueError(f"k must lie in [1, {len(x) - 1}] for {len(x)} rows; got {ks}")
    lower, which = _candidates(x, min(max(ks) + SPARE, len(x) - 1))
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


@full_float32()
def nearest(x: Cloud, y: Cloud, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The nearest y of each x: squared distance, float64, and row of y, int64; (n,) each.

    own: (n,) the row of y that is no neighbour of each x, itself say.
    """
    count = min(1 + SPARE, len(y) - (own is not None))
    lower, which = _candidates_among(x, y, count, own)
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


def _candidates(x: Cloud, count: int) -> tuple[Tensor, Tensor]:
    """Of each x the `count` other rows of least lower bound: the bounds, ascending, and which."""
    blocks: list[_Candidates] = []
    for rows, columns, tile in tiles(x, x, upper=True):
        if rows.start == columns.start:
            tile.fill_diagonal_(torch.inf)
            blocks.append(_Candidates(tile, columns.start, count))
        else:
            side = blocks[0].rows
            blocks[rows.start // side].see(tile, columns.start)
            blocks[columns.start // side].see(tile, rows.start, by_column=True)
    return _joined(blocks)


def _candidates_among(x: Cloud, y: Cloud, count: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """Of each x the `count` y of least lower bound: the bounds, ascending, and which.

    own: the row of y to leave out for each x.
    """
    blocks: dict[int, _Candidates] = {}
    for rows, columns, tile in tiles(x, y):
        if own is not None:
            _leave_out(tile, own[rows], columns.start)
        if rows.start in blocks:
            blocks[rows.start].see(tile, columns.start)
        else:
            blocks[rows.start] = _Candidates(tile, columns.start, count)
    return _joined(blocks.values())


def _joined(blocks: Iterable[_Candidates]) -> tuple[Tensor, Tensor]:
    values, which = zip(*(block.found() for block in blocks), strict=True)
    return torch.cat(values), torch.cat(which)


class _Candidates:
    """The least bounds of a block of rows over the tiles seen so far.

    tile: (r, c), the first; first: the other cloud's row that is its first column. New candidates
    wait until there are `WAITING` a row; a limit that lags behind lets more through, never less.
    """

    def __init__(self, tile: Tensor, first: int, count: int) -> None:
        self.rows = len(tile)
        self._values = tile.new_full((self.rows, count), torch.inf)
        self._which = torch.zeros(tile.shape[0], count, dtype=torch.int64, device=tile.device)
        new, column = _smallest(tile, min(count, tile.shape[1]))
        self._values[:, : new.shape[1]], self._which[:, : new.shape[1]] = new, column + first
        self._limit = self._below()
        self._waiting = Pile(WAITING * self.rows)

    def see(self, tile: Tensor, first: int, *, by_column: bool = False) -> None:
        """A further tile, whose rows are this block's, or by_column its columns.

        first: the other cloud's row that is its first column, or row.
        """
        row, column, value = at_most(tile, self._limit, by_column=by_column)
        mine, other = (column, row) if by_column else (row, column)
        if self._waiting.add(mine, other + first, value):
            self._merge()

    def found(self) -> tuple[Tensor, Tensor]:
        """The least bounds (r, count), ascending, and which rows of the other cloud they are of."""
        self._merge()
        return self._values, self._which

    def _merge(self) -> None:
        if not self._waiting:
            return
        new, which = _padded(self.rows, *self._waiting.taken())
        self._values, self._which = _merged(self._values, self._which, new, which)
        self._limit = self._below()

    def _below(self) -> Tensor:
        """What a new candidate must not exceed (r,): an equal of the last, a duplicate say, is
        none."""
        last = self._values[:, -1]
        return last.nextafter(torch.full_like(last, -torch.inf))


def _merged(values: Tensor, which: Tensor, new: Tensor, new_which: Tensor) -> tuple[Tensor, Tensor]:
    """The least of both, as many as there are values of each row: ascending, and which."""
    both, index = torch.cat([values, new], dim=1), torch.cat([which, new_which], dim=1)
    least, order = both.topk(values.shape[1], dim=1, largest=False)
    return least, index.gather(1, order)


def _padded(rows: int, row: Tensor, which: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Entries (p,) as rows (rows, w), w the most that a row has: values, infinite where there is
    none, and which."""
    row, order = row.sort(stable=True)
    counts = row.bincount(minlength=rows)
    slot = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts).take(row)
    values = value.new_full((rows, int(counts.max())), torch.inf)
    index = torch.zeros_like(values, dtype=torch.int64)
    place = row * values.shape[1] + slot
    values.put_(place, value.take(order))
    index.put_(place, which.take(order))
    return values, index


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
        best, which = _merged(best, which, new, column + start)
    return best, which
