"""Coverage of classes and of a thousand modes: what is missing is marked, on one scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchbench.report.coverage import (
    ClassShares,
    class_panels,
    class_shares,
    mode_maps,
    mode_panels,
    shares_top,
)
from benchbench.report.styles import model_styles


def reddish(path: Path) -> np.ndarray:
    """Where a PNG has the colour that marks what is missing."""
    image = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return np.abs(image - (0xC0, 0, 0)).max(axis=2) < 60


def test_a_mode_stands_where_its_digits_say() -> None:
    counts = np.full(1000, 26.0)
    counts[735] = 52.0  # map 7, row 3, column 5
    (axes, _) = mode_maps(counts).axes
    (image,) = axes.images
    sheet = image.get_array()
    assert sheet.shape == (2 * 13, 5 * 11 - 1)
    place = np.unravel_index(np.ma.argmax(sheet), sheet.shape)
    assert place == (13 + 2 + 3, 2 * 11 + 5)
    assert sheet[place] == 52 * 1000 / counts.sum()
    assert np.ma.count(sheet) == 1000
    assert [t.get_text() for t in axes.texts] == [f"{k}··" for k in range(10)]


def test_brightness_has_one_scale_whatever_was_drawn() -> None:
    even, one = np.full(1000, 5.0), np.zeros(1000)
    one[3] = 5000.0
    limits = {mode_maps(counts).axes[0].images[0].get_clim() for counts in (even, one)}
    assert limits == {(0.0, 2.0)}


def test_panels_of_every_row_in_three_formats(tmp_path: Path) -> None:
    full, poor = np.full(1000, 26), np.full(1000, 26)
    poor[:100] = 0
    path = tmp_path / "coverage.png"
    mode_panels({"real": full, "gan": poor}, path, "stacked", model_styles(["gan"]))
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".pdf", ".png", ".svg"]
    red = reddish(path)
    half = red.shape[1] // 2
    assert red[:, :half].sum() == 0 and red[:, half:].sum() > 300
    first = {p.suffix: p.read_bytes() for p in tmp_path.iterdir()}
    mode_panels({"real": full, "gan": poor}, path, "stacked", model_styles(["gan"]))
    assert {p.suffix: p.read_bytes() for p in tmp_path.iterdir()} == first


def test_other_numbers_of_modes_can_be_mapped(tmp_path: Path) -> None:
    for modes in (101, 250, 1000):
        mode_panels({"a": np.ones(modes)}, tmp_path / f"{modes}.png", "t", {})


def test_no_samples_are_all_missing(tmp_path: Path) -> None:
    mode_panels({"a": np.zeros(1000)}, tmp_path / "none.png", "t", {})
    assert reddish(tmp_path / "none.png").sum() > 3000


def test_class_shares_are_read_from_the_scores(scores: Any) -> None:
    detail = {"shares": [60.0, 0.0, 40.0], "true_shares": [30.0, 30.0, 40.0]}
    scores.add("gan", "class_kl", {0: 0.5}, detail=detail)
    scores.add("gan", "class_kl", {0: 0.5}, detail=detail, budget="5step")
    scores.add("ldm", "recall", [0.5])
    found = class_shares(scores.tables().sections)
    assert [(r.row, r.budget) for r in found] == [("gan", "1000000flop"), ("gan", "5step")]
    assert found[0].missed == [1] and found[0].said == "2 of 3 classes; missing: 1"
    assert shares_top(found) == 60 * 1.08


def test_class_panels_mark_what_is_missing(tmp_path: Path) -> None:
    true = (50.0, 50.0)
    rows = [ClassShares("a", "", (50.0, 50.0), true), ClassShares("b", "", (100.0, 0.0), true)]
    path = tmp_path / "classes.png"
    class_panels(rows, path, "digits", model_styles(["a", "b"]))
    red = reddish(path)
    half = red.shape[1] // 2
    assert red[:, half:].sum() > 10
    class_panels(rows[:1], path, "digits", model_styles(["a", "b"]))
    assert {p.suffix for p in tmp_path.iterdir()} == {".pdf", ".png", ".svg"}
