"""Images as data URIs: grids of samples, and samples above their nearest training examples."""

from __future__ import annotations

import base64
import io

import numpy as np
import torch
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchbench.metrics.neighbours import nearest
from benchbench.metrics.tiles import Cloud, shared_frame
from benchbench.report.canvas import tile
from benchbench.report.renderers.escape import clean

__all__ = ["PAIRS", "data_uri", "grid_image", "nearest_training"]

PAIRS = 8
"""Samples whose nearest training example is shown."""
_CHUNK = 8_192
"""Training examples searched at once."""


def data_uri(raster: NDArray[np.float64], drawn: NDArray[np.bool_]) -> str:
    """A raster (h, w, 3) in [0, 1] as PNG, transparent where nothing is drawn (h, w)."""
    levels = np.rint(raster * 255).astype(np.uint8)
    alpha = np.where(drawn, 255, 0).astype(np.uint8)
    grey = bool((levels == levels[..., :1]).all())
    colour = levels[..., :1] if grey else levels
    image = Image.fromarray(np.concatenate([colour, alpha[..., None]], axis=2))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def grid_image(images: Tensor, columns: int, alt: str) -> Markup:
    """Images (n, C, H, W) in [0, 1], a grid of `columns`, a pixel each; the page enlarges them."""
    raster = tile(images, columns, 1)
    drawn = tile(torch.zeros_like(images), columns, 1)[..., 0] == 0
    height, width = raster.shape[:2]
    element = Markup('<img src="{}" width="{}" height="{}" alt="{}">')
    return element.format(data_uri(raster, drawn), width, height, clean(alt))


def nearest_training(samples: Tensor, train: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest training example of each sample, by Euclidean distance of pixel levels.

    samples: (n, …), train: (t, …), as stored. Returns the squared distance (n,) and the index
    (n,).
    """
    x = samples.flatten(1).float()
    best = torch.full((len(x),), torch.inf, dtype=torch.float64)
    which = torch.zeros(len(x), dtype=torch.int64)
    for start in range(0, len(train), _CHUNK):
        y = train[start : start + _CHUNK].flatten(1).float()
        frame = shared_frame(y, x)
        squared, index = nearest(Cloud.of(x, frame), Cloud.of(y, frame))
        closer = squared < best
        best[closer], which[closer] = squared[closer], index[closer] + start
    return best, which
