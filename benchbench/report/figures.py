"""Figures of samples: image grids, scatter plots over the true modes, side by side.

Arrays are numpy arrays or CPU tensors. The same input gives the same bytes. Importing this module
loads matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from benchbench.report.canvas import blank, box, plain, save, show, side_by_side, tile
from benchbench.report.styles import MISSED, REAL, REAL_LABEL, Style, model_styles

__all__ = [
    "SCATTER",
    "comparison",
    "mode_figure",
    "mode_scatter",
    "sample_grid",
    "scatter_figure",
]

_TITLE = 28
_MARGIN = 8
_PANEL = 300
_IMAGE_SIDE = 48
_PANEL_IMAGES = 64
_DEFAULT = Style("#0072B2", "o")
SCATTER = 2_500
"""Points of a row that a scatter plot shows."""


def sample_grid(images: ArrayLike, path: Path, title: str = "", columns: int = 10) -> None:
    """Images side by side, a grid of `columns`, each enlarged without smoothing.

    images: (n, C, H, W), n >= 1, uint8 or float in [0, 1]; three channels are colour, one is
        grey, any other number is shown channel beside channel.
    """
    raster = tile(images, columns, scale=_scale(images))
    height, width = raster.shape[:2]
    top = _TITLE if title else 0
    figure = blank(width + 2 * _MARGIN, height + 2 * _MARGIN + top)
    show(box(figure, _MARGIN, _MARGIN + top, width, height), raster)
    if title:
        y = 1 - (_MARGIN + top / 2 - 4) / (height + 2 * _MARGIN + top)
        figure.text(0.5, y, plain(title), ha="center", va="center", fontsize=10)
    save(figure, path)


def mode_scatter(
    samples: ArrayLike,
    centres: ArrayLike,
    sigma: float,
    path: Path,
    title: str = "",
    style: Style = _DEFAULT,
) -> None:
    """Samples (n, 2) over the true modes (m, 2) with circles of 3 sigma; missed modes crossed.

    A mode is missed when no sample lies within 3 sigma of it. What lies outside the frame round
    the modes is counted in the title.
    """
    figure, said = mode_figure(samples, centres, sigma, style, side=506, head=46)
    figure.axes[0].set_title(plain(f"{title}: {said}" if title else said), fontsize=11)
    save(figure, path)


def mode_figure(
    samples: ArrayLike,
    centres: ArrayLike,
    sigma: float,
    style: Style = _DEFAULT,
    side: int = 300,
    head: int = 8,
) -> tuple[Figure, str]:
    """The same without a title, its axes `side` pixels wide; and what there is to say of it.

    head: pixels above the axes.
    """
    x, c = _points(samples), _points(centres)
    figure = blank(side + 54, side + head + 48)
    axes = box(figure, 44, head, side, side)
    missed = _draw_modes(axes, x, c, sigma, style)
    left, right, bottom, top = limits = _limits(c, 6 * sigma)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.tick_params(labelsize=9)
    outside = int((~_inside(x, limits)).sum())
    said = f"{len(c) - missed} of {len(c)} modes, n = {len(x):,}"
    return figure, said + (f", {outside:,} outside the frame" if outside else "")


def scatter_figure(samples: ArrayLike, frame: ArrayLike, style: Style) -> Figure:
    """Samples (n, 2) alone, in a frame that holds the points (m, 2) of `frame`."""
    figure = blank(354, 356)
    axes = box(figure, 44, 8, 300, 300)
    _scatter_panel(axes, _points(samples), None, style, _limits(_points(frame)))
    axes.tick_params(labelsize=9)
    return figure


def comparison(
    real: ArrayLike,
    samples: Mapping[str, ArrayLike],
    path: Path,
    title: str = "",
    modes: tuple[ArrayLike, float] | None = None,
    styles: Mapping[str, Style] | None = None,
) -> None:
    """Held-out data and the samples of every row, a panel each, under the same axes.

    real, samples: (n, 2) points, or (n, C, H, W) images in [0, 1]; samples by row label.
    modes: centres (m, 2) and sigma, drawn with points. styles: of the whole result's labels.
    """
    panels = {REAL_LABEL: np.asarray(real), **{k: np.asarray(v) for k, v in samples.items()}}
    looks = {**(styles or model_styles(samples)), REAL_LABEL: REAL}

    def look(label: str) -> Style:
        return looks.get(label, _DEFAULT)

    if panels[REAL_LABEL].ndim == 4:
        rasters = {label: _panel_raster(images) for label, images in panels.items()}

        def draw_images(axes: Axes, label: str, raster: NDArray[np.float64]) -> tuple[str, Style]:
            show(axes, raster)
            return label, look(label)

        height, width = rasters[REAL_LABEL].shape[:2]
        side_by_side(
            rasters, path, title, (width, height), (14, 34), draw_images, edge=(_MARGIN, 0)
        )
        return
    limits = _limits(_span(panels[REAL_LABEL], modes))

    def draw_points(axes: Axes, label: str, array: NDArray[Any]) -> tuple[str, Style]:
        said = _scatter_panel(axes, _points(array), modes, look(label), limits)
        return label + said, look(label)

    room = (38, 54)  # for tick labels and the panel's title
    edge = (_MARGIN, _MARGIN)
    side_by_side(panels, path, title, (_PANEL, _PANEL), room, draw_points, left=34, edge=edge)


def _scatter_panel(
    axes: Axes,
    x: NDArray[np.float64],
    modes: tuple[ArrayLike, float] | None,
    style: Style,
    limits: tuple[float, float, float, float],
) -> str:
    """Draw points x (n, 2); returns what the panel's title says of modes."""
    said = ""
    if modes is None:
        axes.scatter(x[:, 0], x[:, 1], s=2, **_dots(style))
    else:
        centres = _points(modes[0])
        missed = _draw_modes(axes, x, centres, modes[1], style)
        said = f": {len(centres) - missed} of {len(centres)} modes"
    axes.set(xlim=limits[:2], ylim=limits[2:])
    axes.tick_params(labelsize=7)
    return said


