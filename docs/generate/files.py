"""Files that people write or read: suites, claim files, scores.csv, a table."""

from __future__ import annotations

from pathlib import Path

import yaml

from benchbench.claims.schema import load_claims
from benchbench.runner.config_files import embedded_files
from benchbench.runner.suite import embedded_suites
from benchbench.store.scores import IDENTITY, SCORE_COLUMNS
from generate.text import code, plain, sentence, table

__all__ = ["claim_files", "example_table", "measured", "score_columns", "suite_reference"]

RESULTS = Path(__file__).parents[2] / "results"
TABLE = Path(__file__).parents[2] / "results" / "default" / "table.md"


def suite_reference() -> str:
    """Every embedded suite: what it is for, and the file itself."""
    parts = []
    for name, path in embedded_suites().items():
        text = path.read_text(encoding="utf-8").strip()
        summary = sentence(yaml.safe_load(text).get("summary", ""))
        parts.append(f"## {code(name)} {{ #suite-{name} }}\n\n{summary}\n\n```yaml\n{text}\n```")
    return "\n\n".join(parts)


def claim_files() -> str:
    """Every embedded claim file in a line."""
    rows = []
    for name in embedded_files("claims"):
        file = load_claims(name)
        budget = code(file.budget)
        rows.append((code(name), str(len(file.claims)), budget, plain(file.summary)))
    return table(["file", "claims", "budget", "what it asks"], rows)


def score_columns(number: str) -> str:
    """The columns that make a row of scores.csv unique, or all of them, as code."""
    names = IDENTITY if number == "identity" else SCORE_COLUMNS
    return ", ".join(map(code, names)) + "."


def example_table(dataset: str) -> str:
    """The table of one data set in results/default/table.md, with its notes."""
    sections = TABLE.read_text(encoding="utf-8").split("\n## ")
    found = [s for s in sections if s.removeprefix("## ").startswith(f"{dataset},")]
    if not found:
        raise KeyError(f"{TABLE.name} has no table of {dataset}")
    _, _, text = found[0].partition("\n")
    return text.strip()


def measured(name: str) -> str:
    """A page of figures under results/, without its title."""
    _, _, text = (RESULTS / f"{name}.md").read_text(encoding="utf-8").partition("\n")
    return text.strip()
