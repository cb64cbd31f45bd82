"""Each main metric over seeds, a line of dots for each model: what the table's ± summarises."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from benchbench.report.canvas import blank, box, plain, publish
from benchbench.report.layout import head_parts
from benchbench.report.statistics import mean_interval
from benchbench.report.styles import Style, model_styles
from benchbench.report.tree import Row, Section

__all__ = ["seed_strip", "strip_figure", "strip_metrics"]

_COLUMNS = 3
_PANEL = 310
_BETWEEN = 24
_LINE = 30
_PANEL_HEAD = 30
_PANEL_FOOT = 32
_HEAD = 52
_LOG_RANGE = 100.0


def seed_strip(
    section: Section,
    path: Path,
    metrics: Sequence[str] | None = None,
    styles: Mapping[str, Style] | None = None,
) -> list[str]:
    """Draw the section's metrics over seeds; returns the names of those drawn.

    metrics: by name; None: every shown metric with a direction, apart from spend and exact
        constants. styles: of the whole result's row labels.
    Dots are seeds, the bar is the mean with its 95 % interval, the dashed line held-out data.
    Nothing is written where nothing can be drawn.
    """
    chosen = strip_metrics(section, metrics)
    if chosen:
        publish(strip_figure(section, chosen, styles, section.title), path)
    return [section.columns[i].spec.name for i in chosen]


def strip_metrics(section: Section, metrics: Sequence[str] | None = None) -> list[int]:
    """The places of the columns that there is something to draw of."""
    rows = _rows(section)
    return [i for i in _measured(section, rows) if _wanted(section, rows, i, metrics)]


def strip_figure(
    section: Section,
    chosen: Sequence[int],
    styles: Mapping[str, Style] | None = None,
    title: str = "",
) -> Figure:
    """A panel for each chosen column; without a title no room is left for one."""
    rows = _rows(section)
    looks = styles or model_styles(row.label for row in rows)
    columns = min(len(chosen), _COLUMNS)
    margin = 7 * max(len(row.label) for row in rows) + 16
    line = _PANEL_HEAD + _LINE * len(rows) + _PANEL_FOOT
    head = _HEAD if title else 0
    width = margin + columns * (_PANEL + _BETWEEN)
    height = head + math.ceil(len(chosen) / columns) * line
    figure = blank(width, height)
    for place, index in enumerate(chosen):
        left = margin + (place % columns) * (_PANEL + _BETWEEN)
        top = head + (place // columns) * line + _PANEL_HEAD
        axes = box(figure, left, top, _PANEL, _LINE * len(rows))
        _panel(axes, section, rows, index, looks)
        if place % columns:
            axes.set_yticklabels([])
    if title:
        figure.text(0.5, 1 - 8 / height, plain(title), ha="center", va="top", fontsize=12)
        legend = "dots: seeds; bar: mean and 95 % interval; dashed: held-out data"
        look: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8.5, "color": "#555555"}
        figure.text(0.5, 1 - 32 / height, legend, **look)
    return figure


def _rows(section: Section) -> list[Row]:
    return [row for row in section.rows if row.kind != "real"]


def _measured(section: Section, rows: Sequence[Row]) -> Iterator[int]:
    for i, column in enumerate(section.columns):
        if column.shown and any(math.isfinite(v) for v in _values(rows, i)):
            yield i


def _wanted(
    section: Section, rows: Sequence[Row], index: int, metrics: Sequence[str] | None
) -> bool:
    column = section.columns[index]
    if metrics is not None:
        return column.spec.name in metrics
    exact = all(row.cells[index].bound == "exact" for row in rows)
    return column.spec.direction != "none" and column.group != "spend" and not exact


def _values(rows: Sequence[Row], index: int) -> list[float]:
    return [value for row in rows for value in row.cells[index].values.values()]


def _panel(
    axes: Axes, section: Section, rows: Sequence[Row], index: int, looks: Mapping[str, Style]
) -> None:
    scale = 10.0 ** section.columns[index].power
    finite = [v / scale for v in _values(rows, index) if math.isfinite(v)]
    if min(finite) > 0 and max(finite) > _LOG_RANGE * min(finite):
        axes.set_xscale("log")
    for place, row in enumerate(rows):
        values = [v / scale for v in row.cells[index].values.values() if math.isfinite(v)]
        if not values:
            continue
        style = looks[row.label]
        mean = mean_interval(values)
        reach = [] if mean.low is None or mean.high is None else [mean.low, mean.high]
        bar: dict[str, Any] = {"color": style.colour, "linewidth": 1.2, "markersize": 9}
        axes.plot(reach, [place] * len(reach), marker="|", **bar)
        axes.plot([mean.mean], [place], marker="|", **(bar | {"markersize": 16}))
        dots: dict[str, Any] = {"markersize": 6, "alpha": 0.75, "linestyle": "none"}
        axes.plot(
            values,
            [place] * len(values),
            marker=style.marker,
            color=style.colour,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=5,
            **dots,
        )
    _finish(axes, section, index, scale)


def _finish(axes: Axes, section: Section, index: int, scale: float) -> None:
    for value in (row.cells[index].value for row in section.rows if row.kind == "real"):
        if value is not None and (value > 0 or axes.get_xscale() == "linear"):
            axes.axvline(value / scale, color="black", linewidth=1, linestyle="--", zorder=0)
    label, qualifier, unit = head_parts(section.columns[index])
    more = "; ".join(part for part in (unit, qualifier) if part)
    axes.set_title(plain(f"{label} ({more})" if more else label), fontsize=9.5, pad=5)
    axes.set(xlabel="", ylabel="")
    names = [plain(row.label) for row in section.rows if row.kind != "real"]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(labelsize=8)
    axes.tick_params(axis="y", length=0)
    if axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
