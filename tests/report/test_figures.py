"""Figures: expected size in pixels, the expected picture in them, the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchbench.report.canvas import blank, fitted, tile
from benchbench.report.figures import comparison, mode_scatter, sample_grid
from benchbench.report.strips import seed_strip
from benchbench.report.styles import model_styles

CENTRES = np.array([[x, y] for x in (-2.0, 0.0, 2.0) for y in (-2.0, 0.0, 2.0)])


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def points(modes: np.ndarray, each: int = 50, sigma: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([c + sigma * rng.normal(size=(each, 2)) for c in modes])


def reddish(image: np.ndarray) -> int:
    """Pixels of the colour that marks a missed mode."""
    return int((np.abs(image.astype(int) - (0xC0, 0, 0)).max(axis=2) < 8).sum())


def test_tile_puts_each_pixel_where_it_belongs() -> None:
    images = np.array([[[[0.0, 1.0]]], [[[0.5, 0.25]]], [[[1.0, 0.0]]]])  # (3, 1, 1, 2)
    raster = tile(images, columns=2, scale=2)
    assert raster.shape == (2 * 2 + 2, 2 * 4 + 2, 3)
    assert raster[0, :, 0].tolist() == [0, 0, 1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    assert (raster[2:4] == 1).all() and (raster[4:, 4:] == 1).all()
    assert raster[4, :4, 0].tolist() == [1, 1, 0, 0]


def test_tile_colour_levels_and_channels() -> None:
    colour = np.zeros((1, 3, 1, 1), dtype=np.uint8)
    colour[0, 1] = 255
    assert tile(colour, 1, 1)[0, 0].tolist() == [0, 1, 0]
    assert tile(np.zeros((1, 4, 2, 3)), 1, 1).shape == (2, 12, 3)


def test_sample_grid_shows_the_images_pixel_for_pixel(tmp_path: Path) -> None:
    images = torch.rand(23, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    sample_grid(images, tmp_path / "grid.png", "a title", columns=10)
    image = pixels(tmp_path / "grid.png")
    assert image.shape == (3 * 48 + 2 * 2 + 16 + 28, 10 * 48 + 9 * 2 + 16, 3)
    found = image[8 + 28 + 3 :: 6, 8 + 3 :: 6][:8, :8]
    wanted = images[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(found - wanted).max() <= 1


def test_mode_scatter_marks_what_is_missed(tmp_path: Path) -> None:
    mode_scatter(points(CENTRES), CENTRES, 0.05, tmp_path / "all.png", "gan")
    mode_scatter(points(CENTRES[1:]), CENTRES, 0.05, tmp_path / "one.png", "gan")
    assert pixels(tmp_path / "all.png").shape == (600, 560, 3)
    assert reddish(pixels(tmp_path / "all.png")) == 0
    assert reddish(pixels(tmp_path / "one.png")) > 20


def test_comparison_of_points(tmp_path: Path) -> None:
    real = points(CENTRES)
    samples = {"ldm": real, "gan": points(CENTRES[:3]), "vae": real, "flow": real}
    comparison(real, samples, tmp_path / "c.png", "grid", modes=(CENTRES, 0.05))
    image = pixels(tmp_path / "c.png")
    assert image.shape == (2 * 354 + 34 + 8, 4 * 338 + 8, 3)
    assert reddish(image[: image.shape[0] // 2, 2 * 338 : 3 * 338]) > 20  # the gan's panel
    assert reddish(image[: image.shape[0] // 2, : 2 * 338]) == 0


def test_comparison_of_images(tmp_path: Path) -> None:
    real, fake = np.zeros((64, 1, 8, 8)), np.full((64, 1, 8, 8), 0.5)
    comparison(real, {"vae": fake}, tmp_path / "c.png")
    image = pixels(tmp_path / "c.png")
    assert image.shape == (270 + 34, 2 * 284 + 8, 3)
    assert image[50, 30].tolist() == [0, 0, 0]
    assert abs(int(image[50, 284 + 30, 0]) - 128) <= 1


def test_seed_strip(scores: Any, tmp_path: Path) -> None:
    scores.real("fid", 0.1)
    for place, model in enumerate(("ldm", "v$a$e", "gan")):
        scores.add(model, "fid", [place + 1.0, place + 1.2]).add(model, "recall", [0.5, 0.6])
        scores.add(model, "samples_per_second", [10.0**place, 2 * 1000.0**place])
        scores.add(model, "nfe", [1, 1]).add(model, "train_seconds", [9.0, 9.1])
    drawn = seed_strip(scores.section(), tmp_path / "s.png")
    assert drawn == ["fid", "recall", "samples_per_second"]
    assert pixels(tmp_path / "s.png").shape == (52 + 30 + 90 + 32, 7 * 5 + 16 + 3 * 334, 3)


def test_seed_strip_of_nothing_writes_nothing(scores: Any, tmp_path: Path) -> None:
    scores.fail("gan", 0, "diverged", "nan")
    assert seed_strip(scores.section(), tmp_path / "s.png") == []
    assert not (tmp_path / "s.png").exists()


def test_one_seed_and_a_missing_row_can_be_drawn(scores: Any, tmp_path: Path) -> None:
    scores.add("ldm", "fid", [1.0]).fail("gan", 0, "diverged", "nan")
    assert seed_strip(scores.section(), tmp_path / "s.png") == ["fid"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda p: sample_grid(np.linspace(0, 1, 640).reshape(10, 1, 8, 8), p, "t"),
        lambda p: mode_scatter(points(CENTRES), CENTRES, 0.05, p, "t"),
        lambda p: comparison(points(CENTRES), {"a": points(CENTRES)}, p, modes=(CENTRES, 0.05)),
    ],
)
def test_the_same_input_gives_the_same_bytes(draw: Callable[[Path], None], tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    draw(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_strips_are_deterministic(scores: Any, tmp_path: Path) -> None:
    section = scores.add("ldm", "fid", [1.0, 2.0]).add("vae", "fid", [2.0, 2.5]).section()
    for name in ("a.png", "b.png"):
        seed_strip(section, tmp_path / name)
    for kind in ("png", "svg", "pdf"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_styles_are_distinct_and_follow_the_order_given() -> None:
    labels = [f"model {i}" for i in range(56)]
    styles = model_styles([*labels, "model 0"])
    assert len(set(styles.values())) == 56
    assert model_styles(labels[:3])["model 2"] == styles["model 2"]


def test_wrong_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shape"):
        sample_grid(np.zeros((3, 8, 8)), tmp_path / "x.png")
    with pytest.raises(ValueError, match="shape"):
        mode_scatter(np.zeros((3, 3)), CENTRES, 0.05, tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_tables_load_no_matplotlib() -> None:
    import subprocess
    import sys

    code = (
        "import sys, benchbench.report.tables, benchbench.report.renderers;"
        "print([m for m in ('matplotlib', 'seaborn', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name",
    [
        "vae",
        "ldm[sampler=ab2,schedule=cosine,steps=8]",
        "gan[batch_size=32,gamma=0.25,pack=2]" * 3,
    ],
)
def test_a_panels_name_fits_above_it(name: str) -> None:
    """As matplotlib lays it out; what tells variants apart, the end, is kept."""
    text, points = fitted(name, 240)
    drawn = blank(400, 100).text(0, 0, text, fontsize=points)
    assert drawn.get_window_extent().width <= 240
    assert text[-8:] == name[-8:]
