"""Coverage of modes that are labels: bars for a few classes, heat maps of 10 × 10 for many.

Mode m of a thousand stands in map ⌊m/100⌋, row ⌊m/10⌋ mod 10, column m mod 10: for stacked digits
the map is the first channel's digit. Brightness is c_m / (n/M), the count of mode m over its even
share of n samples, cut at 2, on one scale everywhere. A mode without a sample is crossed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from benchbench.report.canvas import blank, box, fitted, plain, publish
from benchbench.report.styles import MISSED, REAL, REAL_MUTED, Style
from benchbench.report.tree import Section

__all__ = [
    "ClassShares",
    "class_bars",
    "class_panels",
    "class_shares",
    "mode_maps",
    "mode_panels",
    "shares_top",
]

_CELL, _ACROSS, _PITCH, _DOWN = 9, 5, 11, 13
"""Pixels of a mode; maps to a line; modes from one map to the next, across and down."""
_TOP = 2.0
_ARM = 0.24
"""Reach of a cross from the middle of its mode."""
_EDGE, _FOOT, _TITLE, _HEAD = 8, 44, 26, 34
_BAR, _HIGH, _AXIS = 26, 130, 56
"""Pixels of a bar across and of its axis upwards, and left of the axis."""


@dataclass(frozen=True)
class ClassShares:
    """Per cent of a row's samples, and of the test split, in each class. row: its label."""

    row: str
    budget: str
    shares: tuple[float, ...]
    true: tuple[float, ...]

    @property
    def missed(self) -> list[int]:
        """Classes without a sample."""
        return [k for k, share in enumerate(self.shares) if share == 0]

    @property
    def covered(self) -> str:
        """`8 of 10 classes`."""
        return f"{len(self.shares) - len(self.missed)} of {len(self.shares)} classes"

    @property
    def said(self) -> str:
        """`8 of 10 classes; missing: 2, 5`."""
        missed = f"; missing: {', '.join(map(str, self.missed))}" if self.missed else ""
        return self.covered + missed


def class_shares(sections: Sequence[Section]) -> list[ClassShares]:
    """What the scores of these sections say of classes, of the first seed of each row."""
    found = [
        ClassShares(
            row.label,
            "" if row.kind == "real" else row.key.budget,
            tuple(cell.detail["shares"]),
            tuple(cell.detail["true_shares"]),
        )
        for section in sections
        for row in section.rows
        for column, cell in zip(section.columns, row.cells, strict=True)
        if column.spec.name == "class_kl" and "shares" in cell.detail
    ]
    return list({(shares.row, shares.budget): shares for shares in found}.values())


def shares_top(rows: Sequence[ClassShares]) -> float:
    """The top of an axis, in per cent, that all of them fit under."""
    return max((max(*r.shares, *r.true) for r in rows), default=0.0) * 1.08


# --- heat maps ----------------------------------------------------------------------------------


def _extent(modes: int) -> tuple[int, int]:
    """Pixels (width, height) that the maps of so many modes take."""
    maps = math.ceil(modes / 100)
    across = min(_ACROSS, maps)
    return (_PITCH * across - 1) * _CELL, _DOWN * math.ceil(maps / across) * _CELL


def mode_maps(counts: ArrayLike) -> Figure:
    """How often each mode was drawn, with its scale beneath.

    counts: (m,) non-negative integers.
    """
    drawn = np.asarray(counts, dtype=np.float64)
    width, height = _extent(len(drawn))
    figure = blank(width + 2 * _EDGE, height + _FOOT)
    _draw_maps(box(figure, _EDGE, 0, width, height), drawn)
    _draw_scale(figure, _EDGE, height + 10)
    return figure


