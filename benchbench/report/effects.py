"""Effects of claims with their intervals, against delta: one claim on its data sets, or all claims.

An effect is signed so that what is claimed is positive, or a factor above 1; delta is the smallest
that matters. In the figure of all claims effects stand in units of delta (logarithms, where delta
is a factor), so that 1 is the smallest difference that matters in every row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, NullFormatter

from benchbench.report.canvas import blank, box, plain

__all__ = ["COLOURS", "Effect", "claim_figure", "overview_figure"]

COLOURS = {"supported": "#009E73", "refuted": "#D55E00", "inconclusive": "#7F5F00"}
"""Okabe and Ito's green and vermilion; the verdict is also written beside each interval."""
_TOP, _ROW, _FOOT = 62, 46, 58
_RIGHT = 118
"""Pixels right of the axes, for the verdict."""
_LETTER = 6.4
"""Pixels that a letter of a label takes, about."""
_LINE, _SPAN = 24, (-3.0, 5.0)
_ARROW = 9
"""Points on either side of the axes, for the arrow of an interval that leaves the frame."""


@dataclass(frozen=True)
class Effect:
    """A claim on one data set: effect, interval and delta as the claim states them.

    factor: whether these are factors. equal: whether the claim is that there is no difference.
    what: the score and the statistic of it.
    """

    claim: str
    dataset: str
    verdict: str
    effect: float
    low: float
    high: float
    delta: float
    factor: bool = False
    equal: bool = False
    what: str = ""

    @property
    def drawable(self) -> bool:
        """Whether all numbers are finite, and positive where they are factors."""
        numbers = (self.effect, self.low, self.high, self.delta)
        return all(math.isfinite(v) and (v > 0 or not self.factor) for v in numbers)

    def in_deltas(self) -> tuple[float, float, float] | None:
        """low, effect, high in units of delta; None where delta is nothing."""
        unit = math.log(self.delta) if self.factor else self.delta
        if unit <= 0:
            return None
        found = (self.low, self.effect, self.high)
        low, effect, high = ((math.log(v) if self.factor else v) / unit for v in found)
        return low, effect, high


def claim_figure(
    effects: Sequence[Effect], width: int = 760, title: str = "", text: str = ""
) -> Figure:
    """A line for each data set of one claim, drawable all; without a title no room for one."""
    top = _TOP if title else 6
    left = _room(effect.dataset for effect in effects)
    height = top + _ROW * len(effects) + _FOOT
    figure = blank(width, height)
    axes = box(figure, left, top, width - left - _RIGHT, _ROW * len(effects))
    for place, effect in enumerate(effects):
        _interval(axes, effect, place)
    _frame(axes, effects)
    if title:
        figure.text(0.02, 1 - 8 / height, plain(title), ha="left", va="top", fontsize=12)
        figure.text(0.02, 1 - 32 / height, plain(text), ha="left", va="top", fontsize=9)
    return figure


def _room(names: Iterable[str]) -> int:
    """Pixels left of the axes for these labels."""
    longest = max(map(len, names), default=0)
    return round(min(260, max(60, _LETTER * longest + 18)))


def _interval(axes: Axes, effect: Effect, place: int) -> None:
    colour = COLOURS.get(effect.verdict, "#555555")
    line = [effect.low, effect.high]
    axes.plot(line, [place, place], color=colour, linewidth=3, solid_capstyle="butt")
    axes.plot([effect.effect], [place], color=colour, marker="o", markersize=7)
    edges = [effect.delta]
    if effect.equal:
        edges.append(1 / effect.delta if effect.factor else -effect.delta)
    for edge in edges:
        axes.plot([edge, edge], [place - 0.42, place + 0.42], color="black", linewidth=1.4)
    _say(axes, effect.verdict, place)


def _say(axes: Axes, verdict: str, place: int) -> None:
    axes.annotate(
        plain(verdict),
        (1, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=(_ARROW, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )


def _frame(axes: Axes, effects: Sequence[Effect]) -> None:
    first = effects[0]
    axes.axvline(1.0 if first.factor else 0.0, color="#555555", linestyle="--", linewidth=1)
    if first.factor:
        ends = [v for effect in effects for v in (effect.low, effect.high)]
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        close = max(ends) < 8 * min(ends)
        axes.xaxis.set_minor_formatter(FormatStrFormatter("%g") if close else NullFormatter())
    names = [plain(effect.dataset) for effect in effects]
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(len(names) - 0.5, -0.5)
    signed = "factor" if first.factor else "effect"
    label = f"{signed} in {first.what}" if first.what else signed
    axes.set_xlabel(plain(f"{label}; dashed: no effect; black: δ"), fontsize=9)
    axes.tick_params(axis="x", which="both", labelsize=8)
    _clear(axes)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)


def overview_figure(effects: Sequence[Effect], width: int = 760, title: str = "") -> Figure | None:
    """Every claim on every data set in units of delta; None where nothing can be drawn.

    Intervals that leave the frame end in an arrow.
    """
    drawn = [(e, scaled) for e in effects if e.drawable and (scaled := e.in_deltas()) is not None]
    if not drawn:
        return None
    labels = [f"{e.claim}, {e.dataset}" for e, _ in drawn]
    left, top = _room(labels) + _ARROW, 44 if title else 8
    height = _LINE * len(drawn) + top + 56
    figure = blank(width, height)
    axes = box(figure, left, top, width - left - _RIGHT, _LINE * len(drawn))
    for place, (effect, scaled) in enumerate(drawn):
        _scaled(axes, effect, scaled, place)
    axes.set_yticks(range(len(drawn)), list(map(plain, labels)), fontsize=8.5)
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.set_xlim(*_SPAN)
    axes.axvline(0, color="#555555", linewidth=1, linestyle="--", zorder=0)
    axes.axvline(1, color="black", linewidth=1.2, zorder=0)
    axes.axvline(-1, color="black", linewidth=0.8, linestyle=":", zorder=0)
    axes.set_xlabel("effect in units of δ; claimed: above 1, or (=) within ±1", fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    _clear(axes)
    axes.tick_params(axis="y", pad=_ARROW)
    if title:
        figure.text(0.02, 1 - 10 / height, plain(title), ha="left", va="top", fontsize=11)
    return figure


def _scaled(axes: Axes, e: Effect, scaled: tuple[float, float, float], place: int) -> None:
    low, effect, high = (min(max(v, _SPAN[0]), _SPAN[1]) for v in scaled)
    colour = COLOURS.get(e.verdict, "#555555")
    axes.plot([low, high], [place, place], color=colour, linewidth=2.5, solid_capstyle="butt")
    for end, marker in ((_SPAN[0], "<"), (_SPAN[1], ">")):
        if end in (low, high):
            axes.plot([end], [place], color=colour, marker=marker, markersize=6, clip_on=False)
    if _SPAN[0] < effect < _SPAN[1]:
        axes.plot([effect], [place], color=colour, marker="o", markersize=5)
    _say(axes, f"{'= ' if e.equal else ''}{e.verdict}", place)


def _clear(axes: Axes) -> None:
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
