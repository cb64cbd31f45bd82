"""Data sets, and how often samples show each mode: loaded and read once for all pictures.

Reading takes longer than drawing, and a run's figures and its report show the same counts.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from benchbench.api import Assets
from benchbench.api.data import Dataset, LabelModes
from benchbench.registry import Registry
from benchbench.runner.plan import Cell

__all__ = ["MAX_BARS", "Readings", "many_labels"]

MAX_BARS = 100
"""More labels than this are shown as heat maps, fewer as bars."""
_CHUNK = 1_000


def many_labels(dataset: Dataset) -> bool:
    """Whether the modes are labels, and too many for bars."""
    return isinstance(dataset.modes, LabelModes) and dataset.modes.count > MAX_BARS


class Readings:
    """Data sets by name, and counts of modes by the file of samples that they were read from."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._datasets: dict[tuple[str, tuple[Path, ...]], Dataset] = {}
        self._counts: dict[tuple[Path, int, int], Tensor] = {}

    def dataset(self, name: str, assets: Assets) -> Dataset:
        """The data set; raises BenchError or OSError where its files can't be had."""
        key = (name, assets.folders)
        if key not in self._datasets:
            self._datasets[key] = self.registry.load_dataset(name, assets)
        return self._datasets[key]

    def counts(
        self, raw: Tensor, file: Path, dataset: Dataset, cell: Cell, assets: Assets
    ) -> Tensor:
        """Of samples raw (n, …) of this file: int64 (modes,).

        Raises BenchError where the extractor can't be had.
        """
        assert isinstance(dataset.modes, LabelModes)
        about = file.stat()
        key = (file.resolve(), about.st_mtime_ns, about.st_size)
        if key not in self._counts:
            reader = self.registry.load_extractor(cell.reader.name, assets)
            found = torch.zeros(dataset.modes.count, dtype=torch.int64)
            for part in raw.split(_CHUNK):
                read, _ = reader.modes(dataset.to_model(part))
                found += torch.bincount(read, minlength=len(found))
            self._counts[key] = found
        return self._counts[key]
