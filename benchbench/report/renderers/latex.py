r"""Tables as LaTeX with booktabs: \usepackage{booktabs} is all that a document needs."""

from __future__ import annotations

from collections.abc import Sequence

from benchbench.report.layout import Block, Fits, blocks, cell_text, head_parts
from benchbench.report.renderers.escape import latex
from benchbench.report.tree import Row, Section, Tables

__all__ = ["to_latex"]

_LINE = 345.0
"""Points that the text of a one-column article at 10 pt is wide."""
_CHARACTER, _SIGN, _BOLD, _GAP = 4.25, 6.6, 1.16, 8.0
"""Points of a character and of a mathematical sign in \\footnotesize, how much wider bold is, and
the space between two columns at this \\tabcolsep."""

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
    label = max([_points("model"), *(_points(row.label) for row in section.rows)])
    counts = max([_points("seeds"), *(_points(row.seeds) for row in section.rows)])
    widths = []
    for i, column in enumerate(section.columns):
        texts = [cell_text(row.cells[i], column) for row in section.rows]
        cells = [_points(text.compact(), bold=text.bold) for text in texts]
        widths.append(max([*cells, *(_points(part) for part in head_parts(column))]))

    def fits(columns: Sequence[int], seeds: bool) -> bool:
        used = [label, *([counts] if seeds else []), *(widths[i] for i in columns)]
        return sum(used) + _GAP * len(used) <= _LINE

    return fits


def _points(text: str, *, bold: bool = False) -> float:
    """About how wide a text is set."""
    width = sum(_CHARACTER if c.isascii() and c not in "<>" else _SIGN for c in text)
    return width * _BOLD if bold else width


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
