"""Figures as vectors: SVG and PDF files whose bytes depend on the figure alone, and SVG for a page.

In a page, ink, muted ink, grid lines and paper follow the page's colours (the CSS variables of
`THEMED`), text stays text, and ids carry a prefix, so that many figures share one document.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import partial
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

from benchbench.report.compact import compact
from benchbench.report.styles import COLOURS

__all__ = ["COARSE_DPI", "RASTER_DPI", "THEMED", "inline_svg", "to_pdf", "to_svg"]

THEMED = {
    "#000000": "currentColor",
    "#555555": "var(--muted)",
    "#444444": "var(--muted)",
    "#dddddd": "var(--line)",
    "#ffffff": "var(--paper)",
    "#c00000": "var(--bad)",
}
"""What a figure's neutral colours become in a page; the colours of models stay."""

RASTER_DPI, COARSE_DPI = 150, 90
"""Of what is rasterised within a vector figure, clouds of thousands of points; the second where
a page has very many."""

_MODELS = frozenset(colour.lower() for colour in COLOURS)
_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_DROPPED = frozenset(["metadata", "style"])
_LONG = re.compile(r"-?\d*\.\d+(?:e-?\d+)?")
_DIGITS = {"d": 1, "x": 1, "y": 1, "points": 1, "width": 2, "height": 2, "transform": 3}
"""Decimals of each attribute, in points."""
_SALT = "benchbench"


def to_svg(figure: Figure) -> bytes:
    """For a paper: letters are outlines, so that it looks the same everywhere."""
    return _saved(figure, "svg", {"svg.fonttype": "path"}, {"Date": None, "Creator": None})


def to_pdf(figure: Figure) -> bytes:
    """For a paper, with TrueType fonts embedded, which publishers ask for."""
    undated: dict[str, str | None] = {"CreationDate": None, "Creator": None, "Producer": None}
    return _saved(figure, "pdf", {"pdf.fonttype": 42}, undated)


def _saved(
    figure: Figure, kind: str, options: dict[Any, Any], metadata: dict[str, str | None], **more: Any
) -> bytes:
    buffer = io.BytesIO()
    more = {"dpi": RASTER_DPI, **more}
    with mpl.rc_context({"svg.hashsalt": _SALT, **options}):
        figure.savefig(buffer, format=kind, metadata=metadata, **more)
    return buffer.getvalue()


def inline_svg(figure: Figure, prefix: str, label: str, dpi: int = RASTER_DPI) -> str:
    """An `<svg role="img">` element for a page; label: what it shows, for those who can't see it.

    prefix: of its ids, distinct within the page.
    """
    undated: dict[str, str | None] = {"Date": None, "Creator": None}
    raw = _saved(figure, "svg", {"svg.fonttype": "none"}, undated, transparent=True, dpi=dpi)
    root = ElementTree.fromstring(raw)
    _drop(root)
    width = float(root.attrib["width"].removesuffix("pt")) * 4 / 3
    root.attrib.update({"role": "img", "aria-label": label, "width": f"{width:.0f}"})
    root.attrib.pop("height")
    root.attrib.pop("version", None)
    used = {target for element in root.iter() for target in _references(element)}
    for element in root.iter():
        _clean(element, used, prefix)
    compact(root)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ElementTree.tostring(root, encoding="unicode")


def _drop(parent: ElementTree.Element) -> None:
    """Remove metadata and the style sheet, which would hold for the whole page, and blank text."""
    for child in list(parent):
        if child.tag.rpartition("}")[2] in _DROPPED:
            parent.remove(child)
            continue
        _drop(child)
        child.tail = None
        if child.text is not None and not child.text.strip():
            child.text = None
        if child.tag == f"{{{_SVG}}}defs" and len(child) == 0:
            parent.remove(child)
    parent.text = None if parent.text is None or not parent.text.strip() else parent.text


def _references(element: ElementTree.Element) -> Iterator[str]:
    for value in element.attrib.values():
        yield from re.findall(r"url\(#([^)]+)\)", value)
    if element.attrib.get(_LINK, "").startswith("#"):
        yield element.attrib[_LINK][1:]


def _clean(element: ElementTree.Element, used: set[str], prefix: str) -> None:
    attributes = element.attrib
    if "id" in attributes:
        if attributes["id"] in used:
            attributes["id"] = prefix + attributes["id"]
        else:
            del attributes["id"]
    for name, value in list(attributes.items()):
        if name == _LINK and value.startswith("#"):
            attributes[name] = f"#{prefix}{value[1:]}"
            continue
        if "url(#" in value:
            value = value.replace("url(#", f"url(#{prefix}")
        if name in _DIGITS:
            value = " ".join(_LONG.sub(partial(_rounded, _DIGITS[name]), value).split())
        if name == "style":
            value = _themed(value)
        attributes[name] = value


def _rounded(digits: int, match: re.Match[str]) -> str:
    return f"{float(match[0]):.{digits}f}".rstrip("0").rstrip(".")


def _colour(value: str) -> str:
    """A model's colour is a variable of its own, so that a page may brighten it on dark ground."""
    if value in THEMED:
        return THEMED[value]
    return f"var(--c-{value[1:]},{value})" if value in _MODELS else value


def _themed(style: str) -> str:
    """A style attribute in the page's colours and, for text, its font."""
    parts = []
    for part in style.split(";"):
        name, _, value = (text.strip() for text in part.partition(":"))
        if name == "font":
            size = re.search(r"([\d.]+)px", value)
            parts.append(f"font-size:{size[1] if size else 10}px")
        elif name and not name.startswith("font-"):
            parts.append(f"{name}:{_colour(value)}")
        elif name == "font-size":
            parts.append(f"{name}:{value}")
    return ";".join(parts)
