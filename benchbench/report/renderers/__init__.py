"""Tables in the formats they are read in; each renderer escapes whatever it prints."""

from __future__ import annotations

from benchbench.report.renderers.files import write_tables
from benchbench.report.renderers.latex import to_latex
from benchbench.report.renderers.machine import to_csv
from benchbench.report.renderers.markdown import to_markdown
from benchbench.report.renderers.terminal import to_rich

__all__ = ["to_csv", "to_latex", "to_markdown", "to_rich", "write_tables"]
