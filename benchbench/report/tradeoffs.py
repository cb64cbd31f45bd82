"""Quality against the cost of sampling: against NFE for the variants of a model, and against
throughput with the Pareto front.

A row is on the front where no other row is at least as good in both and better in one, by means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchbench.api.names import file_name, slug
from benchbench.report.canvas import blank, box, key_columns, plain, publish
from benchbench.report.layout import head_parts
from benchbench.report.styles import Style
from benchbench.report.tree import Row, Section, Tables

__all__ = [
    "Point",
    "column_of",
    "front",
    "front_figure",
    "leading",
    "nfe_figure",
    "points",
    "write_tradeoffs",
]

LEADING = ("fid", "mode_kl", "recall", "nll_nats")
"""Scores that stand for quality where they were taken, in this order."""
_PANEL, _HIGH, _LEFT, _HEAD, _LINE = 340, 240, 70, 32, 18
_LOG_RANGE = 10.0


@dataclass(frozen=True)
class Point:
    """A row's means, x the cost and y the quality, with the 95 % intervals where there are any."""

    row: Row
    x: float
    y: float
    x_interval: tuple[float, float] | None
    y_interval: tuple[float, float] | None


def leading(section: Section) -> int | None:
    """The column that stands for quality: of `LEADING`, or else the first with a better side."""
    good = [
        i
        for i, column in enumerate(section.columns)
        if column.shown and column.group == "quality" and column.spec.direction != "none"
    ]
    good = [i for i in good if any(row.cells[i].value is not None for row in section.rows)]
    by_name = {section.columns[i].spec.name: i for i in reversed(good)}
    return next((by_name[name] for name in LEADING if name in by_name), next(iter(good), None))


def column_of(section: Section, name: str) -> int | None:
    """The shown column of this score, or None."""
    places = (i for i, c in enumerate(section.columns) if c.shown and c.spec.name == name)
    return next(places, None)


def points(section: Section, cost: str, quality: int | None) -> list[Point]:
    """The rows that have both; models only. A cost of zero or less is left out: the axis is
    logarithmic."""
    place = column_of(section, cost)
    if place is None or quality is None:
        return []
    found = []
    for row in section.rows:
        x, y = row.cells[place], row.cells[quality]
        if row.kind != "model" or x.value is None or y.value is None:
            continue
        if x.value > 0 and math.isfinite(x.value) and math.isfinite(y.value):
            spans = [
                None if c.ci_low is None or c.ci_high is None else (c.ci_low, c.ci_high)
                for c in (x, y)
            ]
            found.append(Point(row, x.value, y.value, *spans))
    return found


def front(found: Sequence[Point], x_best: str, y_best: str) -> list[Point]:
    """The points that no other dominates, by rising x. x_best, y_best: `max` or `min`."""

    def gains(p: Point) -> tuple[float, float]:
        return (p.x if x_best == "max" else -p.x, p.y if y_best == "max" else -p.y)

    def beaten(p: Point) -> bool:
        return any(
            gains(q) != gains(p) and all(a >= b for a, b in zip(gains(q), gains(p), strict=True))
            for q in found
        )

    return sorted((p for p in found if not beaten(p)), key=lambda p: p.x)


def front_figure(section: Section, quality: int, styles: Mapping[str, Style]) -> Figure | None:
    """Quality against samples per second; the front is a line of steps.

    Intervals are cut at the frame, which is laid round the means.
    """
    found = points(section, "samples_per_second", quality)
    if len(found) < 2:
        return None
    direction = section.columns[quality].spec.direction
    best = front(found, "max", direction)
    figure, axes = _axes(found)
    axes.plot(
        [p.x for p in best],
        [p.y for p in best],
        drawstyle="steps-pre",
        color="#555555",
        linewidth=1.2,
        linestyle="--",
        zorder=1,
    )
    for p in found:
        _dot(axes, p, styles[p.row.label])
    _finish(axes, found, section, quality, "samples_per_second")
    return figure


