"""Curves over the budget: drawn where there are snapshots, and only there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchbench.api import Score, ScoreSpec
from benchbench.report.curves import budget_curves, draw_curves
from benchbench.report.styles import model_styles
from benchbench.store.scores import REFERENCE_MODEL, frame, score_row

SPECS = {
    "mode_kl": ScoreSpec("mode_kl", "nats", "min", label="mode KL"),
    "recall": ScoreSpec("recall", "1", "max"),
    "mode_width": ScoreSpec("mode_width", "1", "none"),
}


def scores(fractions: tuple[float, ...]) -> pd.DataFrame:
    rows = []
    for model in (REFERENCE_MODEL, "a", "b"):
        for seed in (0, 1) if model != REFERENCE_MODEL else (None,):
            for fraction in (*fractions, 1.0) if model != REFERENCE_MODEL else (1.0,):
                for spec in SPECS.values():
                    value = 1.5 - fraction + (seed or 0) / 10
                    rows.append(
                        score_row(
                            Score(spec.name, value),
                            spec,
                            dataset="toy",
                            model=model,
                            config="",
                            budget="" if model == REFERENCE_MODEL else "100step",
                            variant="",
                            seed=seed,
                            cell_key="k",
                            at_fraction=fraction,
                        )
                    )
    return frame(rows)


def test_scores_that_have_a_better_side_are_drawn(tmp_path: Path) -> None:
    styles = model_styles(["a", "b"])
    drawn = budget_curves(scores((0.2, 0.6)), SPECS, styles, "toy", tmp_path / "one.png")
    assert drawn == ["mode_kl", "recall"]
    budget_curves(scores((0.2, 0.6)), SPECS, styles, "toy", tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_nothing_is_written_without_snapshots(tmp_path: Path) -> None:
    draw_curves(scores(()), SPECS, model_styles(["a", "b"]), tmp_path)
    assert list(tmp_path.iterdir()) == []
    draw_curves(scores((0.5,)), SPECS, model_styles(["a", "b"]), tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"budget-toy-100step.{kind}" for kind in ("pdf", "png", "svg")]
