"""What a hurried user types wrong: one line, the nearest valid choice, code 2, nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchbench.cli.main import main

SUITE = "models: [ldm]\ndatasets: [grid25]\nbudget: 5step\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    before = sorted(Path().rglob("*"))
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    printed = capsys.readouterr()
    assert caught.value.code == 2
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before
    return printed.err


@pytest.mark.parametrize("name", ["ray", "slurm"])
def test_an_extra_that_is_not_installed(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchbench.runner.executor.find_spec", lambda module: None)
    message = refused(capsys, "run", "--executor", name)
    assert f"pip install 'benchbench[{name}]'" in message


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["rnu"], ["unknown command 'rnu'", "did you mean 'run'"]),
        (["run", "--modles", "ldm"], ["--modles", "--models"]),
        (["run", "--models", "lmd"], ["unknown model 'lmd'", "did you mean 'ldm'"]),
        (["run", "--models", ""], ["--models is ''"]),
        (["run", "--models", "ldm[stepz=8]"], ["stepz", "did you mean 'steps'"]),
        (["run", "--models", "ldm[steps=8"], ["unbalanced brackets"]),
        (["run", "--models", "ldm[steps=0]"], ["ldm.steps is 0"]),
        (["run", "--datasets", "grid52"], ["unknown data set", "did you mean 'grid25'"]),
        (["run", "--datasets", "grid25,grid25"], ["named twice"]),
        (["run", "--metrics", "fdi"], ["unknown metric", "did you mean 'fid'"]),
        (["run", "--extractor", "incepton"], ["unknown extractor", "did you mean 'inception'"]),
        (["run", "--inception-weights", "no.pth"], ["'no.pth' is not a file"]),
        (["run", "--fractions", "1.5"], ["fractions", "above 0 and below 1"]),
        (["run", "--budget", "60"], ["not a number with a unit"]),
        (["run", "--budget", "60sec"], ["unknown budget unit 'sec'"]),
        (["run", "--budget", "2e12flip"], ["did you mean 'flop'"]),
        (["run", "--budget", "-5s"], ["out of range"]),
        (["run", "--budget", "1e300s"], ["out of range"]),
        (["run", "--device", "gpu"], ["unknown device 'gpu'"]),
        (["run", "--device", "cuda:x"], ["unknown device"]),
        (["run", "--seeds", "a,b"], ["seed list 'a,b'"]),
        (["run", "--seeds", "0,0"], ["repeats a seed"]),
        (["run", "--seeds", "0-999999999"], ["at most"]),
        (["run", "--set", "ldm.widht=3"], ["did you mean 'ldm.width'"]),
        (["run", "--set", "width"], ["model.option=value"]),
        (["run", "--set", "lmd.width=3"], ["did you mean 'ldm'"]),
        (["run", "--plugin", "none.py"], ["'none.py' does not exist"]),
        (["run", "--data-dir", "none"], ["'none' is not a folder"]),
        (["run", "none.yaml"], ["suite 'none.yaml' is not a file", "default"]),
        (["run", "defualt"], ["did you mean 'default'"]),
        (["run", "--jobs", "0"], ["--jobs"]),
        (["run", "--open", "--no-report"], ["--open", "--no-report", "give one of them"]),
        (["run", "--jobs", "two"], ["--jobs"]),
        (["run", "--timeout", "-1"], ["--timeout"]),
        (["run", "--executor", "dask"], ["--executor", "dask", "slurm"]),
        (["run", "--ray-address", "a:1"], ["--ray-address needs --executor ray; given local"]),
        (["run", "--executor", "ray", "--detach"], ["--detach needs --executor slurm; given ray"]),
        (["run", "--memory-per-cell", "4"], ["--memory-per-cell needs --executor ray or slurm"]),
        (["run", "--executor", "ray", "--memory-per-cell", "nan"], ["--memory-per-cell is nan"]),
        (
            ["run", "--executor", "slurm", "--slurm-cluster", "local", "--gpus-per-cell", "0.5"],
            ["--gpus-per-cell is 0.5", "whole numbers"],
        ),
        (["run", "--executor", "slurm", "--slurm-set", "account"], ["not option=value"]),
        (["claims", "article", "--cells-per-job", "2"], ["needs --executor slurm"]),
        (["list", "modles"], ["unknown topic", "did you mean 'models'"]),
        (["table", "nowhere"], ["'nowhere' is no result folder"]),
        (["table"], ["DIR"]),
    ],
)
def test_options(
    capsys: pytest.CaptureFixture[str], arguments: list[str], parts: list[str]
) -> None:
    message = refused(capsys, *arguments)
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (SUITE + "budgte: 3s\n", ["unknown key 'budgte'", "did you mean 'budget'"]),
        (SUITE.replace("[ldm]", "[]"), ["models"]),
        (SUITE.replace("models: [ldm]\n", ""), ["models"]),
        (SUITE + "seeds: [-1]\n", ["seeds"]),
        (SUITE + "seeds: [0, 0]\n", ["seeds"]),
        (SUITE + "threads: 0\n", ["threads is 0"]),
        (SUITE + "set: {ldm.widht: 3}\n", ["did you mean 'ldm.width'"]),
        (SUITE + "metrics: {fid: {m: 3}}\n", ["unknown key 'metrics.fid.m'"]),
        (SUITE + "name: ../../etc\n", ["name is '../../etc'"]),
        ("- a\n- b\n", ["no mapping"]),
        ("", ["no mapping"]),
        ("models: [ldm\n", ["not readable as YAML"]),
        ("!!python/object/apply:os.system ['true']\n", ["not readable as YAML"]),
    ],
)
def test_suite_files(
    capsys: pytest.CaptureFixture[str], elsewhere: Path, content: str, parts: list[str]
) -> None:
    (elsewhere / "suite.yaml").write_text(content)
    message = refused(capsys, "run", "suite.yaml")
    for part in parts:
        assert part in message


def test_a_suite_that_is_not_text(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    (elsewhere / "suite.yaml").write_bytes(b"\xff\xfe\x00models")
    assert "not readable" in refused(capsys, "run", "suite.yaml")


def test_a_folder_of_other_files_is_not_written_to(
    capsys: pytest.CaptureFixture[str], elsewhere: Path
) -> None:
    (elsewhere / "thesis").mkdir()
    (elsewhere / "thesis" / "chapter.tex").write_text("x")
    message = refused(capsys, "run", "--models", "vae", "--datasets", "ring8", "--out", "thesis")
    assert "holds other files" in message


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["list"],
        ["list", "models"],
        ["run", "--models", "lmd"],
        ["run", "--models", "ldm", "--budget", "60sec"],
        ["run", "--models", "ldm[steps=0]"],
        ["run", "--device", "gpu"],
        ["run", "--seeds", "x"],
        ["run", "none.yaml"],
    ],
)
def test_help_list_and_refusals_load_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom benchbench.cli.main import _guarded\n"
        f"_guarded({arguments!r})\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'seaborn', 'scipy', 'sklearn', 'numpy'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []", done.stdout + done.stderr
