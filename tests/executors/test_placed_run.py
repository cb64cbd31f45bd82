"""A run whose cells are somewhere else: hands off, and what the user is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from placed import fake_folder, fake_plan

from benchbench.api import UsageError
from benchbench.cli.output import Output
from benchbench.registry import Registry
from benchbench.runner.executor import Outcome
from benchbench.runner.plan import Cell
from benchbench.runner.run import Run
from benchbench.store.folder import ResultFolder


@dataclass
class Elsewhere:
    """A placement and its executor, which runs nothing."""

    keys: frozenset[str] = frozenset()
    asked: dict[str, Any] = field(default_factory=dict)

    def busy(self, folder: ResultFolder) -> frozenset[str]:
        """The keys that were given."""
        return self.keys

    def executor(self, plan: Any, folder: ResultFolder, **asked: Any) -> Elsewhere:
        """Itself."""
        self.asked = asked
        return self

    def run(self, cells: Iterable[Cell]) -> list[Outcome]:
        """Leave every cell where it is."""
        return [Outcome(cell, "queued", "Slurm job 7") for cell in cells]


def run(tmp_path: Path, placement: Elsewhere, **more: Any) -> tuple[Run, list[str]]:
    job = Run(fake_plan(2), Registry(), tmp_path, placement=placement, **more)
    damage: list[str] = []
    outcomes = job.execute(lambda cell, event: None, lambda outcome: None, on_damage=damage.append)
    assert {outcome.status for outcome in outcomes} == {"queued"}
    return job, damage


def test_repair_leaves_running_cells_alone(tmp_path: Path) -> None:
    plan = fake_plan(2)
    folder = fake_folder(tmp_path, plan)
    for cell in plan.cells:
        files = folder.cell(cell.folder)
        files.path.mkdir(parents=True)
        files.checkpoint.write_text("half a checkpoint")
    busy, idle = (folder.cell(cell.folder) for cell in plan.cells)
    _, damage = run(tmp_path, Elsewhere(frozenset({plan.cells[0].key})))
    assert busy.checkpoint.is_file()
    assert not idle.checkpoint.is_file()
    assert len(damage) == 1


def test_fresh_waits_for_jobs(tmp_path: Path) -> None:
    plan = fake_plan(2)
    files = fake_folder(tmp_path, plan).cell(plan.cells[0].folder)
    files.write_status({"status": "training"})
    with pytest.raises(UsageError, match=r"1 cells .* still queued or running"):
        run(tmp_path, Elsewhere(frozenset({plan.cells[0].key})), fresh=True)
    assert files.status() == {"status": "training"}
    run(tmp_path, Elsewhere(), fresh=True)
    assert files.status() == {"status": "missing"}


def test_only_what_was_asked_limits_a_cluster(tmp_path: Path) -> None:
    """`--jobs` has a default for this machine, which says nothing of others."""
    placement = Elsewhere()
    job, _ = run(tmp_path, placement, timeout=5.0)
    assert placement.asked["jobs"] is None
    assert placement.asked["timeout"] == 5.0
    assert job.jobs >= 1
    run(tmp_path, placement, jobs=7)
    assert placement.asked["jobs"] == 7


def test_what_is_queued_is_said_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job, _ = run(tmp_path, Elsewhere())
    outcomes = [Outcome(cell, "queued", "Slurm job 7") for cell in job.plan.cells]
    output = Output(job, job.registry)
    assert output.exit_code(outcomes) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert "2 cells" in last
    assert "(Slurm job 7)" in last
    assert "the same command collects them" in last
    assert output.exit_code([*outcomes, Outcome(job.plan.cells[0], "interrupted")]) == 130
