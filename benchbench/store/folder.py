"""A result folder on disk: the plan, and a folder a cell with its status and scores.

plan.json
cells/DATASET/MODEL/seed-K-KEY/
    cell.json           status, spend, provenance
    scores.json         rows by score key
    train.jsonl         the training log
    model.safetensors   the trained model; checkpoint.safetensors while it trains
    samples*.safetensors, samples*.png
scores.csv
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbench.api.errors import BenchError
from benchbench.api.names import slug
from benchbench.store.files import read_json, write_json
from benchbench.store.scores import frame, write_scores

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CellFolder", "ResultFolder"]


class CellFolder:
    """The files of one cell."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / "checkpoint.safetensors"
        self.model = path / "model.safetensors"
        self.log = path / "train.jsonl"

    def status(self) -> dict[str, Any]:
        """cell.json, or `{"status": "missing"}`."""
        file = self.path / "cell.json"
        return _read(file) if file.is_file() else {"status": "missing"}

    def write_status(self, status: dict[str, Any]) -> None:
        """Replace cell.json."""
        write_json(self.path / "cell.json", status)

    def scores(self) -> dict[str, list[dict[str, Any]]]:
        """Finished scores: rows by score key."""
        file = self.path / "scores.json"
        return _read(file) if file.is_file() else {}

    def add_scores(self, key: str, rows: list[dict[str, Any]]) -> None:
        """Add the rows of one score key."""
        write_json(self.path / "scores.json", {**self.scores(), key: rows})

    def samples(self, variant: str) -> Path:
        """The generated samples of a variant, safetensors."""
        return self.path / f"samples{'-' + slug(variant) if variant else ''}.safetensors"

    def picture(self, variant: str) -> Path:
        """The picture of a variant's samples, PNG."""
        return self.samples(variant).with_suffix(".png")

    def append_log(self, line: dict[str, Any]) -> None:
        """Add a line to train.jsonl."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")


class ResultFolder:
    """results/NAME: the only truth about what has been run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def cell(self, relative: Path) -> CellFolder:
        """The cell in this sub-folder."""
        return CellFolder(self.path / relative)

    def write_plan(self, plan: dict[str, Any]) -> None:
        """Replace plan.json."""
        write_json(self.path / "plan.json", plan)

    def plan(self) -> dict[str, Any]:
        """plan.json; raises BenchError where there is none or it is damaged."""
        file = self.path / "plan.json"
        if not file.is_file():
            raise BenchError(f"{str(self.path)!r} is no result folder: it has no plan.json")
        return _read(file)

    def write_context(self, context: dict[str, str]) -> None:
        """Replace context.json: the facts that the tables of this folder state."""
        write_json(self.path / "context.json", context)

    def context(self) -> dict[str, str]:
        """context.json, or nothing."""
        file = self.path / "context.json"
        return _read(file) if file.is_file() else {}

    def write_scores(self, rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
        """Write scores.csv and give its frame."""
        table = frame(rows)
        write_scores(self.path / "scores.csv", table)
        return table


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except ValueError as error:
        raise BenchError(f"{error}; remove the file to compute it anew") from error
