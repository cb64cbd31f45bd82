"""Quality against budget: each score at the fractions of the training at which it was taken.

A point is the model as it stood when that part of its budget was spent, in one training; a model
that plans phases for the whole budget may still have been in its first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import seaborn as sns
from matplotlib.axes import Axes

from benchbench.api import ScoreSpec
from benchbench.api.names import file_name, short_label, slug
from benchbench.report.canvas import blank, box, plain, save
from benchbench.report.rows import label_of
from benchbench.report.styles import Style
from benchbench.report.tree import RowKey
from benchbench.store.scores import CONTROL_MODEL, REFERENCE_MODEL

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["budget_curves", "draw_curves"]

_COLUMNS, _PANEL, _HIGH, _BETWEEN, _EDGE = 3, 280, 200, 78, 64
_HEAD, _FOOT = 84, 76
_LOG_RANGE = 30.0


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
    Lines are means over seeds, bands reach from the least to the largest, the dashed line is
    held-out data. Nothing is written where no score was taken on the way.
    """
    done = scores[(scores.status == "done") & scores.value.notna()]
    taken = done[(done.at_fraction < 1) & (done.model != REFERENCE_MODEL)]
    names = [n for n in specs if n in set(taken.metric) and specs[n].direction != "none"]
    if not names:
        return []
    width = _EDGE + min(len(names), _COLUMNS) * (_PANEL + _BETWEEN)
    height = _HEAD + math.ceil(len(names) / _COLUMNS) * (_HIGH + _BETWEEN) + _FOOT - _BETWEEN
    figure = blank(width, height)
    labels: list[str] = []
    for place, name in enumerate(names):
        left = _EDGE + (place % _COLUMNS) * (_PANEL + _BETWEEN)
        top = _HEAD + (place // _COLUMNS) * (_HIGH + _BETWEEN)
        axes = box(figure, left, top, _PANEL, _HIGH)
        labels = _panel(axes, done[done.metric == name], taken, specs[name], styles)
    handles = axes.get_legend_handles_labels()[0][: len(labels)]
    figure.text(0.5, 1 - 8 / height, plain(title), ha="center", va="top", fontsize=12)
    note = "lines: mean over seeds; bands: least to largest; dashed: held-out data"
    figure.text(0.5, 1 - 30 / height, note, ha="center", va="top", fontsize=8.5, color="#555555")
    figure.legend(
        handles,
        [plain(label) for label in labels],
        loc="lower center",
        ncols=min(len(labels), 6),
        frameon=False,
        fontsize=8.5,
    )
    save(figure, path)
    return names


def _panel(
    axes: Axes,
    done: pd.DataFrame,
    taken: pd.DataFrame,
    spec: ScoreSpec,
    styles: Mapping[str, Style],
) -> list[str]:
    models = done[done.model != REFERENCE_MODEL].copy()
    models["row"] = [
        label_of(RowKey(*key))
        for key in models[list(RowKey._fields)].itertuples(index=False, name=None)
    ]
    watched = taken[list(RowKey._fields)].drop_duplicates().itertuples(index=False, name=None)
    labels = [label_of(RowKey(*key)) for key in watched]
    for label in labels:
        style = styles[label]
        sns.lineplot(
            models[models.row == label],
            x="at_fraction",
            y="value",
            ax=axes,
            color=style.colour,
            marker=style.marker,
            estimator="mean",
            errorbar=("pi", 100),
            label=label,
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
