"""Samples of every row side by side, what they are nearest to in the training split, and coverage.

Everything is drawn from the sample files of a result folder: the first seed that has one. Without
the data set (its files are gone) there are no held-out data, neighbours or scatter plots, and a
line says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchbench.api.data import Dataset, GaussianModes, LabelModes
from benchbench.api.errors import BenchError
from benchbench.api.names import short_label
from benchbench.registry import Registry
from benchbench.report.canvas import tile
from benchbench.report.coverage import class_bars, mode_maps
from benchbench.report.figures import mode_figure
from benchbench.report.page.charts import Charts, Picture
from benchbench.report.page.images import PAIRS, grid_uri, nearest_training
from benchbench.report.page.sources import Result
from benchbench.report.rows import label_of
from benchbench.report.styles import Style
from benchbench.report.tree import RowKey, Section
from benchbench.runner.plan import Cell
from benchbench.store.samples import read_samples
from benchbench.store.scores import CONTROL_MODEL, REFERENCE_MODEL

__all__ = ["Album", "Gallery", "Shot"]

SIDE, SMALL_SIDE, MANY = 8, 5, 12
"""Images a side of a grid; fewer where there are many rows."""
LARGE, LARGE_SIDE = 48, 4
"""Images of more pixels a side than this are shown in smaller grids."""
SCATTER = 2_500
_HELD_OUT = Style("#808080", "o")
"""Held-out data, to be seen on light and on dark ground."""
MAX_BARS = 100
"""More labels than this are shown as heat maps."""
MAX_LISTED = 60


@dataclass(frozen=True)
class Shot:
    """The samples of one row. uri: a PNG. pairs: samples above their neighbours, or empty."""

    label: str
    style: Style | None
    uri: str
    width: int
    height: int
    alt: str
    pairs: str = ""


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
    """Stored samples (n, *shape) of one row, and the cell they come from.

    label: with the budget, where the data set has several. row: without.
    """

    label: str
    row: str
    cell: Cell
    raw: Tensor


class Gallery:
    """Makes the albums of a report."""

    def __init__(self, registry: Registry, charts: Charts) -> None:
        self.registry, self.charts = registry, charts

    def albums(self, results: Sequence[Result], sections: Sequence[Section]) -> list[Album]:
        """An album for each data set of the plans or the scores."""
        planned = (cell.dataset for result in results for cell in result.cells)
        names = dict.fromkeys([*planned, *(section.dataset for section in sections)])
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
            return self.registry.load_dataset(name, results[0].assets)
        except (BenchError, OSError) as error:
            gaps.append(f"No training neighbours and no true modes: {error}")
            return None

    def _style(self, label: str) -> Style | None:
        return self.charts.styles.get(label)

    # --- samples -------------------------------------------------------------------------------

    def _shots(self, found: Sequence[_Found], dataset: Dataset | None) -> list[Shot]:
        images = [f for f in found if f.raw.ndim == 4]
        if not images:
            return []
        side = SIDE if len(images) <= MANY else SMALL_SIDE
        side = LARGE_SIDE if max(images[0].raw.shape[2:]) > LARGE else side
        levels = dataset.info.levels if dataset else None
        top = (levels or int(max(f.raw.max() for f in images)) + 1) - 1
        return [self._shot(f, side, max(1, top), dataset) for f in images]

    def _shot(self, found: _Found, side: int, top: int, dataset: Dataset | None) -> Shot:
        shown = found.raw[: side * side].float() / top
        height, width = tile(shown, side, 1).shape[:2]
        real = found.cell.model == REFERENCE_MODEL
        pairs = ""
        if dataset is not None and not real:
            some = found.raw[:PAIRS]
            _, which = nearest_training(some, dataset.train.raw)
            both = torch.cat([some, dataset.train.raw[which]]).float() / top
            pairs = grid_uri(both, len(some))
        seed = "" if found.cell.seed is None else f", seed {found.cell.seed}"
        alt = f"{len(shown)} images: {found.label}{seed}"
        style = None if real else self._style(found.row)
        return Shot(found.label, style, grid_uri(shown, side), width, height, alt, pairs)

    # --- coverage ------------------------------------------------------------------------------

    def _scatters(self, found: Sequence[_Found], dataset: Dataset | None) -> Iterator[Picture]:
        modes = dataset.modes if dataset else None
        if not isinstance(modes, GaussianModes) or modes.centres.shape[1] != 2:
            return
        for f in found:
            style = self._style(f.row) or _HELD_OUT
            figure, said = mode_figure(f.raw[:SCATTER], modes.centres, modes.sigma, style)
            label = f"Samples of {f.label} over the true modes: {said}"
            yield self.charts.picture(figure, f.label, label, said)

    def _bars(self, sections: Sequence[Section]) -> Iterator[Picture]:
        """Class shares that the scores carry, of the first seed."""
        rows = [
            (row.label, cell.detail)
            for section in sections[:1]
            for row in section.rows
            for column, cell in zip(section.columns, row.cells, strict=True)
            if column.spec.name == "class_kl" and "shares" in cell.detail
        ]
        top = max((max(*d["shares"], *d["true_shares"]) for _, d in rows), default=0) * 1.08
        for label, detail in rows:
            shares, true = detail["shares"], detail["true_shares"]
            missed = [str(k) for k, share in enumerate(shares) if share == 0]
            said = f"{len(shares) - len(missed)} of {len(shares)} classes"
            said += f"; missing: {', '.join(missed)}" if missed else ""
            figure = class_bars(shares, true, self._style(label) or _HELD_OUT, top)
            listed = ", ".join(f"{k}: {share:.1f} %" for k, share in enumerate(shares))
            text = f"Share of each class, {label}: {listed}"
            yield self.charts.picture(figure, label, text, f"{said}. Lines: test split.")

    def _maps(
        self,
        found: Sequence[_Found],
        dataset: Dataset | None,
        results: Sequence[Result],
        gaps: list[str],
    ) -> Iterator[Picture]:
        """Of data with more labels than bars can show: counts that the data's own reader gives."""
        modes = dataset.modes if dataset else None
        if dataset is None or not isinstance(modes, LabelModes) or modes.count <= MAX_BARS:
            return
        try:
            reader = self.registry.load_extractor(found[0].cell.reader.name, results[0].assets)
        except (BenchError, OSError) as error:
            gaps.append(f"No map of modes: {error}")
            return
        for f in found:
            counts = torch.zeros(modes.count, dtype=torch.int64)
            for part in f.raw.split(1_000):
                read, _ = reader.modes(dataset.to_model(part))
                counts += torch.bincount(read, minlength=modes.count)
            missed = (counts == 0).nonzero()[:, 0].tolist()
            said = f"{modes.count - len(missed)} of {modes.count} modes, n = {len(f.raw):,}"
            listed = ", ".join(map(str, missed[:MAX_LISTED]))
            rest = f" and {len(missed) - MAX_LISTED} more" if len(missed) > MAX_LISTED else ""
            label = f"Map of modes, {f.label}: {said}"
            text = f"{label}; missing: {listed}{rest}" if missed else label
            yield self.charts.picture(mode_maps(counts), f.label, text, said)


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
                raw = read_samples(result.files(cell).samples(variant.label))
                if raw is not None and len(raw):
                    label = f"{row}, {cell.budget}" if len(budgets) > 1 and cell.budget else row
                    mine[row, cell.budget] = _Found(label, row, cell, raw)
        found.update(mine)
    yield from sorted(found.values(), key=lambda f: f.cell.model != REFERENCE_MODEL)
