"""Signals as lines: many windows in a grid, every row of a data set on one scale.

A window x_1 … x_T of a channel is drawn from left to right within a cell of the grid; values are
in original units, and one range, that of the central 99 % of held-out data, fits every cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from benchbench.report.canvas import blank, box, side_by_side
from benchbench.report.styles import REAL, REAL_LABEL, Style

__all__ = ["signal_comparison", "signal_figure", "signal_range"]

SIDE = 4
"""Windows to a line of the grid."""
_WIDE, _HIGH, _GAP = 72, 52, 0.12
_FADED = (1.0, 0.6, 0.4)
"""Opacity of the first, second and later channels."""


def signal_range(x: ArrayLike) -> tuple[float, float]:
    """Least and largest value that cells have room for: 99 % of signals x (n, C, T), and a tenth
    more at either end."""
    values = np.asarray(x, dtype=np.float64)
    low, high = np.quantile(values[np.isfinite(values)], [0.005, 0.995])
    reach = max(float(high - low), 1e-9)
    return float(low) - reach / 10, float(high) + reach / 10


def signal_figure(
    samples: ArrayLike,
    span: tuple[float, float],
    style: Style,
    nearest: ArrayLike | None = None,
    columns: int = SIDE,
) -> Figure:
    """Signals (n, C, T), n >= 1, in a grid; `nearest` (n, C, T) black and thin over them."""
    x = _signals(samples)
    lines = math.ceil(len(x) / columns)
    width = _WIDE * (columns if nearest is None else SIDE)
    figure = blank(width, lines * _HIGH)
    axes = box(figure, 0, 0, width, lines * _HIGH)
    _draw(axes, x, span, style, columns, 1.1 if nearest is None else 2.0)
    if nearest is not None:
        _draw(axes, _signals(nearest), span, REAL, columns, 0.8)
    return figure


def signal_comparison(
    real: ArrayLike,
    samples: Mapping[str, ArrayLike],
    path: Path,
    title: str = "",
    styles: Mapping[str, Style] | None = None,
) -> None:
    """Held-out signals and those of every row, a panel each on one scale: PNG, SVG and PDF."""
    panels = {REAL_LABEL: real, **samples}
    span = signal_range(real)

    def draw(axes: Axes, label: str, array: ArrayLike) -> tuple[str, Style]:
        style = (styles or {}).get(label, REAL)
        _draw(axes, _signals(array)[: SIDE * SIDE], span, style, SIDE)
        return label, style

    side_by_side(panels, path, title, (SIDE * _WIDE, SIDE * _HIGH), (20, 34), draw)


def _draw(
    axes: Axes,
    x: NDArray[np.float64],
    span: tuple[float, float],
    style: Style,
    columns: int,
    thick: float = 1.1,
) -> None:
    """Signals x (n, C, T): axes in cells of the grid, the first at the top left."""
    low, high = span
    n, channels, length = x.shape
    place = np.arange(n)
    across = np.linspace(_GAP / 2, 1 - _GAP / 2, length)
    up = np.clip((x - low) / (high - low), 0, 1) * (1 - _GAP) + _GAP / 2
    for c in range(channels):
        lines = np.empty((n, length, 2))
        lines[..., 0] = (place % columns)[:, None] + across
        lines[..., 1] = -1.0 - (place // columns)[:, None] + up[:, c]
        drawn = LineCollection(
            list(lines),
            colors=style.colour,
            linewidths=thick,
            alpha=_FADED[min(c, len(_FADED) - 1)],
        )
        axes.add_collection(drawn)
    axes.set(xlim=(0, columns), ylim=(-float(math.ceil(n / columns)), 0))
    axes.set_axis_off()


def _signals(array: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(array, dtype=np.float64)
    if x.ndim != 3 or 0 in x.shape:
        raise ValueError(f"signals have the shape (n, C, T), none of them 0; got {x.shape}")
    return x
