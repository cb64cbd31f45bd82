"""The instrument check: a score that misses a control is named and marked in every table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchbench.api import CONTROLS, Score, ScoreSpec
from benchbench.report.instruments import check_instruments, failing, write_instruments
from benchbench.report.renderers import to_markdown
from benchbench.report.tables import build_tables
from benchbench.store.scores import CONTROL_MODEL, frame, score_row

SPECS = {
    "fid": ScoreSpec("fid", "1", "min", catches=("noise", "collapsed")),
    "recall": ScoreSpec("recall", "1", "max", catches=("collapsed",)),
    "mode_width": ScoreSpec("mode_width", "1", "none"),
}


def row(metric: str, value: float | None, model: str, variant: str = "", seed: int = 0) -> dict:
    status = "done" if value is not None else "skipped"
    reason = "" if value is not None else "no modes to drop"
    score = Score(metric, value, status=status, reason=reason)  # type: ignore[arg-type]
    return score_row(
        score,
        SPECS[metric],
        dataset="toy",
        model=model,
        config="",
        budget="" if model == CONTROL_MODEL else "1step",
        variant=variant,
        seed=seed,
        cell_key="k",
    )


def scores(**fid: list[float | None]) -> pd.DataFrame:
    """FID as given for each control, else one that is clearly worse; recall that sees nothing."""
    rows = [row("fid", 3.0, "mine"), row("recall", 0.5, "mine")]
    for control in CONTROLS:
        plain: list[float | None] = [1.0, 1.1, 1.2, 1.3] if control == "real" else [9.0] * 4
        for seed, value in enumerate(fid.get(control, plain)):
            rows.append(row("fid", value, CONTROL_MODEL, control, seed))
            rows.append(row("recall", 0.5, CONTROL_MODEL, control, seed))
            rows.append(row("mode_width", 1.0, CONTROL_MODEL, control, seed))
    return frame(rows)


def test_every_draw_has_to_be_worse_than_every_real_one() -> None:
    found = {(f.metric, f.control): f for f in check_instruments(scores(), SPECS)}
    assert found["fid", "noise"].told is True
    assert found["fid", "noise"].failed is False
    found = {
        (f.metric, f.control): f
        for f in check_instruments(scores(noise=[9.0, 9.0, 9.0, 1.3]), SPECS)
    }
    assert found["fid", "noise"].failed is True
    assert found["fid", "blur"].required is False
    assert not any(metric == "mode_width" for metric, _ in found)


def test_what_was_not_measured_has_not_failed() -> None:
    found = check_instruments(scores(collapsed=[None] * 4), SPECS)
    one = next(f for f in found if (f.metric, f.control) == ("fid", "collapsed"))
    assert one.told is None
    assert one.failed is False
    assert one.reason == "no modes to drop"


def test_a_failed_score_is_marked_where_it_stands(tmp_path: Path) -> None:
    table = scores()
    assert failing(check_instruments(table, SPECS)) == {("toy", "recall"): ["collapsed"]}
    text = to_markdown(build_tables(table, SPECS, {}))
    assert "recall ↑ ⚠" in text
    assert "fid ↓ ⚠" not in text
    assert "recall failed the instrument check here" in text
    assert CONTROL_MODEL not in text.replace("instrument check", "")
    write_instruments(check_instruments(table, SPECS), tmp_path)
    assert (
        "recall did not tell collapsed from real data" in (tmp_path / "instruments.md").read_text()
    )
    assert len((tmp_path / "instruments.csv").read_text().splitlines()) == 1 + 2 * 5


def test_without_controls_nothing_is_written(tmp_path: Path) -> None:
    table = frame([row("fid", 3.0, "mine")])
    assert check_instruments(table, SPECS) == []
    write_instruments([], tmp_path)
    assert list(tmp_path.iterdir()) == []
