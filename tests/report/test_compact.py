"""Compact SVG says the same: what groups held, what styles were, what a cloud's opacity was."""

from __future__ import annotations

import base64
import io
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from benchbench.report.compact import compact

HEAD = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
SVG = "{http://www.w3.org/2000/svg}"


def shortened(inside: str) -> ElementTree.Element:
    root = ElementTree.fromstring(f"<svg {HEAD}>{inside}</svg>")
    compact(root)
    return root


def png(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def test_groups_without_meaning_go_and_their_children_keep_their_order() -> None:
    root = shortened('<g><path d="1"/><g><g/><path d="2"/></g></g><g clip-path="c"><g/></g>')
    assert [(c.tag, c.attrib) for c in root] == [
        (f"{SVG}path", {"d": "1"}),
        (f"{SVG}path", {"d": "2"}),
        (f"{SVG}g", {"clip-path": "c"}),
    ]


def test_a_turn_by_nothing_goes_and_others_stay() -> None:
    root = shortened('<text transform="rotate(-0 1 2)">a</text><text transform="rotate(-90)"/>')
    assert [t.attrib.get("transform") for t in root] == [None, "rotate(-90)"]


def test_a_style_that_all_share_is_said_once_if_it_is_inherited() -> None:
    same = '<use x="1" style="{0}"/><use x="2" style="{0}"/>'
    colour, clear = "fill:var(--c-0,#000);stroke-width:0.6", "fill:red;opacity:0.5"
    root = shortened(f'<g id="a">{same.format(colour)}</g><g id="b">{same.format(clear)}</g>')
    first, second = root
    assert first.attrib["style"] == colour and all("style" not in use.attrib for use in first)
    assert "style" not in second.attrib and all(use.attrib["style"] == clear for use in second)
    mixed = shortened(f'<g id="a"><use style="{colour}"/><use style="fill:red"/></g>')
    assert "style" not in mixed[0].attrib


def test_a_cloud_of_one_colour_keeps_its_colour_and_its_opacity_to_a_level() -> None:
    rng = np.random.default_rng(0)
    pixels = np.zeros((90, 90, 4), dtype=np.uint8)
    pixels[..., :3], pixels[..., 3] = (0, 114, 178), rng.integers(0, 256, (90, 90))
    uri = png(pixels)
    (image,) = shortened(f'<image xlink:href="{uri}"/>')
    (short,) = image.attrib.values()
    assert len(short) < len(uri) / 1.5
    body = base64.b64decode(short.partition(",")[2])
    found = np.asarray(Image.open(io.BytesIO(body)).convert("RGBA")).astype(int)
    assert np.abs(found[..., 3] - pixels[..., 3]).max() <= 255 / 7 / 2 + 1
    assert (found[found[..., 3] > 0][:, :3] == (0, 114, 178)).all()


def test_an_image_of_many_colours_stays_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 4)).astype(np.uint8)
    uri = png(pixels)
    (image,) = shortened(f'<image xlink:href="{uri}"/>')
    assert list(image.attrib.values()) == [uri]
