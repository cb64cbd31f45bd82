"""Tables as GitHub-flavoured Markdown, aligned so that the source reads as well."""

from __future__ import annotations

from collections.abc import Sequence

from benchbench.report.layout import Block, blocks, cell_text, head_parts
from benchbench.report.renderers.escape import markdown
from benchbench.report.tree import Column, Row, Section, Tables

__all__ = ["to_markdown"]


def to_markdown(tables: Tables) -> str:
    """A heading, one or two tables and a list of notes for each section."""
    parts = [_section(section) for section in tables.sections]
    if tables.context:
        parts.append("\n".join(f"- {markdown(k)}: {markdown(v)}" for k, v in tables.context))
    return "\n\n".join(parts) + "\n" if parts else "No scores.\n"


def _section(section: Section) -> str:
    parts = [f"## {markdown(section.title)}"]
    for block in blocks(section):
        if block.title:
            parts.append(f"**{block.title}**")
        parts.append(_table(section, block))
    if section.notes:
        parts.append("\n".join(f"- {markdown(str(note))}" for note in section.notes))
    return "\n\n".join(parts)


def _table(section: Section, block: Block) -> str:
    columns = [section.columns[i] for i in block.columns]
    lead = ["model", "seeds"] if block.seeds else ["model"]
    lines = [[*lead, *(_head(column) for column in columns)]]
    for row in block.rows:
        names = [row.label, row.seeds] if block.seeds else [row.label]
        cells = [_cell(row, i, section.columns[i]) for i in block.columns]
        lines.append([*(markdown(name) for name in names), *cells])
    return _aligned(lines, left=len(lead))


def _head(column: Column) -> str:
    label, qualifier, unit = head_parts(column)
    more = "; ".join(part for part in (unit, qualifier) if part)
    return markdown(f"{label} ({more})" if more else label)


def _cell(row: Row, index: int, column: Column) -> str:

    text = cell_text(row.cells[index], column)
    return f"**{markdown(str(text))}**" if text.bold else markdown(str(text))


def _aligned(lines: Sequence[Sequence[str]], left: int) -> str:
    """Rows of cells as a table; the first `left` columns flush left, the others right."""
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(lines[0]))]
    rules = [
        ":" + "-" * (width - 1) if i < left else "-" * (width - 1) + ":"
        for i, width in enumerate(widths)
    ]
    return "\n".join(
        "| "
        + " | ".join(
            text.ljust(width) if i < left else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in (lines[0], rules, *lines[1:])
    )
