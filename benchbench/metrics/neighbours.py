"""Euclidean nearest neighbours, each proven.

The lower bounds of `benchbench.metrics.tiles` choose a few candidates of each row, which are taken
again in float64. The k-th is final where it lies below the bound of all rows that were not looked
at exactly, and else that row is searched again in float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from benchbench.metrics.precision import full_float32
from benchbench.metrics.tiles import (
    GROUP,
    PART,
    Cloud,
    Pile,
    at_most,
    exact,
    squared_distances,
    tiles,
)

__all__ = ["nearest", "neighbour_distances"]

SPARE = 3
"""Candidates beyond the k-th neighbour that are looked at exactly."""
WAITING = 10
"""New candidates of a row, on average, that are sorted in at once."""


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
