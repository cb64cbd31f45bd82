"""Medians over seeds of the built-in baselines beside the least that each must reach.

    python tests/benchmarks/run_floors.py RESULTS [--out results/benchmarks]

RESULTS: the folder of a run of the default suite, such as

    bench run --models ldm,vae,gan --seeds 0-4 --out RESULTS

Writes floors.md and floors.csv; exits with 1 where a median misses its floor. A floor is no goal:
it is there so that a change which makes a baseline weak is noticed, whichever family it is of.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tables import write_tables

from benchbench.store.scores import read_scores

COLUMNS = ["dataset", "model", "score", "median", "least", "most", "seeds", "floor", "met"]


@dataclass(frozen=True)
class Floor:
    """The median of a score over seeds lies from `low` to `high`."""

    dataset: str
    model: str
    score: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def words(self) -> str:
        """As the table prints it."""
        if math.isinf(self.low):
            return f"≤ {self.high:g}"
        return f"≥ {self.low:g}" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"


FLOORS = (
    Floor("stacked-digits", "ldm", "modes", low=1000),
    Floor("stacked-digits", "ldm", "mode_kl", high=0.04),
    Floor("stacked-digits", "gan", "modes", low=600),
    Floor("stacked-digits", "vae", "mode_kl", high=0.15),
    Floor("grid25", "ldm", "modes", low=25),
    Floor("grid25", "ldm", "hq_share", low=97.5, high=99.5),
    Floor("grid25", "ldm", "mode_width", low=0.8, high=1.25),
    Floor("grid25", "ldm", "mode_kl", high=0.01),
    Floor("grid25", "gan", "modes", low=23),
    Floor("grid25", "gan", "hq_share", low=90),
)


def main() -> int:
    """Write the table; 1 where a floor is missed or a score is not there."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    given = parser.parse_args()
    scores = read_scores(given.results / "scores.csv")
    rows = [row_of(floor, scores) for floor in FLOORS]
    budgets = sorted({str(budget) for budget in scores.budget.dropna()} - {""})
    write_tables(
        rows,
        COLUMNS,
        given.out / "floors",
        title="Baselines beside their floors",
        notes=[
            f"Made by `python tests/benchmarks/run_floors.py {given.results}`; budget "
            f"{', '.join(budgets)} for every model. Medians over seeds; `least` and `most` are the "
            "extremes."
        ],
    )
    for row in rows:
        print(row)
    return int(any(row["met"] != "yes" for row in rows))


def row_of(floor: Floor, scores: pd.DataFrame) -> dict[str, Any]:
    """One row; a score that no seed has is not met."""
    mine = scores[
        (scores.dataset == floor.dataset)
        & (scores.model == floor.model)
        & (scores.config.fillna("") == "")
        & (scores.variant.fillna("") == "")
        & (scores.metric == floor.score)
        & (scores.at_fraction == 1.0)
        & (scores.status == "done")
    ]
    median = mine.value.median()
    return {
        "dataset": floor.dataset,
        "model": floor.model,
        "score": floor.score,
        "median": f"{median:.4g}",
        "least": f"{mine.value.min():.4g}",
        "most": f"{mine.value.max():.4g}",
        "seeds": len(mine),
        "floor": floor.words,
        "met": "yes" if floor.low <= median <= floor.high else "no",
    }


if __name__ == "__main__":
    sys.exit(main())
