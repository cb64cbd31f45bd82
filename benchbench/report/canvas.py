"""Empty figures of an exact size in pixels, rasters of images, and files that never differ.

Figures are matplotlib's own objects on the Agg backend: pyplot's global state is left alone.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from benchbench.report.renderers.escape import clean
from benchbench.report.styles import Style
from benchbench.report.vector import to_pdf, to_svg
from benchbench.store.files import write_bytes_atomic

__all__ = [
    "blank",
    "box",
    "fitted",
    "key_columns",
    "plain",
    "publish",
    "save",
    "show",
    "side_by_side",
    "tile",
]

DPI = 100
GAP = 2
"""Pixels between two images of a grid."""
_COLUMNS, _HEAD, _CAPTION = 4, 34, 26
"""Panels side by side; pixels for a title of all, and for the text above a panel."""
_LETTER = 0.9
"""Pixels that a letter of a row's name takes for each point of its size, hardly ever more."""
_LARGEST, _LEAST = 10.0, 6.5
"""Points of a panel's text."""
_KEY, _MARK, _KEY_SIZE = 130, 40, 8.5
"""Of an entry of a legend: pixels at least, those of its mark and margin, points of its text."""
Panel = TypeVar("Panel")


def blank(width: int, height: int) -> Figure:
    """A white figure of this many pixels."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def box(figure: Figure, left: int, top: int, width: int, height: int) -> Axes:
    """Axes on a rectangle given in pixels from the figure's top left corner."""
    across, down = (round(inches * DPI) for inches in figure.get_size_inches())
    return figure.add_axes(
        (left / across, 1 - (top + height) / down, width / across, height / down)
    )


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, atomically, without a date or a version in it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    write_bytes_atomic(path, buffer.getvalue())


PUBLISHED = (".png", ".svg", ".pdf")
"""What `publish` writes of a figure."""


def publish(figure: Figure, path: Path) -> None:
    """Write the figure as PNG at this path, and beside it as SVG and PDF for a paper."""
    save(figure, path)
    write_bytes_atomic(path.with_suffix(".svg"), to_svg(figure))
    write_bytes_atomic(path.with_suffix(".pdf"), to_pdf(figure))


def side_by_side(
    panels: Mapping[str, Panel],
    path: Path,
    title: str,
    size: tuple[int, int],
    room: tuple[int, int],
    draw: Callable[[Axes, str, Panel], tuple[str, Style]],
    left: int = 10,
    edge: tuple[int, int] = (0, 0),
) -> None:
    """A panel for each label, at most four to a line, under one title: PNG, SVG and PDF.

    size: of a panel's axes, room: what it takes beside them, left: of that before them, edge: of
    the figure after the last; all in pixels. draw(axes, label, panel) gives what is said above it
    and in which style.
    """
    columns = min(len(panels), _COLUMNS)
    width, height = (of + more for of, more in zip(size, room, strict=True))
    head = _HEAD if title else 0
    full = head + math.ceil(len(panels) / columns) * height + edge[1]
    figure = blank(columns * width + edge[0], full)
    for place, (label, panel) in enumerate(panels.items()):
        line, column = divmod(place, columns)
        axes = box(figure, column * width + left, head + line * height + _CAPTION, *size)
        text, style = draw(axes, label, panel)
        short, points = fitted(text, width - left)
        axes.set_title(plain(short), fontsize=points, color=style.colour)
    if title:
        figure.text(0.5, 1 - 12 / full, plain(title), ha="center", va="top", fontsize=13)
    publish(figure, path)


def tile(images: ArrayLike, columns: int, scale: int) -> NDArray[np.float64]:
    """(n, C, H, W) images as one raster (height, width, 3) in [0, 1] on white.

    images: n >= 1, uint8 or float in [0, 1]; three channels are colour, one is grey, any other
        number is shown channel beside channel. scale: pixels for each of theirs, a side.
    """
    x = np.asarray(images)
    if x.ndim != 4 or len(x) == 0:
        raise ValueError(f"a grid takes images of shape (n, C, H, W), n >= 1; got {x.shape}")
    unit = x / 255.0 if x.dtype == np.uint8 else np.clip(x.astype(np.float64), 0, 1)
    if unit.shape[1] not in (1, 3):
        unit = np.concatenate([unit[:, c : c + 1] for c in range(unit.shape[1])], axis=3)
    colour = np.broadcast_to(unit, (len(x), 3, *unit.shape[2:])).transpose(0, 2, 3, 1)
    large = colour.repeat(scale, axis=1).repeat(scale, axis=2)
    height, width = large.shape[1:3]
    columns = max(1, min(columns, len(x)))
    rows = math.ceil(len(x) / columns)
    ground = np.ones((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3))
    for k, image in enumerate(large):
        top, left = (k // columns) * (height + GAP), (k % columns) * (width + GAP)
        ground[top : top + height, left : left + width] = image
    return ground


def show(axes: Axes, raster: NDArray[np.float64]) -> None:
    """A raster without axes or smoothing; where the axes have its size, pixel for pixel."""
    axes.imshow(raster, interpolation="nearest", aspect="equal")
    axes.set_axis_off()


def fitted(text: str, width: int) -> tuple[str, float]:
    """The text, cut in the middle where it must be, and the points at which it fits `width` pixels.

    >>> fitted("vae", 252), fitted("ldm[sampler=ab2,steps=8]", 90)
    (('vae', 10.0), ('ldm[sam…teps=8]', 6.5))
    """
    points = min(_LARGEST, width / (_LETTER * max(1, len(text))))
    if points >= _LEAST:
        return text, points
    most = max(3, int(width / (_LETTER * _LEAST)))
    return text[: (most - 1) // 2] + "…" + text[-(most // 2) :], _LEAST


def key_columns(labels: Iterable[str], width: int) -> int:
    """Entries of a legend side by side on `width` pixels."""
    longest = max((len(label) for label in labels), default=0)
    return max(1, int(width // max(_KEY, _MARK + _LETTER * _KEY_SIZE * longest)))


def plain(text: str) -> str:
    """Text that matplotlib prints as it is: a dollar sign starts no formula."""
    return clean(text).replace("$", r"\$")
