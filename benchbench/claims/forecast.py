"""How long the missing cells of a plan will take, from what is known of cells like them.

A cell that is done tells its seconds of training and measuring. A missing one is reckoned by
those of the same data set, model and budget; failing that by the FLOPs a second and the measuring
of this folder's other trainings; failing that by what the slower of the machines of results/ does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from benchbench.api import Budget
from benchbench.runner.plan import Cell
from benchbench.runner.run import Run
from benchbench.store.scores import CONTROL_MODEL, EXTERNAL, REFERENCE_MODEL

__all__ = ["Pace", "cell_seconds", "forecast"]

STARTING = 5.0
"""Seconds that a process takes to import torch and to load its data."""
UNKNOWN = 60.0
"""For budgets in steps or images, where nothing is known of the model's speed."""


@dataclass(frozen=True)
class Pace:
    """FLOPs a second of training on one thread, and seconds of measuring a cell.

    As they stand: the speed of the default suite on a processor without AVX-512
    (results/five-seeds); measuring took 2 s a cell there where modes are counted, 55 s where
    likelihoods are measured as well.
    """

    speed: float = 1.7e10
    measuring: float = 30.0


def forecast(job: Run, cells: Iterable[Cell]) -> dict[str, float]:
    """Seconds each cell will take, by key."""
    known: dict[tuple[object, ...], list[float]] = {}
    measured: list[float] = []
    flop = seconds = 0.0
    for cell in job.whole.cells:
        status = job.folder.cell(cell.folder).status()
        if status["status"] != "done":
            continue
        training, measuring = status.get("wall_seconds", 0.0), status.get("measure_seconds", 0.0)
        known.setdefault(_like(cell), []).append(training + measuring + STARTING)
        if training:
            measured.append(measuring)
            flop += status["spend"]["flop"]
            seconds += training
    pace = Pace(flop / seconds if flop else Pace.speed, mean(measured or [Pace.measuring]))
    return {
        cell.key: mean(known[_like(cell)]) if _like(cell) in known else cell_seconds(cell, pace)
        for cell in cells
    }


def cell_seconds(cell: Cell, pace: Pace) -> float:
    """Seconds of a cell of which nothing is known but its budget."""
    if cell.model in (REFERENCE_MODEL, CONTROL_MODEL) or cell.budget == EXTERNAL:
        return STARTING + pace.measuring
    budget = Budget.parse(cell.budget)
    training = {"s": budget.amount, "flop": budget.amount / pace.speed}.get(budget.unit, UNKNOWN)
    return STARTING + training + pace.measuring


def _like(cell: Cell) -> tuple[object, ...]:
    return (cell.dataset, cell.model, cell.config_label, cell.budget)
