"""Runs end to end through the command line: same numbers again, reuse, faults in their cells."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from benchbench.cli.main import _guarded
from benchbench.registry import Registry
from benchbench.store.scores import IDENTITY, SCORE_COLUMNS, read_scores

FAULTY = Path(__file__).parent.parent / "broken" / "faulty.py"
EXAMPLE = FAULTY.parents[2] / "examples" / "pixel_gaussian.py"
TIMINGS = ("train_seconds", "samples_per_second", "latency_p50_ms", "latency_p95_ms")

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bench(
    models: str,
    out: str,
    *more: str,
    plugin: Path = FAULTY,
    dataset: str = "ring8",
    metrics: str = "modes,prdc",
    report: bool = False,
) -> int:
    arguments = ["--models", models, "--plugin", str(plugin), "--out", out, "--budget", "50step"]
    seeds = [] if "--seeds" in more else ["--seeds", "0"]
    arguments += ["--datasets", dataset, "--metrics", metrics, *seeds, *more]
    return _guarded(["run", *arguments, *([] if report else ["--no-report"])])


def run(models: str, out: str, *more: str) -> tuple[int, pd.DataFrame]:
    code = bench(models, out, *more)
    return code, read_scores(Path(out) / "scores.csv")


def untimed(table: pd.DataFrame) -> pd.DataFrame:
    """The frame without timings: their rows, and the seconds in the details of spend."""
    table = table[~table.metric.isin(TIMINGS)].copy()
    spend = table.metric.str.startswith("train_")
    table.loc[spend, "detail"] = ""
    return table.reset_index(drop=True)


def test_same_plan_twice_gives_the_same_scores(elsewhere: Path) -> None:
    code, one = run("good", "one", "--seeds", "0,1", "--jobs", "1")
    assert code == 0
    code, two = run("good", "two", "--seeds", "0,1", "--jobs", "2")
    assert code == 0
    pd.testing.assert_frame_equal(untimed(one), untimed(two), check_exact=True)
    assert tuple(one.columns) == SCORE_COLUMNS
    assert not one.duplicated(list(IDENTITY)).any()
    assert set(one.model) == {"real", "good"}
    modes = one[(one.metric == "modes") & (one.model == "real")]
    assert modes.value.tolist() == [8.0]
    spend = one[(one.metric == "train_steps")]
    assert spend.value.tolist() == [50.0, 50.0]


def test_what_is_done_is_reused(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("good", "out")
    status = next(Path("out").glob("cells/ring8/good/*/cell.json"))
    before = json.loads(status.read_text())
    capsys.readouterr()
    run("good", "out")
    assert "0 cells to run" in capsys.readouterr().err
    assert bench("good", "out", metrics="modes,prdc,cost") == 0
    after = json.loads(status.read_text())
    assert after["spend"] == before["spend"]  # seconds too: it was not trained again
    scores = read_scores(Path("out") / "scores.csv")
    assert "parameters" in set(scores.metric)


def test_another_plan_adds_cells(elsewhere: Path) -> None:
    run("good", "out", "--seeds", "0")
    _, scores = run("good", "out", "--seeds", "1")
    assert set(scores.seed.dropna()) == {0, 1}
    _, scores = run("good", "out", "--seeds", "1", "--fresh")
    assert set(scores.seed.dropna()) == {1}


def test_faults_stay_in_their_cell(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, alone = run("good", "alone")
    names = "good,raises,notfinite,wrongshape,diverges,killed,exits,overdraws"
    code, scores = run(names, "all", "--jobs", "2")
    assert code == 1
    reasons = scores[scores.metric == "modes"].set_index("model")
    expected = {
        "raises": ("error", "RuntimeError: no luck today"),
        "notfinite": ("error", "not finite"),
        "wrongshape": ("error", "shape (2500, 1)"),
        "diverges": ("diverged", "loss is inf"),
        "killed": ("error", "SIGKILL"),
        "exits": ("error", "exited with code 7"),
        "overdraws": ("error", "sum to at most 1"),
    }
    for name, (status, reason) in expected.items():
        assert reasons.loc[name, "status"] == status
        assert reason in reasons.loc[name, "reason"]
        assert pd.isna(reasons.loc[name, "value"])
    good = scores[scores.model.isin(["good", "real"])]
    pd.testing.assert_frame_equal(untimed(good), untimed(alone), check_exact=True)
    printed = capsys.readouterr()
    assert "SIGKILL" in (Path("all") / "table.md").read_text()
    assert "failed   ring8 raises seed 0" in printed.err


def test_a_hanging_cell_is_ended(elsewhere: Path) -> None:
    code, scores = run("hangs", "out", "--timeout", "20")
    assert code == 1
    hangs = scores[(scores.model == "hangs") & (scores.metric == "modes")].iloc[0]
    assert (hangs.status, hangs.reason) == ("timeout", "took longer than 20 s")


def test_the_example_plugin_stands_in_the_table(elsewhere: Path) -> None:
    example = {"plugin": EXAMPLE, "dataset": "digits"}
    assert bench("pixel-gaussian", "out", metrics="fid,modes", report=True, **example) == 0
    table = (Path("out") / "table.md").read_text()
    assert "pixel-gaussian" in table
    assert "real (held out)" in table
    picture = next(Path("out").glob("cells/digits/pixel-gaussian/*/samples.png"))
    assert picture.stat().st_size > 1000
    assert _guarded(["table", "out", "--format", "latex"]) == 0
    (Path("out") / "report.html").unlink()
    # a new metric reloads the model that `fit` built, without training again
    assert bench("pixel-gaussian", "out", metrics="fid,prdc", **example) == 0
    scores = read_scores(Path("out") / "scores.csv")
    assert scores[scores.metric == "recall"].value.notna().all()
    assert not (Path("out") / "report.html").exists()


def test_no_report_can_be_made_up_for(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("good", "out") == 0
    assert not (Path("out") / "figures").exists()
    assert "report" not in capsys.readouterr().out
    assert bench("good", "out", report=True) == 0
    assert "0 cells to run" in capsys.readouterr().err
    assert list((Path("out") / "figures").glob("*.png"))
    assert next(Path("out").glob("cells/ring8/good/*/samples.png")).is_file()
    assert (Path("out") / "report.html").is_file()


def test_two_runs_on_one_folder(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from filelock import FileLock

    run("good", "out")
    capsys.readouterr()
    with FileLock(Path("out") / ".lock"):
        assert bench("good", "out") == 2
    assert "another run is writing" in capsys.readouterr().err


@pytest.mark.gpu
def test_the_three_families_on_a_gpu(elsewhere: Path) -> None:
    """Every metric, on points and images, in the precision that GPUs train in."""
    metrics = [
        name for name in Registry.load().metrics if name not in ("signals", "heat", "denoising")
    ]
    arguments = ["run", "--models", "ldm,vae,gan", "--datasets", "grid25,digits", "--seeds", "0"]
    arguments += ["--metrics", ",".join(metrics), "--budget", "300step", "--device", "cuda"]
    assert _guarded([*arguments, "--jobs", "3", "--out", "out"]) == 0
    scores = read_scores(Path("out") / "scores.csv")
    assert set(scores.status) <= {"done", "skipped"}
    ours = scores[scores.model.isin(["ldm", "vae", "gan"])]
    for dataset, expected in (("grid25", ["mode_kl"]), ("digits", ["fid", "kid", "class_kl"])):
        asked = ours.metric.isin([*expected, "nll_nats", "coverage", "samples_per_second"])
        rows = ours[(ours.dataset == dataset) & asked]
        assert set(rows.status) == {"done"}, rows[["model", "metric", "reason"]].to_string()
    states = [json.loads(file.read_text()) for file in Path("out").rglob("cell.json")]
    trained = [state for state in states if "spend" in state]
    assert len(trained) == 6
    assert {state["provenance"]["precision"] for state in trained} == {"bfloat16"}
    assert {state["cell"]["device"] for state in trained} == {"cuda:0"}
