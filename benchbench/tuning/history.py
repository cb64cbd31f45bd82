"""The history of a search: one CSV row a training, and the search's settings beside it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbench import __version__
from benchbench.api import UsageError
from benchbench.store.files import read_json, write_json, write_text_atomic
from benchbench.tuning.trial import Job, Result

__all__ = ["COLUMNS", "History"]

COLUMNS = (
    "dataset", "model", "trial", "options", "seed", "budget", "objective", "score", "status",
    "reason", "scores", "flop", "train_seconds", "images", "steps", "seconds", "threads", "device",
    "source", "torch", "benchbench",
)  # fmt: skip


@dataclass
class History:
    """trials.csv, finals.csv and search.json in a folder.

    rows: the trials; finals: further seeds of a few of them, under the trial's number. Both as
    written, values as text.
    """

    folder: Path
    rows: list[dict[str, str]] = field(default_factory=list)
    finals: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path, settings: dict[str, Any]) -> History:
        """The history in the folder, a new one where there is none.

        settings: what all of its rows share. Raises UsageError where other settings made it.
        """
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"--out {str(folder)!r} is a file; give a folder")
        about = folder / "search.json"
        if about.is_file():
            found = read_json(about)
            for key, value in json.loads(json.dumps(settings)).items():
                if found.get(key) != value:
                    raise UsageError(
                        f"{str(folder)!r} holds a search with {key} = {_short(found.get(key))}, "
                        f"not {_short(value)}; give the same again, or another --out"
                    )
        elif (folder / "trials.csv").exists():
            raise UsageError(f"{str(folder)!r} has a trials.csv without its search.json")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(about, settings)
        return cls(folder, _read(folder / "trials.csv"), _read(folder / "finals.csv"))

    def add(self, job: Job, result: Result) -> None:
        """Write a row for a training that has ended."""
        spend = result.spend
        row = {
            **{name: getattr(job, name) for name in ("dataset", "model", "trial", "seed")},
            **{name: getattr(job, name) for name in ("budget", "objective", "threads")},
            **{name: getattr(result, name) for name in ("status", "reason", "source", "torch")},
            "options": json.dumps(job.options, sort_keys=True),
            "score": result.score,
            "scores": json.dumps(result.scores, sort_keys=True),
            "flop": spend.get("flop"),
            "train_seconds": round(spend.get("s", 0.0), 2),
            "images": spend.get("img"),
            "steps": spend.get("step"),
            "seconds": round(result.seconds, 2),
            "device": result.device,
            "benchbench": __version__,
        }
        rows = self.finals if job.final else self.rows
        rows.append({name: "" if row[name] is None else str(row[name]) for name in COLUMNS})
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        name = "finals.csv" if job.final else "trials.csv"
        write_text_atomic(self.folder / name, text.getvalue())

    def of(self, dataset: str, model: str) -> list[dict[str, str]]:
        """The trials of one model on one data set, in order."""
        rows = [r for r in self.rows if (r["dataset"], r["model"]) == (dataset, model)]
        return sorted(rows, key=lambda row: int(row["trial"]))

    def finals_of(self, dataset: str, model: str, trial: int, budget: str) -> list[dict[str, str]]:
        """A trial's options in the finals of a budget, in the order of seeds."""
        wanted = {"dataset": dataset, "model": model, "trial": str(trial), "budget": budget}
        rows = [row for row in self.finals if wanted.items() <= row.items()]
        return sorted(rows, key=lambda row: int(row["seed"]))


def _read(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and tuple(rows[0]) != COLUMNS:
        raise UsageError(f"{str(table)!r} is no table of trials of this version")
    return rows


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
