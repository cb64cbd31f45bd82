"""A benchmark's table as CSV and as Markdown."""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbench.runner.device import processor_name

__all__ = ["circumstances", "write_tables"]


def circumstances() -> str:
    """The processor, and how busy it is now."""
    return f"{processor_name()}, load average {os.getloadavg()[0]:.1f} at the end"


def write_tables(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    path: Path,
    *,
    title: str,
    notes: Sequence[str],
) -> None:
    """Write PATH.csv and PATH.md, title and notes (a paragraph each) above the table.

    None is an empty cell. Text stands left, numbers right.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="raise")
        writer.writeheader()
        writer.writerows(rows)
    textual = {c for c in columns if all(isinstance(row.get(c, ""), str) for row in rows)}
    lines = [f"# {title}", ""]
    for note in (*notes, f"Python {platform.python_version()}."):
        lines += [note, ""]
    lines.append("| " + " | ".join(columns) + " |")
    lines.append("| " + " | ".join(":--" if c in textual else "--:" for c in columns) + " |")
    for row in rows:
        cells = ["" if row.get(c) is None else str(row[c]) for c in columns]
        lines.append("| " + " | ".join(cells) + " |")
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
