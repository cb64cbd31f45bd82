"""Tables for the terminal: rich renderables, split so that no cell is cut at the width given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchbench.report.layout import Block, Fits, blocks, cell_text, head_parts, text_width
from benchbench.report.renderers.escape import clean
from benchbench.report.tree import Section, Tables

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["to_rich"]

_MAX_LABEL = 30
_GAP = 3
"""Columns that rich leaves between two columns: a space on each side of the divider."""


def to_rich(tables: Tables, width: int = 100) -> list[RenderableType]:
    """Tables and notes in printing order, for a terminal of `width` columns.

    Names are `rich.text.Text`, so that no markup in them is read.
    """
    from rich.padding import Padding
    from rich.text import Text

    found: list[RenderableType] = []
    for section in tables.sections:
        found.append(Text(clean(section.title), style="bold"))
        for block in blocks(section, _fits(section, width)):
            found.append(Padding(_table(section, block), (1, 0, 0, 0)))
        found.append(Text(""))
        found += [Text(clean(str(note)), style="dim") for note in section.notes]
        found.append(Text(""))
    found += [Text(clean(f"{key}: {value}"), style="dim") for key, value in tables.context]
    return found


def _fits(section: Section, width: int) -> Fits:
    label = max((len(clean(row.label)) for row in section.rows), default=0)
    counts = max((len(clean(row.seeds)) for row in section.rows), default=0)
    lead = min(max(label, len("model")), _MAX_LABEL)
    widths = [text_width(section, i) for i in range(len(section.columns))]

    def fits(columns: Sequence[int], seeds: bool) -> bool:
        used = [
            lead,
            *([max(counts, len("seeds"))] if seeds else []),
            *(widths[i] for i in columns),
        ]
        return sum(used) + _GAP * (len(used) - 1) <= width

    return fits


def _table(section: Section, block: Block) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="")
    table.add_column(Text("model", style="bold"), max_width=_MAX_LABEL, overflow="fold")
    if block.seeds:
        table.add_column(Text("seeds", style="bold"), justify="right", no_wrap=True)
    heads = [head_parts(section.columns[i]) for i in block.columns]
    lines = [part for part in (2, 1) if any(head[part] for head in heads)]
    for head in heads:
        text = Text(clean(head[0]), style="bold")
        for part in lines:
            text.append(f"\n{clean(head[part])}", style="not bold dim")
        table.add_column(text, justify="right", no_wrap=True)
    for row in block.rows:
        cells = [Text(clean(row.label), style="italic" if row.kind != "model" else "")]
        if block.seeds:
            cells.append(Text(row.seeds))
        for i in block.columns:
            shown = cell_text(row.cells[i], section.columns[i])
            cells.append(Text(clean(shown.compact()), style="bold" if shown.bold else ""))
        table.add_row(*cells)
    return table
