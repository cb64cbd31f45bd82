"""A result folder on disk: the plan, and a folder a cell with its status and scores.

plan.json
cells/DATASET/MODEL/seed-K-KEY/
    cell.json           status, spend, provenance
    scores.json         rows by score key
    train.jsonl         the training log
    model.safetensors   the trained model; checkpoint.safetensors while it trains
    samples*.safetensors, samples*.png
    given.safetensors   samples from elsewhere, which the cell measures
jobs/                   what `--executor slurm` has submitted
scores.csv              and scores.csv.sha256

JSON and safetensors files carry a checksum; `benchbench.store.damage` says which files of a cell
are not what was written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbench.api.errors import BenchError
from benchbench.api.files import file_digest
from benchbench.api.names import slug
from benchbench.store.files import read_json, write_json, write_text_atomic
from benchbench.store.scores import frame, write_scores

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CellFolder", "ResultFolder"]

_PLAIN = re.compile(r"[A-Za-z0-9_.+=,-]{1,80}")


class CellFolder:
    """The files of one cell."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / "checkpoint.safetensors"
        self.model = path / "model.safetensors"
        self.log = path / "train.jsonl"
        self.given = path / "given.safetensors"
        self.lock = path / ".lock"

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
        """The generated samples of a variant, safetensors; no two variants share a file."""
        if not variant:
            return self.path / "samples.safetensors"
        name = variant
        if not _PLAIN.fullmatch(variant):
            name = f"{slug(variant)[:60]}-{hashlib.sha256(variant.encode()).hexdigest()[:8]}"
        return self.path / f"samples-{name}.safetensors"

    def picture(self, variant: str) -> Path:
        """The picture of a variant's samples, PNG."""
        return self.samples(variant).with_suffix(".png")

    def append_log(self, line: dict[str, Any]) -> None:
        """Add a line to train.jsonl."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")

    def cut_log(self, spent: dict[str, int]) -> None:
        """Keep the lines up to the steps that each phase has spent: those of a checkpoint."""
        kept = []
        for text in self.log.read_bytes().splitlines() if self.log.is_file() else ():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # a line cut by a kill
                line = json.loads(text)
                if line["step"] <= spent.get(line["phase"], -1):
                    kept.append(json.dumps(line, sort_keys=True) + "\n")
        write_text_atomic(self.log, "".join(kept))

    def log_digests(self) -> dict[str, str]:
        """What cell.json keeps of the finished training log: its SHA-256."""
        return {self.log.name: file_digest(self.log)} if self.log.is_file() else {}

    def clear(self) -> None:
        """Remove what an earlier training has left; the lock stays."""
        for file in self.path.iterdir() if self.path.is_dir() else ():
            if file != self.lock and file.is_file():
                file.unlink()


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


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except ValueError as error:
        raise BenchError(
            f"{' '.join(str(error).split())}; remove the file, and the same `bench run` goes on "
            "from the cells that are whole"
        ) from error