def nfe_figure(section: Section, quality: int, styles: Mapping[str, Style]) -> Figure | None:
    """Quality against network evaluations a sample; a line joins the variants of one training.

    None where no training was sampled with two numbers of evaluations.
    """
    found = points(section, "nfe", quality)
    families: dict[tuple[str, str, str], list[Point]] = {}
    for p in found:
        families.setdefault(p.row.key.trained, []).append(p)
    if all(len({p.x for p in family}) < 2 for family in families.values()):
        return None
    figure, axes = _axes(found)
    for family in families.values():
        line = sorted(family, key=lambda p: p.x)
        axes.plot(
            [p.x for p in line],
            [p.y for p in line],
            color=styles[line[0].row.label].colour,
            linewidth=1,
            alpha=0.6,
            zorder=1,
        )
        for p in line:
            _dot(axes, p, styles[p.row.label])
    _finish(axes, found, section, quality, "nfe")
    return figure


def write_tradeoffs(tables: Tables, styles: Mapping[str, Style], folder: Path) -> None:
    """Both figures of each section as PNG, SVG and PDF files."""
    for section in tables.sections:
        quality = leading(section)
        if quality is None:
            continue
        part = f"{file_name(section.dataset)}-{slug(section.budget)}"
        for name, draw in (("nfe", nfe_figure), ("throughput", front_figure)):
            figure = draw(section, quality, styles)
            if figure is not None:
                publish(figure, folder / f"{name}-{part}.png")


def _columns(found: Sequence[Point]) -> int:
    return key_columns((p.row.label for p in found), _PANEL + _LEFT)


def _axes(found: Sequence[Point]) -> tuple[Figure, Axes]:
    foot = 58 + _LINE * math.ceil(len(found) / _columns(found))
    figure = blank(_LEFT + _PANEL + 16, _HEAD + _HIGH + foot)
    return figure, box(figure, _LEFT, _HEAD, _PANEL, _HIGH)


def _dot(axes: Axes, p: Point, style: Style) -> None:
    errors = [
        None if span is None else [[max(0.0, at - span[0])], [max(0.0, span[1] - at)]]
        for span, at in ((p.x_interval, p.x), (p.y_interval, p.y))
    ]
    axes.errorbar(
        [p.x],
        [p.y],
        xerr=errors[0],
        yerr=errors[1],
        color=style.colour,
        marker=style.marker,
        markersize=7,
        markeredgecolor="white",
        markeredgewidth=0.6,
        elinewidth=1,
        linestyle="none",
        label=plain(p.row.label),
    )


def _finish(axes: Axes, found: Sequence[Point], section: Section, quality: int, cost: str) -> None:
    place = column_of(section, cost)
    assert place is not None
    axes.set_xscale("log")
    x, y = [p.x for p in found], [p.y for p in found]
    axes.set_xlim(min(x) / 1.5, max(x) * 1.5)
    if min(y) > 0 and max(y) > _LOG_RANGE * min(y):
        axes.set_yscale("log")
        axes.set_ylim(min(y) / 2, max(y) * 2)
    else:
        reach = (max(y) - min(y)) or abs(max(y)) or 1.0
        least = 0.0 if min(y) >= 0 else -math.inf
        axes.set_ylim(max(least, min(y) - reach / 2), max(y) + reach / 2)
    for held_out in (row for row in section.rows if row.kind == "real"):
        value = held_out.cells[quality].value
        if value is not None and (value > 0 or axes.get_yscale() == "linear"):
            axes.axhline(value, color="black", linewidth=1, linestyle=":", zorder=0)
    words = [head_parts(section.columns[i])[0].rstrip(" ↑↓") for i in (quality, place)]
    axes.set_title(plain(" against ".join(words)), fontsize=9.5, pad=6)
    axes.set_xlabel(plain(_name(section, place)), fontsize=9)
    axes.set_ylabel(plain(_name(section, quality)), fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.figure.legend(
        handles,
        labels,
        loc="lower center",
        ncols=min(len(labels), _columns(found)),
        frameon=False,
        fontsize=8.5,
    )


def _name(section: Section, index: int) -> str:
    """`FID ↓`, `throughput ↑ (samples/s)`; axes show unscaled numbers."""
    label, qualifier, unit = head_parts(replace(section.columns[index], power=0))
    more = "; ".join(part for part in (unit, qualifier) if part)
    return f"{label} ({more})" if more else label
