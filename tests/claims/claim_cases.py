"""Claims and score frames for the tests of claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchbench.api import Score, ScoreSpec
from benchbench.claims.compile import Row, Sides
from benchbench.claims.schema import Claim
from benchbench.store.scores import frame, score_row

__all__ = ["SEEDS", "claim", "row", "rows", "scores", "sides"]

SEEDS = tuple(range(8))
BUDGET = "1000step"


def claim(**change: Any) -> Claim:
    """A claim that `a` has a lower `m` than `b` on grid25."""
    words = {"id": "c", "hypothesis": "a is better", "datasets": ["grid25"], "because": "said so"}
    given = {"row": "a", "against": "b", "metric": "m", "direction": "lower", "delta": 1.0}
    return Claim.model_validate({**words, **given, **change})


def row(model: str, *, variant: str = "", condition: str = "", metric: str = "m") -> Row:
    """A side as it stands in the frame."""
    return Row(model, model, "", variant, BUDGET, metric, condition)


def sides(second: Row | float | None = None, **first: str) -> Sides:
    """`a` against `b`, or against a row or number of the test's own."""
    return Sides(row("a", **first), row("b") if second is None else second, SEEDS)


def rows(
    model: str,
    values: Sequence[float | None] | Mapping[int | None, float | None],
    *,
    dataset: str = "grid25",
    variant: str = "",
    metric: str = "m",
    budget: str = BUDGET,
    **score: Any,
) -> list[dict[str, Any]]:
    """One row a seed; None with a status is a run that failed."""
    found = dict(values) if isinstance(values, Mapping) else dict(enumerate(values))
    return [
        score_row(
            Score(metric, value, **score),
            ScoreSpec(metric, "1", "min"),
            dataset=dataset,
            model=model,
            config="",
            budget=budget,
            variant=variant,
            seed=seed,
            cell_key="key",
        )
        for seed, value in found.items()
    ]


def scores(*parts: list[dict[str, Any]]) -> pd.DataFrame:
    """The frame of these rows."""
    return frame([r for part in parts for r in part])
