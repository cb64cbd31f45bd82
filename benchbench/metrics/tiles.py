"""Squared distances between all pairs of rows, by tiles of proven bounds: no n × n matrix is held.

With the centre of the data at the origin, one matrix product gives a tile of lower bounds

    L_ij = (1 − c)(|x_i|² + |y_j|²) − 2 x_iᵀy_j  <=  |x_i − y_j|²  <=  L_ij + 2c(|x_i|² + |y_j|²)

in float32 where features are many, float64 where they are few; c (f + 16)·eps bounds every rounding
on the way (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, §3.1). A bound decides
what it can decide; the few pairs within rounding of a threshold are taken again in float64, by
differences.

Equal distances can still part in the last bits of float64, so whoever compares distances with `<=`
adds `Frame.rounding` to the larger side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "GROUP",
    "PART",
    "Cloud",
    "Frame",
    "Pile",
    "at_most",
    "exact",
    "shared_frame",
    "squared_distances",
    "tiles",
]

SIDE = {"cpu": 1024, "cuda": 4096}
"""Of a tile, 4 MB in float32; on a GPU 64 MB, for the calls of a small one cost more than its
arithmetic."""
PART = 128
"""Rows that are held in float64 at a time."""
FEW_FEATURES = 32
"""Up to here a product in float64 costs less than what else is done to a tile."""
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
