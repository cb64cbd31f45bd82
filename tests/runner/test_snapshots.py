"""Scores on the way: they stand beside the final ones and leave the training as it was."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from benchbench.cli.main import _guarded
from benchbench.store.scores import read_scores

FAULTY = Path(__file__).parent.parent / "broken" / "faulty.py"
EXAMPLE = FAULTY.parents[2] / "examples" / "pixel_gaussian.py"

pytestmark = pytest.mark.slow


def run(out: Path, models: str, *more: str, metrics: str = "modes,cost") -> pd.DataFrame:
    plugins = ("--plugin", str(FAULTY), "--plugin", str(EXAMPLE))
    plan = ("--models", models, "--datasets", "ring8", "--seeds", "0", "--budget", "200step")
    rest = ("--metrics", metrics, "--out", str(out), "--no-report", *more)
    assert _guarded(["run", *plan, *plugins, *rest]) == 0
    return read_scores(out / "scores.csv")


def values(table: pd.DataFrame, model: str, metric: str) -> dict[float, float]:
    rows = table[(table.model == model) & (table.metric == metric)]
    return dict(zip(rows.at_fraction, rows.value, strict=True))


def test_a_snapshot_leaves_the_training_as_it_was(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", "good,vae")
    watched = run(tmp_path / "watched", "good,vae", "--fractions", "0.5,0.1")
    for model in ("good", "vae"):
        found = values(watched, model, "mode_kl")
        assert set(found) == {0.1, 0.5, 1.0}
        assert found[1.0] == values(plain, model, "mode_kl")[1.0]
        assert found[0.1] != found[1.0]
    files = [next(tmp_path.glob(f"{r}/cells/ring8/vae/*/model.*")) for r in ("plain", "watched")]
    one, two = (load_file(file) for file in files)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_only_measures_of_samples_are_taken_on_the_way(tmp_path: Path) -> None:
    watched = run(tmp_path, "good", "--fractions", "0.5")
    assert set(values(watched, "good", "parameters")) == {1.0}
    assert set(values(watched, "real", "modes")) == {1.0}


def test_what_can_have_no_snapshot_says_why(tmp_path: Path) -> None:
    run(tmp_path, "good,pixel-gaussian", "--fractions", "0.5")
    table = run(tmp_path, "good,pixel-gaussian", "--fractions", "0.5", metrics="modes,prdc")
    early = table[table.at_fraction == 0.5].set_index(["model", "metric"])
    assert early.loc[("good", "modes"), "status"] == "done"
    for row in (("pixel-gaussian", "modes"), ("good", "recall")):
        assert early.loc[row, "status"] == "skipped"
        assert "no snapshot" in early.loc[row, "reason"]


@pytest.mark.parametrize("given", ["0", "1", "0.5,0.5", "half", "-0.1", "nan"])
def test_a_fraction_lies_between_0_and_1(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _guarded(["run", "--models", "vae", "--fractions", given]) == 2
    assert "fractions" in capsys.readouterr().err
