"""`bench check`: a line a check, an exit code, one line for a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbench.cli.main import main

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
        (["lmd"], ["unknown model, data set or metric 'lmd'", "did you mean 'ldm'"]),
        (["ldm", "--only", "sample"], ["unknown check 'sample'", "did you mean 'samples'"]),
        (["ldm", "--only", ","], ["name at least one check"]),
        (["ldm", "--expect", "nfe"], ["not CHECK=REASON"]),
        (["ldm", "--expect", "nef=x"], ["did you mean 'nfe'"]),
        (["ldm", "--steps", "0"], ["--steps"]),
        (["ldm", "--plugin", "none.py"], ["'none.py' does not exist"]),
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
