"""How long the missing cells of a plan will take, from what is known of cells like them.

A cell that is done tells its seconds of training and measuring. A missing one is reckoned by
those of the same data set, model and budget; failing that by the speed of this folder's trainings,
or by 5e10 FLOP a second on one thread, as in results/default, and MEASURING seconds of measuring.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import mean

from benchbench.api import Budget
from benchbench.runner.plan import Cell
from benchbench.runner.run import Run
from benchbench.store.scores import CONTROL_MODEL, EXTERNAL, REFERENCE_MODEL

__all__ = ["cell_seconds", "forecast"]

SPEED = 5e10
MEASURING = 20.0
STARTING = 5.0
"""Seconds that a process takes to import torch and to load its data."""
UNKNOWN = 60.0
"""For budgets in steps or images, where nothing is known of the model's speed."""


def forecast(job: Run, cells: Iterable[Cell]) -> dict[str, float]:
    """Seconds each cell will take, by key."""
    known: dict[tuple[object, ...], list[float]] = {}
    for cell in job.whole.cells:
        status = job.folder.cell(cell.folder).status()
        if status["status"] == "done":
            spent = status.get("wall_seconds", 0.0) + status.get("measure_seconds", 0.0)
            known.setdefault(_like(cell), []).append(spent + STARTING)
    return {
        cell.key: mean(known[_like(cell)]) if _like(cell) in known else cell_seconds(cell)
        for cell in cells
    }


def cell_seconds(cell: Cell) -> float:
    """Seconds of a cell of which nothing is known but its budget."""
    if cell.model in (REFERENCE_MODEL, CONTROL_MODEL) or cell.budget == EXTERNAL:
        return STARTING + MEASURING
    budget = Budget.parse(cell.budget)
    training = {"s": budget.amount, "flop": budget.amount / SPEED}.get(budget.unit, UNKNOWN)
    return STARTING + training + MEASURING


def _like(cell: Cell) -> tuple[object, ...]:
    return (cell.dataset, cell.model, cell.config_label, cell.budget)
