"""One image file as a square of RGB levels, or the reason why it is refused.

Orientation as EXIF says; transparency composited on white; grey, palette, CMYK and 16-bit images
brought to 8-bit RGB; the central square resized with PIL's Lanczos filter, whose support grows with
the reduction, so that the result is antialiased (Parmar et al., "On Aliased Resizing and
Surprising Subtleties in GAN Evaluation", 2022).
"""

from __future__ import annotations

import logging
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from benchbench.api.errors import one_line

__all__ = ["SUFFIXES", "Refused", "decode"]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that PIL decodes by itself; EPS, which runs another program, is not among them."""
SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib", "gif", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm"),
    )
)
MAX_PIXELS = 89_478_485
"""PIL's own bound: a larger image would take more than 256 MiB to decode."""


logging.getLogger("PIL").setLevel(logging.CRITICAL)
# Its complaints about damaged files would stand among the bench's own lines, without a file name.


class Refused(Exception):
    """Why a file is not used, for a person."""


def decode(path: Path, size: int, *, exact: bool = False) -> np.ndarray:
    """uint8 (3, size, size); raises Refused.

    exact: whether an image of another size is refused instead of resized.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Refused("not a regular file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                if exact and image.size != (size, size):
                    width, height = image.size
                    raise Refused(f"{width} x {height} pixels, not {size} x {size}")
                return _square(image, size)
    except Refused:
        raise
    except UnidentifiedImageError:
        raise Refused(f"not an image of a known format ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError:
        raise Refused(f"more than {MAX_PIXELS:,} pixels") from None
    except Exception as error:  # decoders raise anything on damaged files
        text = one_line(str(error)) or type(error).__name__
        raise Refused(f"damaged: {text[:120]}") from None


def _square(image: Image.Image, size: int) -> np.ndarray:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Refused(f"{width:,} x {height:,} pixels, more than {MAX_PIXELS:,} in all")
    if min(width, height) < size:
        raise Refused(f"{width} x {height} pixels, smaller than {size} x {size}")
    image.load()
    rgb = _rgb(ImageOps.exif_transpose(image))
    square = ImageOps.fit(rgb, (size, size), Image.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB on white."""
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64)
        if levels.min() < 0 or levels.max() > 65_535:
            raise Refused("whole numbers outside 0 to 65,535")
        image = Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    elif image.mode == "F":
        raise Refused("floating-point levels, whose range is not known")
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image.convert("RGB")
