"""Pictures of a result folder: each cell's samples, all rows side by side, coverage of modes that
are labels, scores over seeds. Points with known modes are drawn over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor

from benchbench.api.data import Dataset, GaussianModes
from benchbench.api.errors import BenchError
from benchbench.api.names import file_name, short_label, slug
from benchbench.report.canvas import save
from benchbench.report.coverage import class_panels, class_shares, mode_panels
from benchbench.report.figures import SCATTER, comparison, mode_scatter, sample_grid
from benchbench.report.readings import Readings, many_labels
from benchbench.report.rows import label_of
from benchbench.report.signals import signal_comparison, signal_figure, signal_range
from benchbench.report.strips import seed_strip
from benchbench.report.styles import REAL, model_styles
from benchbench.report.tree import RowKey, Section, Tables
from benchbench.runner.plan import Cell, Plan
from benchbench.runner.selection import Variant
from benchbench.store.folder import ResultFolder
from benchbench.store.samples import read_samples
from benchbench.store.scores import CONTROL_MODEL, REFERENCE_MODEL

__all__ = ["Pictures"]

NOT_MODELS = (REFERENCE_MODEL, CONTROL_MODEL)
GRID = 100


class Pictures:
    """Draws from the sample files of a folder.

    Rows look the same in every figure: by their place in the plan.
    """

    def __init__(self, folder: ResultFolder, plan: Plan, readings: Readings) -> None:
        self.folder, self.plan, self.readings = folder, plan, readings
        rows = (_label(c, v) for c in plan.cells if c.model not in NOT_MODELS for v in c.variants)
        self.styles = model_styles(rows)

    def draw_cell(self, cell: Cell) -> None:
        """The samples of each variant of a cell: a grid of images or signals, or points over the
        modes."""
        dataset = self._dataset(cell.dataset)
        files = self.folder.cell(cell.folder)
        for variant in cell.variants:
            raw = read_samples(files.samples(variant.label))
            if raw is None or len(raw) == 0:
                continue
            samples = _drawable(dataset, raw)
            path, title = (
                files.picture(variant.label),
                f"{short_label(cell.dataset)}, {_label(cell, variant)}",
            )
            if cell.seed is not None:
                title += f", seed {cell.seed}"
            if isinstance(dataset.modes, GaussianModes):
                centres, sigma = dataset.modes.centres, dataset.modes.sigma
                style = self.styles.get(_label(cell, variant), REAL)
                mode_scatter(samples[:SCATTER], centres, sigma, path, title, style)
            elif samples.ndim == 4:
                sample_grid(samples[:GRID], path, title)
            elif samples.ndim == 3:
                span = signal_range(dataset.validation.raw)
                style = self.styles.get(_label(cell, variant), REAL)
                save(signal_figure(samples[:GRID], span, style, columns=10), path)

    def draw_all(self, tables: Tables) -> None:
        """For each data set all rows of its first seed side by side, how they cover its classes or
        modes, and the scores over seeds."""
        out = self.folder.path / "figures"
        for name in dict.fromkeys(cell.dataset for cell in self.plan.cells):
            self._compare(name, out / f"samples-{file_name(name)}.png")
            self._cover(name, tables, out / f"coverage-{file_name(name)}.png")
        for section in tables.sections:
            path = out / f"scores-{_section_file(section)}.png"
            seed_strip(section, path, styles=self.styles)

    def _compare(self, name: str, path: Path) -> None:
        dataset = self._dataset(name)
        cells, seed, title = self._first_seed(name)
        models = [cell for cell in cells if cell.model != REFERENCE_MODEL]
        found = {
            label: _drawable(dataset, samples[:SCATTER])
            for label, samples, _, _ in self._samples(models, seed)
        }
        real = _drawable(dataset, dataset.validation.raw[:SCATTER])
        if not found:
            return
        if real.ndim == 3:
            signal_comparison(real, found, path, title, self.styles)
        elif real.ndim == 4 or (real.ndim == 2 and real.shape[1] == 2):
            modes = None
            if isinstance(dataset.modes, GaussianModes):
                modes = (dataset.modes.centres, dataset.modes.sigma)
            comparison(real, found, path, title, modes, self.styles)

    def _cover(self, name: str, tables: Tables, path: Path) -> None:
        """Heat maps of many labels, bars of a few; nothing where the modes are no labels.

        Bars come from the scores, of the first budget; maps are read from the samples.
        """
        dataset = self._dataset(name)
        cells, seed, title = self._first_seed(name)
        if not many_labels(dataset):
            here = [section for section in tables.sections if section.dataset == name]
            bars = class_shares(here[:1])
            if bars:
                class_panels(bars, path, title, self.styles)
            return
        try:
            counts = {
                label: self.readings.counts(samples, file, dataset, cell, self.plan.assets)
                for label, samples, file, cell in self._samples(cells, seed)
            }
        except BenchError:  # no extractor: the report says so
            return
        if counts:
            mode_panels(counts, path, title, self.styles)

    def _first_seed(self, name: str) -> tuple[list[Cell], int, str]:
        """The cells of a data set without controls, their first seed, and a title that says it."""
        cells = [c for c in self.plan.cells if c.dataset == name and c.model != CONTROL_MODEL]
        seeds = [cell.seed for cell in cells if cell.seed is not None]
        title = short_label(name) + (f", seed {min(seeds)}" if seeds else "")
        return cells, min(seeds, default=0), title

    def _samples(
        self, cells: Iterable[Cell], seed: int
    ) -> Iterator[tuple[str, Tensor, Path, Cell]]:
        """Label, samples as stored, their file and their cell, of each row that has some."""
        for cell in cells:
            shown = cell.seed in (None, seed) or cell.given
            for variant in cell.variants if shown else ():
                file = self.folder.cell(cell.folder).samples(variant.label)
                raw = read_samples(file)
                if raw is not None and len(raw):
                    yield _label(cell, variant), raw, file, cell

    def _dataset(self, name: str) -> Dataset:
        return self.readings.dataset(name, self.plan.assets)


def _section_file(section: Section) -> str:
    """Its title, where that is short and plain; else one that no other data set shares."""
    name = file_name(section.dataset)
    plain = name == section.dataset
    return slug(section.title) if plain else f"{name}-budget-{slug(section.budget)}"


def _label(cell: Cell, variant: Variant) -> str:
    return label_of(RowKey(cell.model, cell.config_label, cell.budget, variant.label))


def _drawable(dataset: Dataset, raw: Tensor) -> Tensor:
    """Stored samples as a figure takes them: images in [0, 1], all else in original units."""
    return raw if dataset.info.levels is None else raw.float() / (dataset.info.levels - 1)
