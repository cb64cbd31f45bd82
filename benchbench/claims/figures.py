"""A figure a claim: the effect on each data set with its interval, against delta; and one of all.

In the figure of all claims effects stand in units of delta (of its logarithm, where delta is a
factor), so that 1 is the smallest difference that matters in every row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, NullFormatter

from benchbench.api.names import short_label
from benchbench.claims.verdicts import Comparison, Judged
from benchbench.report.canvas import blank, box, plain, save

__all__ = ["COLOURS", "draw_all", "draw_claim"]

COLOURS = {"supported": "#009E73", "refuted": "#D55E00", "inconclusive": "#7F5F00"}
"""Okabe and Ito's green and vermilion; the verdict is also written beside each interval."""
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _FOOT = 760, 140, 130, 62, 46, 58
_CHARACTERS = 100
_LINE, _LABEL, _SPAN = 24, 250, (-3.0, 5.0)


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
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        close = max(ends) < 8 * min(ends)
        axes.xaxis.set_minor_formatter(FormatStrFormatter("%g") if close else NullFormatter())
    axes.set_yticks(range(len(drawn)), [plain(short_label(c.dataset)) for c in drawn], fontsize=9)
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    signed = "factor" if claim.factor else "effect"
    name = claim.metric or "failed runs"
    label = f"{signed} in {name} ({claim.statistic}); dashed: no effect; black: δ"
    axes.set_xlabel(plain(label), fontsize=9)
    axes.tick_params(axis="x", which="both", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def draw_all(judged: Sequence[Judged], path: Path) -> None:
    """Draw every claim on every data set in units of delta; nothing where none has an effect.

    Intervals that leave the frame end in an arrow.
    """
    drawn = [c for one in judged for c in one.comparisons if c.effect is not None and c.delta > 0]
    if not drawn:
        return
    height = _LINE * len(drawn) + 100
    figure = blank(_WIDTH, height)
    axes = box(figure, _LABEL, 44, _WIDTH - _LABEL - _RIGHT, _LINE * len(drawn))
    for place, c in enumerate(drawn):
        _scaled(axes, c, place)
    labels = [plain(f"{c.claim.id}, {short_label(c.dataset)}") for c in drawn]
    axes.set_yticks(range(len(drawn)), labels, fontsize=8.5)
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.set_xlim(*_SPAN)
    axes.axvline(0, color="#888888", linewidth=1, linestyle="--", zorder=0)
    axes.axvline(1, color="black", linewidth=1.2, zorder=0)
    axes.axvline(-1, color="black", linewidth=0.8, linestyle=":", zorder=0)
    label = "effect in units of δ; claimed to be above 1, or (=) between −1 and 1"
    axes.set_xlabel(label, fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    title = "Effects with intervals that hold together with probability 95 %"
    figure.text(0.02, 1 - 10 / height, title, ha="left", va="top", fontsize=11)
    save(figure, path)


def _scaled(axes: Axes, c: Comparison, place: int) -> None:
    assert c.effect is not None and c.low is not None and c.high is not None
    low, high, effect = (
        min(max(v / c.delta, _SPAN[0]), _SPAN[1]) for v in (c.low, c.high, c.effect)
    )
    colour = COLOURS[c.verdict]
    axes.plot([low, high], [place, place], color=colour, linewidth=2.5, solid_capstyle="butt")
    for end, marker in ((_SPAN[0], "<"), (_SPAN[1], ">")):
        if end in (low, high):
            axes.plot([end], [place], color=colour, marker=marker, markersize=6, clip_on=False)
    if _SPAN[0] < effect < _SPAN[1]:
        axes.plot([effect], [place], color=colour, marker="o", markersize=5)
    right = axes.get_yaxis_transform()
    equal = "= " if c.claim.direction == "equal" else ""
    text = f"{equal}{c.verdict}"
    axes.text(1.03, place, text, transform=right, va="center", fontsize=8.5, color=colour)
