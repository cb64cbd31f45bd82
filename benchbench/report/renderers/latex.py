r"""Tables as LaTeX with booktabs: \usepackage{booktabs} is all that a document needs."""

from __future__ import annotations

from collections.abc import Sequence

from benchbench.report.layout import Block, Fits, blocks, cell_text, head_parts, text_width
from benchbench.report.renderers.escape import latex
from benchbench.report.tree import Row, Section, Tables

__all__ = ["to_latex"]

_LINE = 94
"""Characters of \\footnotesize that fit the text width of a one-column article, about."""
_GAP = 2
"""What \\tabcolsep takes between two columns, in such characters."""

_PREAMBLE = "% Written by benchbench. Needs \\usepackage{booktabs}.\n"


def to_latex(tables: Tables) -> str:
    """For each section a table environment, or one of quality and one of cost, notes beneath."""
    return _PREAMBLE + "\n".join(_section(section, tables) for section in tables.sections)


def _section(section: Section, tables: Tables) -> str:
    found = blocks(section, _fits(section))
    titles = list(dict.fromkeys(block.title for block in found))
    floats = []
    for title in titles:
        caption = f"{section.title}: {title}" if title else section.title
        lines = [
            r"\begin{table}[htbp]",
            r"\centering",
            rf"\caption{{{latex(caption)}}}",
            r"\smallskip",
        ]
        lines += [r"\footnotesize", r"\setlength{\tabcolsep}{4pt}"]
        for block in found:
            if block.title == title:
                lines += [*_tabular(section, block), r"\par\medskip"]
        if title == titles[-1]:
            lines += _notes(section, tables)
        floats.append("\n".join([*lines, r"\end{table}", ""]))
    return "\n".join(floats)


def _notes(section: Section, tables: Tables) -> list[str]:
    notes = [str(note) for note in section.notes]
    notes += [f"{key}: {value}" for key, value in tables.context]
    if not notes:
        return []
    lines = [rf"{latex(note)}\par" for note in notes]
    return [
        r"\begin{minipage}{\linewidth}",
        r"\raggedright\scriptsize",
        *lines,
        r"\end{minipage}",
    ]


def _fits(section: Section) -> Fits:
    label = max((len(row.label) for row in section.rows), default=0)
    counts = max((len(row.seeds) for row in section.rows), default=0)
    widths = [text_width(section, i) for i in range(len(section.columns))]

    def fits(columns: Sequence[int], seeds: bool) -> bool:
        used = [label, *([counts] if seeds else []), *(widths[i] for i in columns)]
        return sum(used) + _GAP * (len(used) - 1) <= _LINE

    return fits


def _tabular(section: Section, block: Block) -> list[str]:
    heads = [head_parts(section.columns[i]) for i in block.columns]
    lead = ["model", "seeds"] if block.seeds else ["model"]
    lines = [rf"\begin{{tabular}}{{{'l' * len(lead)}{'r' * len(heads)}}}", r"\toprule"]
    lines.append(_line([*lead, *(latex(label) for label, _, _ in heads)]))
    for part in (2, 1):
        if any(head[part] for head in heads):
            lines.append(_line([*("" for _ in lead), *(latex(head[part]) for head in heads)]))
    lines.append(r"\midrule")
    for place, row in enumerate(block.rows):
        lines.append(_row(section, block, row))
        last = place == len(block.rows) - 1
        if row.kind == "real" and not last:
            lines.append(r"\midrule")
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _row(section: Section, block: Block, row: Row) -> str:
    cells = []
    for i in block.columns:
        text = cell_text(row.cells[i], section.columns[i])
        shown = latex(text.compact())
        cells.append(rf"\textbf{{{shown}}}" if text.bold else shown)
    names = [row.label, row.seeds] if block.seeds else [row.label]
    return _line([*(latex(name) for name in names), *cells])


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
