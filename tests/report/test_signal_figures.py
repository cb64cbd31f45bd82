"""Signals as lines: where each value is drawn, one range for all, neighbours over samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchbench.report.signals import signal_comparison, signal_figure, signal_range
from benchbench.report.styles import Style

STYLE = Style("#0072B2", "o")


def test_a_window_is_drawn_in_its_cell_from_left_to_right() -> None:
    x = np.zeros((5, 1, 3))
    x[4, 0] = [-1.0, 0.0, 1.0]
    (lines,) = signal_figure(x, (-1.0, 1.0), STYLE, columns=4).axes[0].collections
    paths = [p.vertices for p in lines.get_paths()]
    assert len(paths) == 5
    assert paths[4][:, 0] == pytest.approx([0.06, 0.5, 0.94])  # second line, first column
    assert paths[4][:, 1] == pytest.approx([-1.94, -1.5, -1.06])
    assert paths[3][:, 0] == pytest.approx([3.06, 3.5, 3.94])


def test_what_leaves_the_range_ends_at_its_edge() -> None:
    x = np.array([[[-9.0, 9.0]]])
    (lines,) = signal_figure(x, (-1.0, 1.0), STYLE).axes[0].collections
    assert lines.get_paths()[0].vertices[:, 1] == pytest.approx([-0.94, -0.06])


def test_channels_and_neighbours_are_lines_of_their_own() -> None:
    x = np.zeros((2, 3, 8))
    drawn = signal_figure(x, (-1.0, 1.0), STYLE, nearest=x + 0.5).axes[0].collections
    assert [c.get_linewidth()[0] for c in drawn] == [2.0] * 3 + [0.8] * 3
    assert [tuple(c.get_edgecolor()[0][:3]) == (0, 0, 0) for c in drawn] == [False] * 3 + [True] * 3


def test_the_range_holds_most_values_with_room() -> None:
    low, high = signal_range(np.linspace(0, 1, 1001).reshape(1, 1, -1))
    assert low == pytest.approx(0.005 - 0.099) and high == pytest.approx(0.995 + 0.099)
    low, high = signal_range(np.full((3, 1, 4), 7.0))
    assert low < 7 < high


def test_files_of_every_row_never_differ(tmp_path: Path) -> None:
    real = np.sin(np.linspace(0, 9, 20 * 32)).reshape(20, 1, 32)
    for name in ("a", "b"):
        signal_comparison(real, {"gan": -real, "b$": real[:2]}, tmp_path / f"{name}.png", "pulse")
    for kind in ("png", "svg", "pdf"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        signal_figure(np.zeros((3, 4)), (0.0, 1.0), STYLE)
