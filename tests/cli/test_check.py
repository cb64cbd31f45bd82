"""`bench check`: a line a check, an exit code, one line for a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbench.cli.main import main
from benchbench.cli.new import plugin_files

COUNTER = '''"""Ignores the generator it is handed."""
import torch

def fit(training):
    net = torch.nn.Linear(training.data.dim, training.data.dim)
    for x in training.batches("train", batch_size=64):
        training.log(loss=net(x.flatten(1)).mean())
    net.shape = training.data.shape
    return net

def sample(module, n, *, generator):
    return torch.zeros(n, *module.shape)

NAME = "constant"
'''


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    printed = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, printed.out.splitlines(), printed.err


@pytest.fixture
def constant(tmp_path: Path) -> str:
    file = tmp_path / "constant.py"
    file.write_text(COUNTER)
    return str(file)


def test_a_line_a_check_and_code_one(capsys: pytest.CaptureFixture[str], constant: str) -> None:
    code, out, _ = ran(
        capsys,
        "check",
        "constant",
        "--plugin",
        constant,
        "--only",
        "samples,deterministic,encode,resume",
    )
    assert code == 1
    assert [line.split()[:2] for line in out[:-1]] == [
        ["passed", "samples"],
        ["failed", "deterministic"],
        ["skipped", "encode"],
        ["skipped", "resume"],
    ]
    assert "draw every random number from `generator`" in out[1]
    assert "training.track(net=net, optimizer=optimizer)" in out[3]
    assert out[-1] == "constant: 1 passed, 1 failed, 2 skipped"


def test_an_expected_failure_has_its_reason(
    capsys: pytest.CaptureFixture[str], constant: str
) -> None:
    only = ["check", "constant", "--plugin", constant, "--only", "deterministic,samples"]
    code, out, _ = ran(capsys, *only, "--expect", "deterministic=a constant on purpose")
    assert code == 0
    assert out[0].startswith("expected  deterministic")
    assert "a constant on purpose" in out[0]
    code, out, _ = ran(capsys, *only, "--expect", "samples=no longer true")
    assert code == 1
    assert "passes, though a failure was expected (no longer true)" in out[1]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["lmd"], ["unknown model, data set, metric or extractor 'lmd'", "did you mean 'ldm'"]),
        (["ldm", "--only", "sample"], ["unknown check 'sample'", "did you mean 'samples'"]),
        (["ldm", "--only", ","], ["name at least one check"]),
        (["ldm", "--expect", "nfe"], ["not CHECK=REASON"]),
        (["ldm", "--expect", "nef=x"], ["did you mean 'nfe'"]),
        (["ldm", "--steps", "0"], ["--steps"]),
        (["ldm", "--plugin", "none.py"], ["'none.py' does not exist"]),
        (["ldm[stepz=3]"], ["'stepz'", "did you mean 'steps'"]),
        (["ldm", "--type", "metric"], ["unknown metric 'ldm'"]),
        (["ldm", "--type", "plugin"], ["--type", "'plugin' is not one of"]),
        (["grid52"], ["did you mean 'grid25'"]),
        (["grid25", "--steps", "3"], ["--steps is for a model; 'grid25' is a data set"]),
        (["fid", "--data-dir", "."], ["--data-dir is for a data set; 'fid' is a metric"]),
        (["fid[m=3]"], ["unknown option of metric 'fid'"]),
        (["folder:nowhere"], ["folder:nowhere is not a folder"]),
        (["nowhere:f"], ["unknown model 'nowhere:f'"]),
        (["scattering", "--steps", "3"], ["--steps is for a model; 'scattering' is an extractor"]),
        (
            ["fid", "--download"],
            ["--download is for a data set or an extractor; 'fid' is a metric"],
        ),
        (["grid25", "--inception-weights", "x"], ["is for an extractor; 'grid25' is a data set"]),
        (["scatering"], ["did you mean 'scattering'"]),
        (["grid25", "--only", "lod"], ["unknown check 'lod'", "did you mean 'load'"]),
        ([], ["NAME"]),
    ],
)
def test_mistakes(
    capsys: pytest.CaptureFixture[str], arguments: list[str], parts: list[str]
) -> None:
    code, out, err = ran(capsys, "check", *arguments)
    assert (code, out) == (2, [])
    assert err.count("\n") == 1
    for part in parts:
        assert part in err


def test_data_sets_and_metrics_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "check", "grid25", "--only", "digest,modes,levels")
    assert code == 0
    assert [line.split()[:2] for line in out[:-1]] == [
        ["passed", "digest"],
        ["passed", "modes"],
        ["skipped", "levels"],
    ]
    assert out[-1] == "grid25: 2 passed, 1 skipped"
    code, out, _ = ran(capsys, "check", "vendi[n=200]", "--only", "catches,direction")
    assert code == 0
    assert out[-1] == "vendi[n=200]: 1 passed, 1 skipped"


def test_extractors_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "check", "digits-cnn", "--only", "alone,modes,refusals")
    assert code == 0
    assert out[-1] == "digits-cnn: 3 passed"


def test_files_that_are_not_here_are_a_mistake(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("BENCH_DATA", raising=False)
    code, out, err = ran(capsys, "check", "mnist")
    assert (code, out) == (2, [])
    assert "mnist is not here" in err
    assert "--download" in err


def test_a_name_of_two_things_asks_which(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for type_ in ("dataset", "metric"):
        text = next(iter(plugin_files("mine", True, type_).values()))
        (tmp_path / f"{type_}.py").write_text(text)
    both = tmp_path / "both.py"
    both.write_text(
        "from benchbench.api import hookimpl\n"
        "import importlib.util, sys\n"
        "def part(name):\n"
        f"    path = {str(tmp_path)!r} + f'/{{name}}.py'\n"
        "    spec = importlib.util.spec_from_file_location(name, path)\n"
        "    module = importlib.util.module_from_spec(spec)\n"
        "    sys.modules[name] = module\n"
        "    spec.loader.exec_module(module)\n"
        "    return module\n"
        "bench_datasets = part('dataset').bench_datasets\n"
        "bench_metrics = part('metric').bench_metrics\n"
    )
    code, out, err = ran(capsys, "check", "mine", "--plugin", str(both))
    assert (code, out) == (2, [])
    assert "'mine' is a metric and a data set; say which with --type metric or --type data" in err
    chosen = ["--plugin", str(both), "--type", "dataset", "--only", "load"]
    code, out, _ = ran(capsys, "check", "mine", *chosen)
    assert (code, out[-1]) == (0, "mine: 1 passed")


def test_options_of_a_model_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "check", "ldm[steps=2,width=16]", "--only", "nfe,sampling_options")
    assert code == 0, out
    assert out[-1] == "ldm[steps=2,width=16]: 2 passed"
