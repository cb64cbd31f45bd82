"""What a dry run says of the time: from cells like the missing one, from others, from nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchbench.claims.forecast import STARTING, Pace, forecast


def cell(model: str, seed: int, budget: str = "1e10flop") -> Any:
    name = f"{model}-{seed}"
    return SimpleNamespace(
        key=name, folder=name, dataset="d", model=model, config_label="", budget=budget
    )


def job(done: dict[str, dict[str, Any]], cells: list[Any]) -> Any:
    def folder(name: str) -> Any:
        status = {"status": "done", **done[name]} if name in done else {"status": "missing"}
        return SimpleNamespace(status=lambda: status)

    return SimpleNamespace(whole=SimpleNamespace(cells=cells), folder=SimpleNamespace(cell=folder))


CELLS = [cell("a", 0), cell("a", 1), cell("b", 0), cell("real", 0, ""), cell("c", 0, "7s")]
DONE = {
    "a-0": {"wall_seconds": 10.0, "measure_seconds": 4.0, "spend": {"flop": 1e10}},
    "real-0": {"measure_seconds": 3.0},
}


def test_a_cell_like_one_that_is_done_takes_as_long() -> None:
    found = forecast(job(DONE, CELLS), [CELLS[1]])
    assert found == {"a-1": 14.0 + STARTING}


def test_another_model_is_reckoned_by_the_speed_of_those_that_are_done() -> None:
    found = forecast(job(DONE, CELLS), [CELLS[2], CELLS[4]])
    assert found == {"b-0": 10.0 + 4.0 + STARTING, "c-0": 7.0 + 4.0 + STARTING}


def test_without_any_it_is_reckoned_by_a_known_machine() -> None:
    found = forecast(job({}, CELLS), CELLS)
    assert found["b-0"] == pytest.approx(1e10 / Pace.speed + Pace.measuring + STARTING)
    assert found["real-0"] == Pace.measuring + STARTING
