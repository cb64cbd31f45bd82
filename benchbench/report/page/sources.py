"""What a report reads of a result folder, whether its run has ended or not.

A folder need not be whole: without a readable plan there are no samples and no command, without
scores there is a list of cells. Each gap is a line in `Result.gaps`.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbench.api import Assets, UsageError
from benchbench.api.errors import BenchError
from benchbench.registry import Registry
from benchbench.runner.plan import Cell, Plan
from benchbench.runner.scoring import collect_rows
from benchbench.store.folder import CellFolder, ResultFolder
from benchbench.store.scores import IDENTITY, frame, read_scores

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLAIMS", "Result", "joined_scores", "read_results"]

CLAIMS = "claims.csv"
_OF_A_CELL = ("cell.json", "scores.json")


@dataclass(frozen=True)
class Result:
    """A result folder as read.

    name: distinct among the folders of a report. plan: None where this version can't read it.
    statuses: cell.json of each cell of the plan, by key. claims: rows of claims.csv.
    gaps: what could not be read, and why.
    """

    name: str
    folder: ResultFolder
    scores: pd.DataFrame
    plan: Plan | None
    statuses: Mapping[str, Mapping[str, Any]]
    context: Mapping[str, str]
    claims: Sequence[Mapping[str, str]]
    gaps: tuple[str, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of the plan, or none."""
        return self.plan.cells if self.plan else ()

    @property
    def bare(self) -> bool:
        """Whether the folder has scores without the cells that they come from."""
        return len(self.scores) > 0 and not (self.folder.path / "cells").is_dir()

    @property
    def assets(self) -> Assets:
        """Where the run found its data."""
        return self.plan.assets if self.plan else Assets()

    def files(self, cell: Cell) -> CellFolder:
        """The folder of a cell."""
        return self.folder.cell(cell.folder)

    def counts(self) -> Counter[str]:
        """How many cells are done, failed, not begun, …; nothing where cells/ was left behind."""
        if self.bare:
            return Counter()
        return Counter(str(status["status"]) for status in self.statuses.values())


def read_results(paths: Sequence[Path], registry: Registry) -> list[Result]:
    """Each folder; raises UsageError where one is no result folder."""
    names = _names(paths)
    return [_read(path, name, registry) for path, name in zip(paths, names, strict=True)]


def joined_scores(results: Sequence[Result]) -> pd.DataFrame:
    """All scores; where two folders have a score of one identity, the later folder's."""
    import pandas as pd

    frames = [r.scores for r in results if len(r.scores)]
    if not frames:
        return frame([])
    found = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    return found.drop_duplicates(list(IDENTITY), keep="last")


def _names(paths: Sequence[Path]) -> list[str]:
    """The folders' own names; paths as given where two would be the same."""
    short = [path.resolve().name for path in paths]
    return [
        str(path) if short.count(name) > 1 else name
        for path, name in zip(paths, short, strict=True)
    ]


def _read(path: Path, name: str, registry: Registry) -> Result:
    folder = ResultFolder(path)
    if not (path / "plan.json").is_file() and not (path / "scores.csv").is_file():
        raise UsageError(
            f"{str(path)!r} is no result folder: it has neither plan.json nor scores.csv; give a "
            "folder that `bench run` wrote"
        )
    gaps: list[str] = []
    plan: Plan | None = None
    try:
        plan = Plan.from_json(folder.plan())
    except BenchError as error:
        gaps.append(f"No samples and no command to rerun: {error}")
    statuses = {c.key: folder.cell(c.folder).status() for c in plan.cells} if plan else {}
    scores = _scores(folder, plan, registry, gaps)
    if plan is not None and len(scores) and not (path / "cells").is_dir():
        gaps.append("The folder has no cells/: no samples, and no spend and status of each cell.")
    return Result(
        name=name,
        folder=folder,
        scores=scores,
        plan=plan,
        statuses=statuses,
        context=folder.context(),
        claims=_claims(path / CLAIMS),
        gaps=tuple(gaps),
    )


def _scores(
    folder: ResultFolder, plan: Plan | None, registry: Registry, gaps: list[str]
) -> pd.DataFrame:
    """scores.csv, or what the cells hold where a run was stopped before it wrote them there."""
    file = folder.path / "scores.csv"
    if plan is not None and (not file.is_file() or _overtaken(file, plan, folder)):
        try:
            return frame(collect_rows(plan, folder, registry))
        except BenchError as error:
            what = "The newest scores are missing" if file.is_file() else "No scores"
            gaps.append(f"{what}: {error}")
    if not file.is_file():
        return frame([])
    try:
        return read_scores(file)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _overtaken(file: Path, plan: Plan, folder: ResultFolder) -> bool:
    """Whether a cell has written since scores.csv was: a run rewrites that only now and then."""
    written = file.stat().st_mtime_ns
    parts = (folder.cell(c.folder).path / name for c in plan.cells for name in _OF_A_CELL)
    return any(part.is_file() and part.stat().st_mtime_ns > written for part in parts)


def _claims(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(file)]
