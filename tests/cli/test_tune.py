"""`bench tune`: a row a trial, the best options ready to use, one line for a mistake."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from benchbench.cli.main import main


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["tune", *arguments])
    printed = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, printed.out, printed.err


def test_two_trials_then_nothing_left(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    space = tmp_path / "space"
    space.mkdir()
    (space / "vae.yaml").write_text("points: {lr: {low: 0.001, high: 0.01}, batch_size: [32, 64]}")
    out = tmp_path / "found"
    command = ["--models", "vae,article", "--datasets", "grid25", "--trials", "2"]
    command += ["--budget", "8step", "--objective", "mode_kl", "--out", str(out)]
    command += ["--space", str(space), "--jobs", "2"]
    code, told, noted = ran(capsys, *command)
    assert code == 0
    assert "article does not serve points data: left out on grid25" in noted
    assert "2 trials to run, 0 done before" in told
    with (out / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["status"], row["seed"]) for row in rows if row["trial"] == "1"] == [
        ("done", "1001")
    ]
    best = min(rows, key=lambda row: float(row["score"]))
    line = told.splitlines()[-2]
    assert ("--set vae.lr=" in line) == (best["options"] != "{}")
    assert "(the defaults)" in line or "--set vae.batch_size=" in line

    code, told, _ = ran(capsys, *command)
    assert code == 0
    assert "0 trials to run, 2 done before" in told
    assert told.splitlines()[-2] == line

    code, told, _ = ran(capsys, *command, "--finals", "1")
    assert code == 0
    expected = 2 if best["options"] != "{}" else 0  # where the defaults are best, they stay
    assert told.count("once more, 8step, seed 1001000") == expected
    assert ("  finals: trial 1 " in told) == bool(expected)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--models", "gna"], "did you mean 'gan'"),
        (["--datasets", "grid52"], "did you mean 'grid25'"),
        (["--objective", "fdi"], "did you mean 'fid'"),
        (["--objective", "fid"], "fid is not measured on points data"),
        (["--budget", "7"], "not a number with a unit"),
        (["--seed", "0"], "seeds from 1000 up"),
        (["--space", "nowhere"], "--space 'nowhere' is not a folder"),
        (["--trials", "0"], "--trials"),
        (["--finals-budget", "2e12flop"], "--finals-budget 2e12flop needs --finals"),
        (["--finalists", "4"], "--finalists 4 needs --finals K with K from 1 up"),
        (["--also", "recal"], "did you mean 'recall'"),
        (["--finals", "1", "--finals-budget", "7"], "not a number with a unit"),
    ],
)
def test_a_slip_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], part: str
) -> None:
    given = {"--models": "gan", "--datasets": "grid25", "--objective": "mode_kl"}
    given |= zip(arguments[::2], arguments[1::2], strict=True)
    given["--out"] = str(tmp_path / "out")
    code, told, noted = ran(capsys, *(word for pair in given.items() for word in pair))
    assert code == 2 and told == ""
    assert noted.startswith("error: ") and noted.count("\n") == 1
    assert part in noted
    assert not (tmp_path / "out").exists()


def test_a_refused_search_loads_neither_torch_nor_optuna(tmp_path: Path) -> None:
    script = (
        "import sys; from benchbench.cli.main import main\n"
        "try: main(['tune', '--models', 'gan', '--datasets', 'grid25', "
        "'--objective', 'mode_width', '--out', 'x'])\n"
        "except SystemExit as end: assert end.code == 2\n"
        "assert not {'torch', 'optuna', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
