"""Quality against budget: each score at the fractions of the training at which it was taken.

A point is the model as it stood when that part of its budget was spent, in one training; a model
that plans phases for the whole budget may still have been in its first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchbench.api import ScoreSpec
from benchbench.api.names import file_name, short_label, slug
from benchbench.report.canvas import blank, box, key_columns, plain, publish
from benchbench.report.rows import label_of
from benchbench.report.styles import Style
from benchbench.report.tree import RowKey
from benchbench.store.scores import CONTROL_MODEL, REFERENCE_MODEL

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["budget_curves", "budget_figure", "draw_curves", "watched"]

_COLUMNS, _PANEL, _HIGH, _BETWEEN, _EDGE = 3, 280, 200, 78, 64
_HEAD, _FOOT = 84, 76
_LOG_RANGE = 30.0
MANY_LINES = 20
"""More lines than this have no bands: nobody could tell one from another."""


def draw_curves(
    scores: pd.DataFrame,
    specs: Mapping[str, ScoreSpec],
    styles: Mapping[str, Style],
    folder: Path,
) -> None:
    """A figure for each data set and budget of a score frame that has scores on the way."""
    models = scores[~scores.model.isin((REFERENCE_MODEL, CONTROL_MODEL))]
    for dataset, budget in models[["dataset", "budget"]].drop_duplicates().itertuples(index=False):
        held_out = (scores.dataset == dataset) & (scores.model == REFERENCE_MODEL)
        rows = scores[held_out | ((scores.dataset == dataset) & (scores.budget == budget))]
        title = f"{short_label(dataset)}, budget {budget}"
        path = folder / f"budget-{file_name(dataset)}-{slug(budget)}.png"
        budget_curves(rows, specs, styles, title, path)


def budget_curves(
    scores: pd.DataFrame,
    specs: Mapping[str, ScoreSpec],
    styles: Mapping[str, Style],
    title: str,
    path: Path,
) -> list[str]:
    """Draw the curves of one data set and budget; the names of the scores drawn.

    scores: rows of the score frame, whatever their fraction. styles: by row label.
    Nothing is written where no score was taken on the way.
    """
    names = watched(scores, specs)
    if names:
        publish(budget_figure(scores, names, specs, styles, title), path)
    return names


def watched(scores: pd.DataFrame, specs: Mapping[str, ScoreSpec]) -> list[str]:
    """The scores with a better side that were taken on the way."""
    taken = set(_on_the_way(_done(scores)).metric)
    return [n for n in specs if n in taken and specs[n].direction != "none"]


def budget_figure(
    scores: pd.DataFrame,
    names: Sequence[str],
    specs: Mapping[str, ScoreSpec],
    styles: Mapping[str, Style],
    title: str = "",
) -> Figure:
    """A panel for each named score; without a title no room is left for one.

    Lines are means over seeds, bands reach from the least to the largest, the dashed line is
    held-out data.
    """
    done = _done(scores)
    head = _HEAD if title else _HEAD - 50
    width = _EDGE + min(len(names), _COLUMNS) * (_PANEL + _BETWEEN)
    columns = min(6, key_columns(styles, width))
    foot = max(_FOOT if title else 0, 52 + 18 * math.ceil(len(styles) / columns))
    height = head + math.ceil(len(names) / _COLUMNS) * (_HIGH + _BETWEEN) + foot - _BETWEEN
    figure = blank(width, height)
    labels: list[str] = []
    for place, name in enumerate(names):
        left = _EDGE + (place % _COLUMNS) * (_PANEL + _BETWEEN)
        top = head + (place // _COLUMNS) * (_HIGH + _BETWEEN)
        axes = box(figure, left, top, _PANEL, _HIGH)
        here = done[done.metric == name]
        labels = _panel(axes, here, _on_the_way(done), specs[name], styles)
    handles = [_key(styles[label]) for label in labels]
    if title:
        figure.text(0.5, 1 - 8 / height, plain(title), ha="center", va="top", fontsize=12)
        said = "lines: mean over seeds; bands: least to largest; dashed: held-out data"
        look: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8.5, "color": "#555555"}
        figure.text(0.5, 1 - 30 / height, said, **look)
    figure.legend(
        handles,
        [plain(label) for label in labels],
        loc="lower center",
        ncols=min(len(labels), columns),
        frameon=False,
        fontsize=8.5,
    )
    return figure


def _key(style: Style) -> Line2D:
    """A line of the legend, as seaborn draws it."""
    return Line2D([], [], color=style.colour, marker=style.marker, markeredgecolor="white")


def _done(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[(scores.status == "done") & scores.value.notna()]


def _on_the_way(done: pd.DataFrame) -> pd.DataFrame:
    return done[(done.at_fraction < 1) & (done.model != REFERENCE_MODEL)]


def _panel(
    axes: Axes,
    done: pd.DataFrame,
    taken: pd.DataFrame,
    spec: ScoreSpec,
    styles: Mapping[str, Style],
) -> list[str]:
    import seaborn as sns  # seconds, of which only runs with fractions have any use

    models = done[done.model != REFERENCE_MODEL].copy()
    models["row"] = [
        label_of(RowKey(*key))
        for key in models[list(RowKey._fields)].itertuples(index=False, name=None)
    ]
    keys = taken[list(RowKey._fields)].drop_duplicates().itertuples(index=False, name=None)
    labels = [label_of(RowKey(*key)) for key in keys]
    sns.lineplot(
        models[models.row.isin(labels)],
        x="at_fraction",
        y="value",
        ax=axes,
        hue="row",
        hue_order=labels,
        style="row",
        style_order=labels,
        palette={label: styles[label].colour for label in labels},
        markers={label: styles[label].marker for label in labels},
        dashes=False,
        estimator="mean",
        errorbar=("pi", 100) if len(labels) <= MANY_LINES else None,
        legend=False,
    )
    for value in done[done.model == REFERENCE_MODEL].value:
        axes.axhline(value, color="black", linewidth=1, linestyle="--", zorder=0)
    _finish(axes, models.value.tolist(), spec)
    return labels


def _finish(axes: Axes, values: Sequence[float], spec: ScoreSpec) -> None:
    if spec.direction == "min" and min(values) > 0 and max(values) > _LOG_RANGE * min(values):
        axes.set_yscale("log")
    arrow = {"max": "higher is better", "min": "lower is better"}[spec.direction]
    unit = "" if spec.unit == "1" else f", {spec.unit}"
    axes.set_title(plain(f"{spec.label or spec.name}{unit} ({arrow})"), fontsize=9.5, pad=5)
    axes.set(xlabel="part of the budget", ylabel="", xlim=(0, 1.03))
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_fontsize(8.5)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
