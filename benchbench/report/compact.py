"""Smaller SVG that looks the same: groups without meaning, turns by nothing, styles said once,
and clouds of dots in one colour as images of eight levels."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
from PIL import Image

__all__ = ["compact"]

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_PNG = "data:image/png;base64,"
_INHERITED = re.compile(r"(?:fill|stroke)(?:-[a-z]+)?:[^;]+(?:;(?:fill|stroke)(?:-[a-z]+)?:[^;]+)*")
_LEVELS = 7
"""Steps of opacity above nothing in the image of a cloud."""


def compact(root: ElementTree.Element) -> None:
    """Shorten a cleaned SVG in place."""
    for element in root.iter():
        turn = element.attrib.get("transform", "")
        if turn.startswith("rotate(-0 ") and turn.count("(") == 1:
            del element.attrib["transform"]
        image = element.attrib.get(_LINK, "")
        if image.startswith(_PNG):
            element.attrib[_LINK] = _cloud(image)
    _flatten(root)
    for group in root.iter(f"{_SVG}g"):
        _hoist(group)


def _flatten(parent: ElementTree.Element) -> None:
    """Replace groups without attributes by their children, and drop empty ones."""
    for child in list(parent):
        _flatten(child)
    if all(c.tag != f"{_SVG}g" or c.attrib for c in parent):
        return
    children: list[ElementTree.Element] = []
    for child in parent:
        bare = child.tag == f"{_SVG}g" and not child.attrib
        children.extend(child if bare else [child])
    parent[:] = children


def _hoist(group: ElementTree.Element) -> None:
    """Say a style that all children share once; only properties that children inherit."""
    styles = {child.attrib.get("style", "") for child in group}
    if len(group) < 2 or len(styles) != 1 or "style" in group.attrib:
        return
    (style,) = styles
    if not _INHERITED.fullmatch(style) or any(child.tag == f"{_SVG}defs" for child in group):
        return
    group.attrib["style"] = style
    for child in group:
        del child.attrib["style"]


def _cloud(uri: str) -> str:
    """The image of a cloud of one colour with a palette of opacities; any other as it is."""
    content = base64.b64decode(uri.removeprefix(_PNG))
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    alpha = pixels[..., 3]
    seen = pixels[alpha > 64][:, :3].astype(int)  # the colour of faint pixels is rounded away
    if len(seen) == 0 or np.ptp(seen, axis=0).max() > 12:
        return uri
    colour = np.median(seen, axis=0).astype(np.uint8)
    levels = np.rint(alpha / 255 * _LEVELS).astype(np.uint8)
    image = Image.fromarray(levels, mode="P")
    image.putpalette(bytes(np.tile(colour, _LEVELS + 1)))
    opacities = bytes(round(255 * k / _LEVELS) for k in range(_LEVELS + 1))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True, bits=4, transparency=opacities)
    short = buffer.getvalue()
    if len(short) >= len(content):
        return uri
    return _PNG + base64.b64encode(short).decode("ascii")
