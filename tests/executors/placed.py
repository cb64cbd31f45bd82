"""Plans of cells for `fake_worker`, and what an executor told of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbench.api import Assets
from benchbench.runner.executor import Outcome
from benchbench.runner.plan import Cell, NamedHash, Plan
from benchbench.runner.planned import digest
from benchbench.store.folder import ResultFolder

FAKE = (sys.executable, "-I", "-S", str(Path(__file__).with_name("fake_worker.py")))


def fake_plan(count: int, **config: Any) -> Plan:
    """So many cells that do as `config` says."""
    cells = tuple(
        Cell(
            dataset="ring8",
            model="fake",
            config=config,
            config_label="",
            variants=(),
            budget="1step",
            ceiling_seconds=None,
            seed=seed,
            fractions=(),
            metrics=(),
            threads=1,
            device="cpu",
            precision="float32",
            extractor=NamedHash(),
            reader=NamedHash(),
            key=digest(["fake", seed]),
        )
        for seed in range(count)
    )
    return Plan("fake", cells, (), Assets())


def fake_folder(path: Path, plan: Plan) -> ResultFolder:
    """A result folder with this plan."""
    path.mkdir(parents=True, exist_ok=True)
    folder = ResultFolder(path)
    folder.write_plan(plan.to_json())
    return folder


@dataclass
class Heard:
    """Callbacks of an executor that keep what they are told."""

    events: list[tuple[Cell, dict[str, Any]]] = field(default_factory=list)
    ended: list[Outcome] = field(default_factory=list)

    def on_event(self, cell: Cell, event: dict[str, Any]) -> None:
        """Keep an event."""
        self.events.append((cell, event))

    def on_end(self, outcome: Outcome) -> None:
        """Keep an outcome."""
        self.ended.append(outcome)

    def kinds(self, cell: Cell) -> list[str]:
        """The kinds of a cell's events, in their order."""
        return [event["event"] for found, event in self.events if found.key == cell.key]

    @property
    def callbacks(self) -> dict[str, Any]:
        """As an executor takes them."""
        return {"on_event": self.on_event, "on_end": self.on_end}


def statuses(outcomes: list[Outcome]) -> dict[str, str]:
    """Status by key; no cell may stand twice among the outcomes."""
    found = {outcome.cell.key: outcome.status for outcome in outcomes}
    assert len(found) == len(outcomes)
    return found


def first_step(folder: ResultFolder, cell: Cell) -> int:
    """The step at which the process that finished a fake cell began."""
    return folder.cell(cell.folder).status()["first"]
