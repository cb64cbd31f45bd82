"""Samples of every row side by side, what they are nearest to in the training split, and coverage.

Images are PNG, signals and points SVG. Everything is drawn from the sample files of a result
folder: the first seed that has one. Without the data set (its files are gone) there are no
held-out data, neighbours or scatter plots over the modes, and a line says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from markupsafe import Markup
from torch import Tensor

from benchbench.api.data import Dataset, GaussianModes
from benchbench.api.errors import BenchError
from benchbench.api.names import short_label
from benchbench.report.coverage import class_bars, class_shares, mode_maps, shares_top
from benchbench.report.figures import SCATTER, mode_figure, scatter_figure
from benchbench.report.page.charts import Charts, Picture
from benchbench.report.page.images import PAIRS, grid_image, nearest_training
from benchbench.report.page.sources import Result
from benchbench.report.readings import Readings, many_labels
from benchbench.report.rows import label_of
from benchbench.report.signals import SIDE as SIGNAL_SIDE
from benchbench.report.signals import signal_figure, signal_range
from benchbench.report.styles import REAL_MUTED, Style
from benchbench.report.tree import RowKey, Section
from benchbench.runner.plan import Cell
from benchbench.store.samples import read_samples
from benchbench.store.scores import CONTROL_MODEL, REFERENCE_MODEL

__all__ = ["Album", "Gallery", "Shot", "grid_sizes"]

SIDE, SMALL_SIDE, MANY = 8, 5, 12
"""Images a side of a grid; fewer where there are many rows."""
LARGE, LARGE_SIDE = 48, 4
"""Images of more pixels a side than this are shown in smaller grids."""
LEVELS = 3_000_000
"""Pixel levels of all images of a page, about: a level takes up to 4/3 bytes in it."""
MAX_LISTED = 60


@dataclass(frozen=True)
class Shot:
    """The samples of one row. drawn: an image or a figure; pairs: samples with their nearest
    training examples, or empty, and what they are."""

    label: str
    style: Style | None
    drawn: Markup
    pairs: Markup | None = None
    said: str = ""


@dataclass(frozen=True)
class Album:
    """What there is to see of one data set. gaps: why something is missing. wide: whether the
    figures of coverage need room."""

    title: str
    shots: tuple[Shot, ...]
    coverage: tuple[Picture, ...]
    gaps: tuple[str, ...]
    wide: bool


@dataclass(frozen=True)
class _Found:
    """Stored samples (n, *shape) of one row, and the cell and the file they come from.

    label: with the budget, where the data set has several. row: without.
    """

    label: str
    row: str
    cell: Cell
    raw: Tensor
    file: Path

    @property
    def real(self) -> bool:
        """Whether these are held-out data."""
        return self.cell.model == REFERENCE_MODEL

    @property
    def of(self) -> str:
        """`ldm, seed 0`, for those who can't see a picture."""
        return self.label if self.cell.seed is None else f"{self.label}, seed {self.cell.seed}"


