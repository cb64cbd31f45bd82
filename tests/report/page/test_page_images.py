"""Images, neighbours and vector figures of a page: what is shown is what is there."""

from __future__ import annotations

import base64
import io
import math
from xml.etree import ElementTree

import numpy as np
import torch
from PIL import Image

from benchbench.report.canvas import blank, box
from benchbench.report.coverage import class_bars, mode_maps
from benchbench.report.page.images import grid_image, nearest_training
from benchbench.report.page.samples import LEVELS, grid_sizes
from benchbench.report.styles import Style
from benchbench.report.vector import inline_svg

CROSS = "var(--bad)"


def decoded(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGBA"))


def test_a_grid_keeps_every_pixel_and_its_gaps_are_transparent() -> None:
    images = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    element = ElementTree.fromstring(str(grid_image(images, 3, 'a "name" <b>')).replace(">", "/>"))
    assert element.attrib["alt"] == 'a "name" <b>'
    image = decoded(element.attrib["src"])
    assert (element.attrib["width"], element.attrib["height"]) == ("16", "10")
    assert image.shape == (4 + 2 + 4, 3 * 4 + 2 * 2, 4)
    shown = image[:4, 6:10, :3].astype(float)
    assert np.abs(shown - images[1].permute(1, 2, 0).numpy() * 255).max() <= 0.5 + 1e-6
    assert (image[:, 4:6, 3] == 0).all() and (image[6:, 12:, 3] == 0).all()
    assert (image[:4, :4, 3] == 255).all()


def test_neighbours_are_the_nearest_by_brute_force() -> None:
    generator = torch.Generator().manual_seed(0)
    train = torch.randint(0, 17, (9_000, 1, 3, 3), generator=generator, dtype=torch.uint8)
    samples = torch.cat([train[[8_500, 3]], train[:6] // 2])
    squared, which = nearest_training(samples, train)
    x, y = (z.flatten(1).double() for z in (samples, train))
    brute = (x[:, None] - y[None]).square().sum(2)
    assert torch.equal(squared, brute.min(1).values)
    assert torch.equal(brute.gather(1, which[:, None])[:, 0], squared)
    assert squared[:2].tolist() == [0, 0]


def test_grids_shrink_so_that_a_page_of_many_rows_stays_small() -> None:
    assert grid_sizes((1, 8, 8), 4, 8) == (8, 8)
    assert grid_sizes((3, 64, 64), 4, 8) == (4, 7)
    for shape in ((1, 28, 28), (3, 32, 32), (3, 64, 64)):
        side, pairs = grid_sizes(shape, 50, 250)
        shown = (side**2 + 2 * pairs) * math.prod(shape) * 250
        assert side >= 2 and pairs >= 1
        assert shown <= LEVELS or (side, pairs) == (2, 1)


def test_missing_modes_are_crossed_one_by_one() -> None:
    counts = torch.full((1000,), 26)
    counts[[0, 5, 999]] = 0
    svg = inline_svg(mode_maps(counts), "m-", "map")
    paths = [e.attrib for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("path")]
    (crosses,) = [a["d"] for a in paths if CROSS in a.get("style", "")]
    assert crosses.count("M") == 2 * 3  # two strokes each
    full = inline_svg(mode_maps(torch.ones(1000)), "m-", "map")
    assert CROSS not in full


def test_missing_classes_are_crossed() -> None:
    style = Style("#0072B2", "o")
    svg = inline_svg(class_bars([50.0, 0.0, 50.0], [30.0, 30.0, 40.0], style, 60.0), "c-", "bars")
    uses = [e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("use")]
    assert sum(CROSS in e.attrib.get("style", "") for e in uses) == 1
    assert svg.count("var(--c-0072b2,#0072b2)") == 3


def test_an_inline_figure_has_its_own_ids_and_no_style_sheet() -> None:
    figure = blank(200, 100)
    axes = box(figure, 20, 10, 160, 70)
    axes.plot([0, 1], [0, 1], marker="o", label="<b>")
    axes.set_title("<script>alert(1)</script> & ]]>")
    texts = [inline_svg(figure, prefix, 'a "label" <i>') for prefix in ("a-", "b-")]
    roots = [ElementTree.fromstring(text) for text in texts]
    ids = [{e.attrib["id"] for e in root.iter() if "id" in e.attrib} for root in roots]
    assert ids[0] and not ids[0] & ids[1]
    assert all(name.startswith("a-") for name in ids[0])
    assert roots[0].attrib["aria-label"] == 'a "label" <i>' and roots[0].attrib["role"] == "img"
    assert "<style" not in texts[0] and "<script" not in texts[0] and "<metadata" not in texts[0]
    assert texts[0] == inline_svg(figure, "a-", 'a "label" <i>')
