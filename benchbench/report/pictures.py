"""Pictures of a result folder: each cell's samples, all rows side by side, scores over seeds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from benchbench.api.data import Dataset, GaussianModes
from benchbench.api.names import file_name, short_label, slug
from benchbench.registry import Registry
from benchbench.report.figures import comparison, mode_scatter, sample_grid
from benchbench.report.rows import label_of
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
SCATTER = 2_500


class Pictures:
    """Draws from the sample files of a folder; data sets are loaded once.

    labels: of all rows of the result, so that a row looks the same in every figure.
    """

    def __init__(self, folder: ResultFolder, plan: Plan, registry: Registry) -> None:
        self.folder, self.plan, self.registry = folder, plan, registry
        rows = (_label(c, v) for c in plan.cells if c.model not in NOT_MODELS for v in c.variants)
        self.styles = model_styles(rows)
        self._datasets: dict[str, Dataset] = {}

    def draw_cell(self, cell: Cell) -> None:
        """The samples of each variant of a cell: a grid of images, or points over the modes."""
        dataset = self._dataset(cell.dataset)
        files = self.folder.cell(cell.folder)
        for variant in cell.variants:
            samples = _drawable(dataset, read_samples(files.samples(variant.label)))
            if samples is None:
                continue
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

    def draw_all(self, tables: Tables) -> None:
        """For each data set all rows of its first seed side by side, and the scores over seeds."""
        out = self.folder.path / "figures"
        for name in dict.fromkeys(cell.dataset for cell in self.plan.cells):
            self._compare(name, out / f"samples-{file_name(name)}.png")
        for section in tables.sections:
            path = out / f"scores-{_section_file(section)}.png"
            seed_strip(section, path, styles=self.styles)

    def _compare(self, name: str, path: Path) -> None:
        dataset = self._dataset(name)
        cells = [c for c in self.plan.cells if c.dataset == name and c.model != CONTROL_MODEL]
        seeds = [cell.seed for cell in cells if cell.seed is not None]
        real = _drawable(dataset, dataset.validation.raw[:SCATTER])
        found = {
            label: samples[:SCATTER]
            for label, samples in self._samples(dataset, cells, min(seeds, default=0))
        }
        if real is None or real.ndim not in (2, 4) or not found:
            return
        if real.ndim == 2 and real.shape[1] != 2:
            return
        modes = None
        if isinstance(dataset.modes, GaussianModes):
            modes = (dataset.modes.centres, dataset.modes.sigma)
        title = short_label(name) + (f", seed {min(seeds)}" if seeds else "")
        comparison(real, found, path, title, modes, self.styles)

    def _samples(
        self, dataset: Dataset, cells: Iterable[Cell], seed: int
    ) -> Iterable[tuple[str, Tensor]]:
        for cell in cells:
            shown = cell.seed == seed or cell.given
            for variant in cell.variants if shown else ():
                file = self.folder.cell(cell.folder).samples(variant.label)
                samples = _drawable(dataset, read_samples(file))
                if samples is not None:
                    yield _label(cell, variant), samples

    def _dataset(self, name: str) -> Dataset:
        if name not in self._datasets:
            self._datasets[name] = self.registry.load_dataset(name, self.plan.assets)
        return self._datasets[name]


def _section_file(section: Section) -> str:
    """Its title, where that is short and plain; else one that no other data set shares."""
    name = file_name(section.dataset)
    plain = name == section.dataset
    return slug(section.title) if plain else f"{name}-budget-{slug(section.budget)}"


def _label(cell: Cell, variant: Variant) -> str:
    return label_of(RowKey(cell.model, cell.config_label, cell.budget, variant.label))


def _drawable(dataset: Dataset, raw: Tensor | None) -> Tensor | None:
    """Stored samples as a figure takes them: images in [0, 1], points in original units."""
    if raw is None or dataset.info.levels is None:
        return raw
    return raw.float() / (dataset.info.levels - 1)
