"""A figure a claim: the effect on each data set with its interval, against delta."""

from __future__ import annotations

import math
from pathlib import Path

from matplotlib.axes import Axes

from benchbench.api.names import short_label
from benchbench.claims.verdicts import Comparison, Judged
from benchbench.report.canvas import blank, box, plain, save

__all__ = ["COLOURS", "draw_claim"]

COLOURS = {"supported": "#009E73", "refuted": "#D55E00", "inconclusive": "#7F5F00"}
"""Okabe and Ito's green and vermilion; the verdict is also written beside each interval."""
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _FOOT = 760, 140, 130, 62, 46, 58
_CHARACTERS = 100


def draw_claim(judged: Judged, path: Path) -> None:
    """Draw the data sets of a claim that have an effect; at least one must."""
    drawn = [c for c in judged.comparisons if c.effect is not None]
    height = _TOP + _ROW * len(drawn) + _FOOT
    figure = blank(_WIDTH, height)
    axes = box(figure, _LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _ROW * len(drawn))
    for place, c in enumerate(drawn):
        _interval(axes, c, place)
    _frame(axes, drawn)
    title = f"{judged.claim.id}: {judged.verdict}"
    figure.text(0.02, 1 - 8 / height, plain(title), ha="left", va="top", fontsize=12)
    text = judged.claim.hypothesis
    short = text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1].rstrip() + "…"
    figure.text(0.02, 1 - 32 / height, plain(short), ha="left", va="top", fontsize=9)
    save(figure, path)


def _interval(axes: Axes, c: Comparison, place: int) -> None:
    effect, low, high = (c.shown(v) for v in (c.effect, c.low, c.high))
    colour = COLOURS[c.verdict]
    axes.plot([low, high], [place, place], color=colour, linewidth=3, solid_capstyle="butt")
    axes.plot([effect], [place], color=colour, marker="o", markersize=7)
    delta = c.shown(c.delta)
    edges = [delta]
    if c.claim.direction == "equal":
        edges.append(c.shown(-c.delta))
    for edge in edges:
        axes.plot([edge, edge], [place - 0.42, place + 0.42], color="black", linewidth=1.4)
    right = axes.get_yaxis_transform()
    axes.text(1.02, place, c.verdict, transform=right, va="center", fontsize=9, color=colour)


def _frame(axes: Axes, drawn: list[Comparison]) -> None:
    claim = drawn[0].claim
    nothing = 1.0 if claim.factor else 0.0
    axes.axvline(nothing, color="#888888", linewidth=1, linestyle="--", zorder=0)
    ends = [v for c in drawn for v in (c.shown(c.low), c.shown(c.high))]
    if claim.factor and all(math.isfinite(v) and v > 0 for v in ends):
        axes.set_xscale("log")
    axes.set_yticks(range(len(drawn)), [plain(short_label(c.dataset)) for c in drawn], fontsize=9)
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    signed = "factor" if claim.factor else "effect"
    name = claim.metric or "failed runs"
    label = f"{signed} in {name} ({claim.statistic}); dashed: no effect; black: δ"
    axes.set_xlabel(plain(label), fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