def mode_panels(
    rows: Mapping[str, ArrayLike], path: Path, title: str, styles: Mapping[str, Style]
) -> None:
    """The maps of every row, by label, in one figure: PNG, SVG and PDF."""
    read = {label: np.asarray(counts, dtype=np.float64) for label, counts in rows.items()}
    width, height = _extent(max(map(len, read.values())))
    columns = min(2, len(read))
    lines = math.ceil(len(read) / columns)
    full = _HEAD + lines * (height + _TITLE) + _FOOT
    figure = blank(columns * (width + 3 * _EDGE) + _EDGE, full)
    for place, (label, counts) in enumerate(read.items()):
        left = 2 * _EDGE + (place % columns) * (width + 3 * _EDGE)
        top = _HEAD + (place // columns) * (height + _TITLE)
        axes = box(figure, left, top + _TITLE, width, height)
        _draw_maps(axes, counts)
        found = f"{label}: {int((counts > 0).sum()):,} of {len(counts):,} modes"
        colour = styles.get(label, REAL).colour
        y = 1 - (top + 6) / full
        figure.text(
            left / (figure.get_figwidth() * figure.dpi),
            y,
            plain(found),
            va="top",
            fontsize=min(10, 900 / len(found)),
            color=colour,
        )
    _draw_scale(figure, 2 * _EDGE, full - _FOOT + 8)
    figure.text(0.5, 1 - 10 / full, plain(title), ha="center", va="top", fontsize=12)
    publish(figure, path)


def _draw_maps(axes: Axes, counts: NDArray[np.float64]) -> None:
    """All maps as one image; axes in units of modes, from their top left corner."""
    modes, n = len(counts), counts.sum()
    share = counts * modes / n if n else counts
    maps = math.ceil(modes / 100)
    across = min(_ACROSS, maps)
    shape = (_DOWN * math.ceil(maps / across), _PITCH * across - 1)
    sheet = np.full(shape, np.nan)
    gone: list[tuple[int, int]] = []
    for k in range(maps):
        top, left = _DOWN * (k // across) + 2, _PITCH * (k % across)
        panel = np.full(100, np.nan)
        here = share[100 * k : 100 * (k + 1)]
        panel[: len(here)] = np.where(here == 0, np.nan, here)
        sheet[top : top + 10, left : left + 10] = panel.reshape(10, 10)
        gone += [(top + i // 10, left + i % 10) for i in np.flatnonzero(here == 0).tolist()]
        axes.text(left + 4.5, top - 0.8, f"{k}··", ha="center", va="bottom", fontsize=7.5)
        frame = Rectangle((left - 0.5, top - 0.5), 10, 10, fill=False, edgecolor="#444444")
        frame.set(linewidth=0.6, clip_on=False)
        axes.add_patch(frame)
    image = np.ma.masked_invalid(sheet)
    axes.imshow(image, cmap="cividis", vmin=0, vmax=_TOP, interpolation="nearest", aspect="auto")
    axes.plot(*_crosses(gone), color=MISSED, linewidth=0.7)
    axes.set(xlim=(-0.5, shape[1] - 0.5), ylim=(shape[0] - 0.5, -0.5))
    axes.set_axis_off()


def _crosses(places: Sequence[tuple[int, int]]) -> tuple[list[float], list[float]]:
    """x and y of one line that crosses every (row, column): a tenth the size of markers in SVG."""
    x: list[float] = []
    y: list[float] = []
    for row, column in places:
        x += [column - _ARM, column + _ARM, math.nan, column - _ARM, column + _ARM, math.nan]
        y += [row - _ARM, row + _ARM, math.nan, row + _ARM, row - _ARM, math.nan]
    return x, y


def _draw_scale(figure: Figure, left: int, top: int) -> None:
    """What brightness means: a bar from 0 to the top of the scale."""
    axes = box(figure, left, top, 120, 8)
    ramp = np.linspace(0, _TOP, 64)[None]
    axes.imshow(ramp, cmap="cividis", vmin=0, vmax=_TOP, aspect="auto", extent=(0, _TOP, 0, 1))
    axes.set_yticks([])
    axes.set_xticks([0, 1, 2], ["0", "1", "≥ 2"])
    axes.tick_params(labelsize=7, length=2, pad=1.5)
    for side in axes.spines.values():
        side.set_visible(False)
    text = "times its even share;  ×  no sample"
    axes.text(_TOP + 0.15, 0.5, text, va="center", ha="left", fontsize=7.5, clip_on=False)


# --- bars ---------------------------------------------------------------------------------------


def class_bars(shares: Sequence[float], true: Sequence[float], style: Style, top: float) -> Figure:
    """Per cent of samples in each class, a line across each bar where the test split has it.

    top: of the axis, shared by figures that stand side by side. A class without a sample is
    crossed.
    """
    width = _BAR * len(shares)
    figure = blank(width + _AXIS + 8, _HIGH + 40)
    _draw_bars(box(figure, _AXIS, 10, width, _HIGH), shares, true, style, top)
    return figure


def class_panels(
    rows: Sequence[ClassShares], path: Path, title: str, styles: Mapping[str, Style]
) -> None:
    """The bars of every row in one figure: PNG, SVG and PDF."""
    top = shares_top(rows)
    width, line = _BAR * max(len(r.shares) for r in rows), _HIGH + 62
    columns = max(1, min(len(rows), 1300 // (width + _AXIS + 12), 4))
    full = _HEAD + 18 + math.ceil(len(rows) / columns) * line
    figure = blank(columns * (width + _AXIS + 12), full)
    for place, row in enumerate(rows):
        left, head = (place % columns) * (width + _AXIS + 12) + _AXIS, (place // columns) * line
        axes = box(figure, left, _HEAD + 18 + head + 26, width, _HIGH)
        style = styles.get(row.row, REAL_MUTED)  # grey, so that black lines are seen on it
        _draw_bars(axes, row.shares, row.true, style, top)
        said, points = fitted(f"{row.row}: {row.covered}", width)
        axes.set_title(plain(said), fontsize=points, color=style.colour)
    figure.text(0.5, 1 - 10 / full, plain(title), ha="center", va="top", fontsize=12)
    legend = "bars: samples; lines: test split; ×: no sample"
    figure.text(0.5, 1 - 34 / full, legend, ha="center", va="top", fontsize=8.5, color="#555555")
    publish(figure, path)


def _draw_bars(
    axes: Axes, shares: Sequence[float], true: Sequence[float], style: Style, top: float
) -> None:
    places = range(len(shares))
    axes.bar(places, shares, color=style.colour, width=0.72)
    axes.hlines(true, [p - 0.45 for p in places], [p + 0.45 for p in places], colors="black")
    missed = [p for p in places if shares[p] == 0]
    axes.plot(missed, [top * 0.04] * len(missed), "x", color=MISSED, markersize=7)
    axes.set(xlim=(-0.6, len(shares) - 0.4), ylim=(0, top))
    axes.set_xticks(list(places))
    axes.set_ylabel("% of samples", fontsize=8.5)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
