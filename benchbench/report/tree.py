"""The tables as data: sections → columns and rows → cells, and notes. Renderers read only this.

Numbers stay unrounded here; `benchbench.report.layout` says how they are printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from benchbench.api import ScoreSpec
from benchbench.store.scores import EXTERNAL

__all__ = [
    "EXTERNAL",
    "MISSING",
    "Cell",
    "Column",
    "Group",
    "Kind",
    "Note",
    "Protocol",
    "Row",
    "RowKey",
    "Section",
    "Tables",
]

MISSING = "–"
"""What a cell without a value shows."""

Group = Literal["quality", "cost", "spend"]
Kind = Literal["real", "model", "external"]
Protocol = tuple[tuple[str, str], ...]
"""What two scores must agree in to share a column: (name, value) pairs, such as (n, 10000)."""


class RowKey(NamedTuple):
    """What makes a row: a trained model (model, config, budget) sampled in one way (variant)."""

    model: str
    config: str
    budget: str
    variant: str

    @property
    def trained(self) -> tuple[str, str, str]:
        """The trained model that variants share."""
        return self.model, self.config, self.budget


@dataclass(frozen=True)
class Note:
    """A line under a table. mark: the sign in the cells that it explains, or empty."""

    text: str
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.mark}: {self.text}" if self.mark else self.text


@dataclass(frozen=True)
class Cell:
    """One row's value in one column.

    value: mean over seeds; None where there is none, and `status` and `reason` say why.
    values: the value of each seed (key None: a value without a seed).
    ci_low, ci_high: 95 % interval; `own_interval`: the metric's own, from a single evaluation.
    marks: signs printed behind the value, each explained by a note of the section.
    """

    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    values: Mapping[int | None, float] = field(default_factory=dict)
    own_interval: bool = False
    bold: bool = False
    bound: str = "exact"
    reliable: bool = True
    n: tuple[int, ...] = ()
    marks: tuple[str, ...] = ()
    status: str = "done"
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_seeds(self) -> int:
        """Seeds behind the mean; 0 for held-out data and other values without a seed."""
        return sum(seed is not None for seed in self.values)


@dataclass(frozen=True)
class Column:
    """Scores that may be compared: one metric, one condition, one protocol.

    suffix: what tells columns of one metric and condition apart, or empty.
    floor: the finite-sample floor of this metric, where the scores carry one.
    shown: whether the comparison table has it; table.csv has every column.
    missed: controls that this score should have told from real data on this data set, and did not.
    power: values are printed divided by 10**power. decimals: None for three significant digits
        of each value.
    """

    spec: ScoreSpec
    group: Group
    condition: str = ""
    protocol: Protocol = ()
    suffix: str = ""
    floor: float | None = None
    shown: bool = True
    missed: tuple[str, ...] = ()
    power: int = 0
    decimals: int | None = None


@dataclass(frozen=True)
class Row:
    """One trained model sampled in one way, or held-out real data, or a model from elsewhere.

    seeds: how many seeds there are, and how many failed, as text.
    cells: one for each column of the section.
    """

    key: RowKey
    kind: Kind
    label: str
    seeds: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Section:
    """One data set under one budget."""

    dataset: str
    budget: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Tables:
    """All sections, and lines that hold for each of them (device, threads, …)."""

    sections: tuple[Section, ...]
    context: tuple[tuple[str, str], ...] = ()
