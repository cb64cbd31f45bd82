"""The Pareto front by its definition; figures of quality against cost with the same bytes twice."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from benchbench.report.styles import model_styles
from benchbench.report.tradeoffs import (
    Point,
    front,
    front_figure,
    leading,
    nfe_figure,
    points,
    write_tradeoffs,
)
from benchbench.report.tree import Row, RowKey


def point(x: float, y: float) -> Point:
    row = Row(RowKey(f"{x},{y}", "", "", ""), "model", f"{x},{y}", "1", ())
    return Point(row, x, y, None, None)


@pytest.mark.parametrize("best", list(product(("max", "min"), repeat=2)))
def test_the_front_is_what_no_point_dominates(best: tuple[str, str]) -> None:
    grid = [point(float(x), float(y)) for x, y in product(range(1, 5), repeat=2) if x + y <= 5]
    found = {(p.x, p.y) for p in front(grid, *best)}
    wanted = {
        ("max", "max"): {(1, 4), (2, 3), (3, 2), (4, 1)},
        ("max", "min"): {(4, 1)},
        ("min", "max"): {(1, 4)},
        ("min", "min"): {(1, 1)},
    }
    assert found == wanted[best]


def test_equal_points_share_the_front() -> None:
    assert len(front([point(1, 1), point(1, 1), point(2, 2)], "min", "min")) == 2


def test_fid_stands_for_quality_where_it_was_taken(scores: Any) -> None:
    section = scores.add("ldm", "precision", [0.1]).add("ldm", "fid", [1.0]).section()
    assert section.columns[leading(section) or 0].spec.name == "fid"


def test_a_line_of_nfe_needs_two_numbers_of_evaluations(scores: Any, tmp_path: Path) -> None:
    for model, fid in (("ldm", 1.0), ("gan", 3.0)):
        scores.add(model, "fid", [fid, fid + 1]).add(model, "nfe", [1, 1])
        scores.add(model, "samples_per_second", [10 / fid, 11 / fid])
    section, styles = scores.section(), model_styles(["ldm", "gan", "ldm[steps=8]"])
    quality = leading(section)
    assert quality is not None
    assert [(p.row.label, p.x, p.y) for p in points(section, "nfe", quality)] == [
        ("ldm", 1.0, 1.5),
        ("gan", 1.0, 3.5),
    ]
    assert nfe_figure(section, quality, styles) is None
    assert front_figure(section, quality, styles) is not None
    scores.add("ldm", "fid", [2.0, 3.0], variant="steps=8")
    scores.add("ldm", "nfe", [8, 8], variant="steps=8")
    for place in ("a", "b"):
        write_tradeoffs(scores.tables(), styles, tmp_path / place)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert [name.partition(".")[0] for name in names[::3]] == [
        "nfe-grid25-1000000flop",
        "throughput-grid25-1000000flop",
    ]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_long_names_and_a_far_off_point_stay_readable(scores: Any) -> None:
    """No entry of the legend leaves the figure, and no axis of a distance goes below zero."""
    for steps, fid in ((5, 10.0), (10, 9.0)):
        variant = f"sampler=ab2,schedule=cosine,steps={steps}"
        scores.add("ldm", "fid", [fid, fid + 1], variant=variant)
        scores.add("ldm", "nfe", [steps, steps], variant=variant)
    scores.add("gan", "fid", [40.0, 42.0]).add("gan", "nfe", [1, 1])
    section = scores.section()
    styles = model_styles([row.label for row in section.rows])
    figure = nfe_figure(section, leading(section) or 0, styles)
    assert figure is not None
    figure.canvas.draw()
    whole, legend = figure.bbox, figure.legends[0].get_window_extent()
    assert whole.x0 <= legend.x0 < legend.x1 <= whole.x1
    assert legend.y1 <= figure.axes[0].get_tightbbox().y0
    assert figure.axes[0].get_ylim()[0] >= 0
