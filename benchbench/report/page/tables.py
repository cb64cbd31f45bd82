"""Comparison tables as the template takes them: text, sort values, marks of ties; nothing escaped.

A cell is bold where its lead is supported. `≈` stands behind the best value and behind each value
that is not told apart from it, unless one seed leaves nothing to tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchbench.report.layout import Block, CellText, blocks, cell_text, head_parts
from benchbench.report.page.answer import answer
from benchbench.report.ranking import standing
from benchbench.report.renderers import to_csv, to_latex, to_markdown
from benchbench.report.styles import Style
from benchbench.report.tree import Row, Section, Tables

__all__ = ["TIE", "BlockView", "CellView", "Head", "RowView", "SectionView", "section_views"]

TIE = "≈"


@dataclass(frozen=True)
class Head:
    """A column's head. best: `descending` where more is better, and so what a first click gives."""

    label: str
    qualifier: str
    unit: str
    best: str
    title: str


@dataclass(frozen=True)
class CellView:
    """A cell. sort: its value as text, empty where there is none. title: n and reason."""

    text: CellText
    sort: str
    tie: bool
    title: str


@dataclass(frozen=True)
class RowView:
    """A row; style: of its model, None for held-out and external rows."""

    label: str
    kind: str
    seeds: str
    style: Style | None
    cells: tuple[CellView, ...]


@dataclass(frozen=True)
class BlockView:
    """A table of one section: all its columns, or its quality, or its cost."""

    title: str
    heads: tuple[Head, ...]
    rows: tuple[RowView, ...]
    seeds: bool


@dataclass(frozen=True)
class SectionView:
    """One data set under one budget. texts: the same table in other formats, by their name."""

    anchor: str
    title: str
    answer: tuple[str, ...]
    blocks: tuple[BlockView, ...]
    notes: tuple[str, ...]
    texts: Mapping[str, str]
    ties: bool


def section_views(tables: Tables, styles: Mapping[str, Style]) -> list[SectionView]:
    """A view for each section of the tables."""
    return [_view(s, n, tables, styles) for n, s in enumerate(tables.sections)]


def _view(
    section: Section, number: int, tables: Tables, styles: Mapping[str, Style]
) -> SectionView:
    tied = {i: _tied(section, i) for i, column in enumerate(section.columns) if column.shown}
    alone = Tables((section,), tables.context)
    formats = {"Markdown": to_markdown, "LaTeX": to_latex, "CSV": to_csv}
    return SectionView(
        anchor=f"table-{number}",
        title=section.title,
        answer=tuple(answer(section)),
        blocks=_numbered([_block(section, block, tied, styles) for block in blocks(section)]),
        notes=tuple(str(note) for note in section.notes),
        texts={name: render(alone) for name, render in formats.items()},
        ties=any(tied.values()),
    )


def _numbered(found: list[BlockView]) -> tuple[BlockView, ...]:
    """Titles that differ: `Quality`, `Quality, continued`."""
    before: str | None = None
    views = []
    for block in found:
        more = ", continued" if block.title and block.title == before else ""
        views.append(replace(block, title=block.title.capitalize() + more))
        before = block.title
    return tuple(views)


def _tied(section: Section, index: int) -> frozenset[str]:
    """The labels of the rows that share the lead of a column; empty where none do."""
    found = standing(section.rows, index, section.columns[index])
    if found is None or not found.tied:
        return frozenset()
    rows = [section.rows[i] for i in (found.best, *found.tied)]
    if all(row.cells[index].n_seeds < 2 for row in rows):
        return frozenset()
    return frozenset(row.label for row in rows)


def _block(
    section: Section,
    block: Block,
    tied: Mapping[int, frozenset[str]],
    styles: Mapping[str, Style],
) -> BlockView:
    rows = tuple(
        RowView(
            row.label,
            row.kind,
            row.seeds,
            styles.get(row.label) if row.kind == "model" else None,
            tuple(_cell(section, row, i, tied[i]) for i in block.columns),
        )
        for row in block.rows
    )
    heads = tuple(_head(section, i) for i in block.columns)
    return BlockView(block.title, heads, rows, block.seeds)


def _head(section: Section, index: int) -> Head:
    column = section.columns[index]
    label, qualifier, unit = head_parts(column)
    best = "ascending" if column.spec.direction == "min" else "descending"
    missed = f"Did not tell {', '.join(column.missed)} from real data." if column.missed else ""
    title = " ".join(part for part in (column.spec.summary, missed) if part)
    return Head(label, qualifier, unit, best, title)


def _cell(section: Section, row: Row, index: int, tied: frozenset[str]) -> CellView:
    cell, column = row.cells[index], section.columns[index]
    counts = " or ".join(f"{n:,}" for n in cell.n)
    parts = [f"n = {counts}" if counts else "", cell.reason]
    known = cell.value is not None and not math.isnan(cell.value)
    return CellView(
        cell_text(cell, column),
        repr(cell.value) if known else "",
        row.label in tied,
        "; ".join(part for part in parts if part),
    )