class Gallery:
    """Makes the albums of a report."""

    def __init__(self, readings: Readings, charts: Charts) -> None:
        self.readings, self.charts = readings, charts
        self._rows = 0

    def albums(self, results: Sequence[Result], sections: Sequence[Section]) -> list[Album]:
        """An album for each data set of the plans or the scores."""
        planned = (cell.dataset for result in results for cell in result.cells)
        names = dict.fromkeys([*planned, *(section.dataset for section in sections)])
        self._rows = sum(len(section.rows) for section in sections)
        return [self._album(name, results, sections) for name in names]

    def _album(self, name: str, results: Sequence[Result], sections: Sequence[Section]) -> Album:
        found = list(_stored(name, results))
        gaps: list[str] = []
        if not found:
            gaps.append("No samples are stored.")
        dataset = self._dataset(name, results, gaps) if found else None
        shots = self._shots(found, dataset)
        if found and not shots and not isinstance(dataset and dataset.modes, GaussianModes):
            gaps.append("Samples of this kind are not drawn; their files lie in cells/.")
        maps = list(self._maps(found, dataset, results, gaps))
        coverage = [
            *self._scatters(found, dataset),
            *maps,
            *self._bars([s for s in sections if s.dataset == name]),
        ]
        return Album(short_label(name), tuple(shots), tuple(coverage), tuple(gaps), bool(maps))

    def _dataset(self, name: str, results: Sequence[Result], gaps: list[str]) -> Dataset | None:
        try:
            return self.readings.dataset(name, results[0].assets)
        except (BenchError, OSError) as error:
            gaps.append(f"No training neighbours and no true modes: {error}")
            return None

    def _style(self, label: str) -> Style | None:
        return self.charts.styles.get(label)

    # --- samples -------------------------------------------------------------------------------

    def _shots(self, found: Sequence[_Found], dataset: Dataset | None) -> list[Shot]:
        if not found:
            return []
        shape = found[0].raw.shape
        if len(shape) == 4:
            return self._images(found, dataset)
        if len(shape) == 3:
            span = signal_range(dataset.validation.raw if dataset else found[0].raw)
            side = SIGNAL_SIDE if len(found) <= MANY else SIGNAL_SIDE - 1
            return [self._signals(f, side, span, dataset) for f in found]
        known = isinstance(dataset and dataset.modes, GaussianModes)
        if len(shape) == 2 and shape[1] == 2 and not known:
            return [self._points(f, found[0].raw) for f in found]
        return []

    def _images(self, found: Sequence[_Found], dataset: Dataset | None) -> list[Shot]:
        side, pairs = grid_sizes(tuple(found[0].raw.shape[1:]), len(found), self._rows)
        levels = dataset.info.levels if dataset else None
        top = max(1, (levels or int(max(f.raw.max() for f in found)) + 1) - 1)
        return [self._image(f, side, pairs, top, dataset) for f in found]

    def _image(
        self, found: _Found, side: int, count: int, top: int, dataset: Dataset | None
    ) -> Shot:
        shown = found.raw[: side * side].float() / top
        drawn = grid_image(shown, side, f"{len(shown)} images: {found.of}")
        pairs, said = None, ""
        if dataset is not None and not found.real:
            some, near = _neighbours(found, dataset, count)
            said = "Above: samples; below: the training example nearest to each in pixels."
            both = torch.cat([some, near]).float() / top
            pairs = grid_image(both, len(some), f"{found.of}. {said}")
        return Shot(found.label, self._look(found), drawn, pairs, said)

    def _signals(
        self, found: _Found, side: int, span: tuple[float, float], dataset: Dataset | None
    ) -> Shot:
        style = self._look(found) or REAL_MUTED
        shown = found.raw[: side**2]
        drawn = self.charts.svg(
            signal_figure(shown, span, style, columns=side), f"{len(shown)} signals: {found.of}"
        )
        pairs, said = None, ""
        if dataset is not None and not found.real:
            some, near = _neighbours(found, dataset, PAIRS if side == SIGNAL_SIDE else PAIRS // 2)
            said = "In colour: samples; thin: the training example nearest to each."
            figure = signal_figure(some, span, style, near, columns=2)
            pairs = self.charts.svg(figure, f"{found.of}. {said}")
        return Shot(found.label, self._look(found), drawn, pairs, said)

    def _points(self, found: _Found, first: Tensor) -> Shot:
        """Points whose modes are not known, in the frame of the first row."""
        style = self._look(found) or REAL_MUTED
        shown = found.raw[:SCATTER]
        figure = scatter_figure(shown, first[:SCATTER], style)
        return Shot(
            found.label,
            self._look(found),
            self.charts.svg(figure, f"{len(shown)} points: {found.of}"),
        )

    def _look(self, found: _Found) -> Style | None:
        return None if found.real else self._style(found.row)

    # --- coverage ------------------------------------------------------------------------------

    def _scatters(self, found: Sequence[_Found], dataset: Dataset | None) -> Iterator[Picture]:
        modes = dataset.modes if dataset else None
        if not isinstance(modes, GaussianModes) or modes.centres.shape[1] != 2:
            return
        for f in found:
            style = self._style(f.row) or REAL_MUTED
            figure, said = mode_figure(f.raw[:SCATTER], modes.centres, modes.sigma, style)
            label = f"Samples of {f.label} over the true modes: {said}"
            yield self.charts.picture(figure, f.label, label, said)

    def _bars(self, sections: Sequence[Section]) -> Iterator[Picture]:
        """Class shares that the scores carry, of the first seed."""
        rows = class_shares(sections)
        top, several = shares_top(rows), len({r.budget for r in rows if r.budget}) > 1
        for row in rows:
            name = f"{row.row}, {row.budget}" if several and row.budget else row.row
            figure = class_bars(row.shares, row.true, self._style(row.row) or REAL_MUTED, top)
            listed = ", ".join(f"{k}: {share:.1f} %" for k, share in enumerate(row.shares))
            text = f"Share of each class, {name}: {listed}"
            yield self.charts.picture(figure, name, text, f"{row.said}. Lines: test split.")

    def _maps(
        self,
        found: Sequence[_Found],
        dataset: Dataset | None,
        results: Sequence[Result],
        gaps: list[str],
    ) -> Iterator[Picture]:
        """Of data with more labels than bars can show: counts that the data's own reader gives."""
        if dataset is None or not many_labels(dataset):
            return
        for f in found:
            try:
                counts = self.readings.counts(f.raw, f.file, dataset, f.cell, results[0].assets)
            except (BenchError, OSError) as error:
                gaps.append(f"No map of modes: {error}")
                return
            missed = (counts == 0).nonzero()[:, 0].tolist()
            said = f"{len(counts) - len(missed):,} of {len(counts):,} modes, n = {len(f.raw):,}"
            listed = ", ".join(map(str, missed[:MAX_LISTED]))
            rest = f" and {len(missed) - MAX_LISTED} more" if len(missed) > MAX_LISTED else ""
            label = f"Map of modes, {f.label}: {said}"
            text = f"{label}; missing: {listed}{rest}" if missed else label
            yield self.charts.picture(mode_maps(counts), f.label, text, said)


def grid_sizes(shape: tuple[int, ...], rows: int, every: int) -> tuple[int, int]:
    """Images a side of a grid, and pairs of samples and neighbours, so that a page stays small.

    shape: (C, H, W). rows: of this data set; every: of the whole page.
    """
    side = SIDE if rows <= MANY else SMALL_SIDE
    side = LARGE_SIDE if max(shape[1:]) > LARGE else side
    fit = LEVELS // (max(1, every) * math.prod(shape))
    side = max(2, min(side, math.isqrt(fit * 2 // 3)))
    return side, max(1, min(PAIRS, (fit - side * side) // 2))


def _neighbours(found: _Found, dataset: Dataset, count: int) -> tuple[Tensor, Tensor]:
    """The first samples of a row, and the training example nearest to each."""
    some = found.raw[:count]
    _, which = nearest_training(some, dataset.train.raw)
    return some, dataset.train.raw[which]


def _stored(name: str, results: Sequence[Result]) -> Iterator[_Found]:
    """Samples of each row, held-out data first; of the later folder where two have a row."""
    planned = [c for r in results for c in r.cells if c.dataset == name]
    budgets = {c.budget for c in planned if c.budget}
    found: dict[tuple[str, str], _Found] = {}
    for result in results:
        mine: dict[tuple[str, str], _Found] = {}
        cells = [c for c in result.cells if c.dataset == name and c.model != CONTROL_MODEL]
        for cell in sorted(cells, key=lambda c: -1 if c.seed is None else c.seed):
            for variant in cell.variants:
                row = label_of(RowKey(cell.model, cell.config_label, cell.budget, variant.label))
                if (row, cell.budget) in mine:
                    continue
                file = result.files(cell).samples(variant.label)
                raw = read_samples(file)
                if raw is not None and len(raw):
                    label = f"{row}, {cell.budget}" if len(budgets) > 1 and cell.budget else row
                    mine[row, cell.budget] = _Found(label, row, cell, raw, file)
        found.update(mine)
    yield from sorted(found.values(), key=lambda f: not f.real)