def _draw_modes(
    axes: Axes, x: NDArray[np.float64], centres: NDArray[np.float64], sigma: float, style: Style
) -> int:
    """Scatter x (n, 2) over circles of 3 sigma round centres (m, 2); returns how many it missed."""
    size = max(0.4, min(6.0, 6_000 / max(1, len(x))))
    axes.scatter(x[:, 0], x[:, 1], s=size, zorder=2, **_dots(style))
    distance = np.linalg.norm(x[:, None] - centres[None], axis=2)
    hit = (distance <= 3 * sigma).any(axis=0)
    for found, colour in ((True, "#444444"), (False, MISSED)):
        chosen = centres[hit == found]
        diameter = np.full(len(chosen), 6 * sigma)
        rings = EllipseCollection(
            diameter,
            diameter,
            np.zeros(len(chosen)),
            units="x",
            offsets=chosen,
            offset_transform=axes.transData,
            facecolors="none",
            edgecolors=colour,
            linewidths=0.8,
            zorder=3,
        )
        axes.add_collection(rings)
    gone = centres[~hit]
    axes.scatter(gone[:, 0], gone[:, 1], marker="x", s=80, color=MISSED, linewidths=1.4, zorder=4)
    return len(gone)


def _dots(style: Style) -> dict[str, Any]:
    """How a cloud of samples is drawn; thousands of dots stay an image in a vector figure."""
    return {"color": style.colour, "alpha": 0.5, "linewidths": 0, "rasterized": True}


def _panel_raster(images: NDArray[Any]) -> NDArray[np.float64]:
    """The first images of a row as a square grid of at most 64, about 270 pixels a side."""
    side = max(1, math.isqrt(min(len(images), _PANEL_IMAGES)))
    scale = max(1, 256 // (side * images.shape[2])) if images.ndim == 4 else 1
    return tile(images[: side * side], side, scale)


def _span(real: NDArray[Any], modes: tuple[ArrayLike, float] | None) -> NDArray[np.float64]:
    """The points that every panel's axes must hold: real data, and centres where known."""
    x = _points(real)
    return x if modes is None else np.concatenate([x, _points(modes[0])])


def _limits(x: NDArray[np.float64], margin: float = 0.0) -> tuple[float, float, float, float]:
    """left, right, bottom, top of the square that holds x (n, 2), a twelfth and `margin` more."""
    low, high = x.min(axis=0), x.max(axis=0)
    middle = (low + high) / 2
    reach = max(float((high - low).max()) * (0.5 + 1 / 12) + margin, 1e-6)
    (left, bottom), (right, top) = middle - reach, middle + reach
    return float(left), float(right), float(bottom), float(top)


def _inside(x: NDArray[np.float64], limits: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    left, right, bottom, top = limits
    across = (left <= x[:, 0]) & (x[:, 0] <= right)
    return across & (bottom <= x[:, 1]) & (x[:, 1] <= top)


def _points(array: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(array, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"a scatter plot takes points of shape (n, 2); got {x.shape}")
    return x


def _scale(images: ArrayLike) -> int:
    """How often a pixel is repeated, so that an image is some 48 pixels high."""
    shape = np.shape(images)
    return max(1, _IMAGE_SIDE // shape[2]) if len(shape) == 4 else 1
