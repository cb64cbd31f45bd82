"""The table files of a result folder."""

from __future__ import annotations

from pathlib import Path

from benchbench.report.renderers.latex import to_latex
from benchbench.report.renderers.machine import to_csv
from benchbench.report.renderers.markdown import to_markdown
from benchbench.report.tree import Tables
from benchbench.store.files import write_text_atomic

__all__ = ["write_tables"]


def write_tables(tables: Tables, folder: Path) -> list[Path]:
    """Write table.md, table.tex and table.csv, each whole or not at all; returns their paths."""
    texts = {
        "table.md": to_markdown(tables),
        "table.tex": to_latex(tables),
        "table.csv": to_csv(tables),
    }
    for name, text in texts.items():
        write_text_atomic(folder / name, text)
    return [folder / name for name in texts]
