"""Figures of a page: SVG, a caption, and what they show as text or as a table.

Each figure has one panel, so that the page can put as many side by side as it has room for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup
from matplotlib.figure import Figure

from benchbench.api import ScoreSpec
from benchbench.report.curves import budget_figure, watched
from benchbench.report.layout import cell_text, head_parts
from benchbench.report.renderers.escape import clean
from benchbench.report.rows import label_of
from benchbench.report.strips import strip_figure, strip_metrics
from benchbench.report.styles import Style
from benchbench.report.tradeoffs import (
    Point,
    column_of,
    front,
    front_figure,
    leading,
    nfe_figure,
    points,
)
from benchbench.report.tree import RowKey, Section
from benchbench.report.vector import COARSE_DPI, RASTER_DPI, inline_svg
from benchbench.store.scores import CONTROL_MODEL, REFERENCE_MODEL

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Charts", "Grid", "Picture"]

CURVES, STRIPS = 6, 9
"""Panels of one section that the page shows; figures/ has every score."""
_BARS = "Bars: 95 % intervals, cut at the frame; dotted: held-out data."
MANY_ROWS = 20
"""From here on a section shows a few panels only: each is a screen high, or has many lines."""
FEW = 4
MANY_CLOUDS = 60


@dataclass(frozen=True)
class Grid:
    """A small table; caption: what it holds."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """An SVG figure. title: above it, or empty where the figure has its own; said: beneath it;
    grid: its numbers, on demand."""

    svg: Markup
    title: str
    said: str = ""
    grid: Grid | None = None


class Charts:
    """Makes the figures of one page; ids of their parts are numbered through it.

    rows: of all sections together; where there are very many, clouds of points are coarser.
    """

    def __init__(self, styles: Mapping[str, Style], rows: int = 0) -> None:
        self.styles = styles
        self._dpi = RASTER_DPI if rows <= MANY_CLOUDS else COARSE_DPI
        self._count = 0

    def picture(
        self, figure: Figure, title: str, label: str, said: str = "", grid: Grid | None = None
    ) -> Picture:
        """A figure with its texts; label: for those who can't see it."""
        return Picture(self.svg(figure, label), title, said, grid)

    def svg(self, figure: Figure, label: str) -> Markup:
        """A figure alone, as an element of the page."""
        self._count += 1
        # ElementTree has escaped whatever the figure says.
        return Markup(inline_svg(figure, f"f{self._count}-", clean(label), self._dpi))

    def budget(
        self, scores: pd.DataFrame, section: Section, specs: Mapping[str, ScoreSpec]
    ) -> list[Picture]:
        """A curve for each score that was taken on the way."""
        rows = _of_section(scores, section)
        found = []
        most = CURVES if len(section.rows) < MANY_ROWS else FEW
        for name in watched(rows, specs)[:most]:
            figure = budget_figure(rows, [name], specs, self.styles)
            spec = specs[name]
            label = f"{spec.label or name} against the part of the budget, {section.title}"
            grid = _budget_grid(rows, spec)
            found.append(self.picture(figure, "", label, grid=grid))
        return found

    def nfe(self, section: Section) -> Picture | None:
        """Quality against network evaluations."""
        quality = leading(section)
        figure = None if quality is None else nfe_figure(section, quality, self.styles)
        if figure is None or quality is None:
            return None
        name, _, _ = head_parts(section.columns[quality])
        said = f"Lines join ways of sampling one trained model. {_BARS}"
        grid = _grid(section, points(section, "nfe", quality), "nfe", quality)
        label = f"{name} against network evaluations for a sample, {section.title}"
        return self.picture(figure, "", label, said, grid)

    def front(self, section: Section) -> Picture | None:
        """Quality against throughput."""
        quality = leading(section)
        figure = None if quality is None else front_figure(section, quality, self.styles)
        if figure is None or quality is None:
            return None
        name, _, _ = head_parts(section.columns[quality])
        found = points(section, "samples_per_second", quality)
        best = front(found, "max", section.columns[quality].spec.direction)
        on_it = ", ".join(p.row.label for p in best)
        said = f"On the front (dashed), by means: {on_it}. {_BARS}"
        grid = _grid(section, found, "samples_per_second", quality, best)
        label = f"{name} against samples a second, {section.title}. On the Pareto front: {on_it}"
        return self.picture(figure, "", label, said, grid)

    def strips(self, section: Section) -> list[Picture]:
        """Seeds of the main scores, one figure each; the comparison table has the numbers."""
        found = []
        most = STRIPS if len(section.rows) < MANY_ROWS else FEW
        for index in strip_metrics(section)[:most]:
            figure = strip_figure(section, [index], self.styles)
            name, _, _ = head_parts(section.columns[index])
            label = f"{name} of each seed, {section.title}; the comparison table has the means"
            found.append(self.picture(figure, "", label))
        return found


def _of_section(scores: pd.DataFrame, section: Section) -> pd.DataFrame:
    here = scores[(scores.dataset == section.dataset) & (scores.model != CONTROL_MODEL)]
    return here[(here.model == REFERENCE_MODEL) | (here.budget == section.budget)]


def _budget_grid(rows: pd.DataFrame, spec: ScoreSpec) -> Grid:
    """Means over seeds: a line a row, a column a part of the budget."""
    done = rows[(rows.metric == spec.name) & (rows.status == "done") & rows.value.notna()]
    done = done[done.model != REFERENCE_MODEL]
    means = done.groupby([*RowKey._fields, "at_fraction"], sort=False).value.mean()
    parts = sorted(set(done.at_fraction))
    keys = dict.fromkeys(RowKey(*key[:-1]) for key in means.index)
    lines = [
        (label_of(key), *(f"{means[(*key, p)]:.4g}" if (*key, p) in means else "–" for p in parts))
        for key in keys
    ]
    head = ("model", *(f"{p:g} of the budget" for p in parts))
    return Grid(f"{spec.label or spec.name}, means over seeds", head, tuple(lines))


def _grid(
    section: Section,
    found: Sequence[Point],
    cost: str,
    quality: int,
    best: Sequence[Point] = (),
) -> Grid:
    place = column_of(section, cost)
    assert place is not None
    heads = []
    for index in (place, quality):
        label, qualifier, unit = head_parts(section.columns[index])
        more = "; ".join(part for part in (unit, qualifier) if part)
        heads.append(f"{label} ({more})" if more else label)
    lines = []
    for p in found:
        cells = [str(cell_text(p.row.cells[i], section.columns[i])) for i in (place, quality)]
        lines.append((p.row.label, *cells, *(("yes" if p in best else "no",) if best else ())))
    head = ("model", *heads, *(("on the front",) if best else ()))
    return Grid(f"{heads[1]} and {heads[0]}", head, tuple(lines))
