"""Effects of claims: units of delta, what can't be drawn, and arrows where an interval goes on."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from benchbench.report.effects import Effect, claim_figure, overview_figure

PLAIN = Effect("S1", "grid25", "supported", 0.5, 0.3, 0.7, 0.1)
FACTOR = replace(PLAIN, effect=4.0, low=2.0, high=8.0, delta=2.0, factor=True)


def test_units_of_delta_are_logarithms_for_factors() -> None:
    assert PLAIN.in_deltas() == pytest.approx((3, 5, 7))
    assert FACTOR.in_deltas() == pytest.approx((1, 2, 3))
    assert replace(PLAIN, delta=0.0).in_deltas() is None
    assert replace(FACTOR, delta=1.0).in_deltas() is None


def test_what_has_no_place_on_an_axis_is_not_drawn() -> None:
    assert PLAIN.drawable and FACTOR.drawable
    assert not replace(PLAIN, high=math.inf).drawable
    assert not replace(FACTOR, low=0.0).drawable
    assert overview_figure([replace(PLAIN, high=math.inf)]) is None


def test_an_interval_stands_where_it_is() -> None:
    (axes,) = claim_figure([FACTOR, replace(FACTOR, dataset="ring8")]).axes
    assert axes.get_xscale() == "log"
    assert list(axes.lines[0].get_xdata()) == [2.0, 8.0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["grid25", "ring8"]
    marks = [list(line.get_xdata()) for line in axes.lines]
    assert [2.0, 2.0] in marks and [0.5, 0.5] not in marks
    (both,) = claim_figure([replace(FACTOR, equal=True)]).axes
    assert [0.5, 0.5] in [list(line.get_xdata()) for line in both.lines]


def test_what_leaves_the_frame_ends_in_an_arrow() -> None:
    wide = replace(PLAIN, low=-9.0, high=9.0)
    figure = overview_figure([wide, replace(PLAIN, effect=0.15, low=0.12, high=0.2)])
    assert figure is not None
    markers = [line.get_marker() for line in figure.axes[0].lines]
    assert markers.count("<") == 1 and markers.count(">") == 1


def test_a_claim_s_text_is_no_formula() -> None:
    figure = claim_figure([replace(PLAIN, dataset="$x_{")], title="S1$", text="$\\frac{")
    figure.canvas.draw()
