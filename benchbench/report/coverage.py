"""Coverage of modes that are labels: bars for a few classes, heat maps of 10 × 10 for many.

Mode m of a thousand stands in map ⌊m/100⌋, row ⌊m/10⌋ mod 10, column m mod 10: for stacked digits
the map is the first channel's digit. A mode without a sample is crossed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from benchbench.report.canvas import blank, box
from benchbench.report.styles import Style

__all__ = ["class_bars", "mode_maps"]

_MISSED = "#C00000"
_MAP, _GAP, _EDGE, _HEAD, _ACROSS = 92, 12, 24, 20, 5
_BAR, _HIGH = 26, 130


def mode_maps(counts: ArrayLike) -> Figure:
    """Heat maps of how often each mode was drawn, five to a line, all on one scale.

    counts: (m,) non-negative integers.
    """
    drawn = np.asarray(counts, dtype=np.float64)
    maps = math.ceil(len(drawn) / 100)
    padded = np.full(maps * 100, np.nan)
    padded[: len(drawn)] = drawn
    across = min(_ACROSS, maps)
    lines = math.ceil(maps / across)
    width = _EDGE + across * (_MAP + _GAP)
    figure = blank(width, lines * (_MAP + _HEAD + _GAP) + _GAP)
    top = max(1.0, float(drawn.max()))
    for k, panel in enumerate(padded.reshape(maps, 10, 10)):
        left = _EDGE + (k % across) * (_MAP + _GAP)
        axes = box(figure, left, _HEAD + (k // across) * (_MAP + _HEAD + _GAP), _MAP, _MAP)
        shown = np.ma.masked_invalid(np.where(panel == 0, np.nan, panel))
        axes.imshow(shown, cmap="cividis", vmin=0, vmax=top, interpolation="nearest")
        rows, columns = np.nonzero(panel == 0)
        axes.plot(columns, rows, "x", color=_MISSED, markersize=3.6, markeredgewidth=0.9)
        axes.set(xlim=(-0.5, 9.5), ylim=(9.5, -0.5))
        axes.set_title(f"{k}··", fontsize=8.5, pad=3)
        axes.set_xticks([0, 9])
        axes.set_yticks([0, 9] if k % across == 0 else [])
        axes.tick_params(labelsize=6.5, length=2, pad=1.5)
        for side in axes.spines.values():
            side.set_linewidth(0.5)
    return figure


def class_bars(shares: Sequence[float], true: Sequence[float], style: Style, top: float) -> Figure:
    """Per cent of samples in each class, a line across each bar where the test split has it.

    top: of the axis, shared by figures that stand side by side. A class without a sample is
    crossed.
    """
    width = _BAR * len(shares)
    figure = blank(width + 54, _HIGH + 40)
    axes = box(figure, 42, 10, width, _HIGH)
    places = range(len(shares))
    axes.bar(places, shares, color=style.colour, width=0.72)
    axes.hlines(true, [p - 0.45 for p in places], [p + 0.45 for p in places], colors="black")
    missed = [p for p in places if shares[p] == 0]
    axes.plot(missed, [top * 0.03] * len(missed), "x", color=_MISSED, markersize=7)
    axes.set(xlim=(-0.6, len(shares) - 0.4), ylim=(0, top))
    axes.set_xticks(list(places))
    axes.set_ylabel("% of samples", fontsize=8.5)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure
