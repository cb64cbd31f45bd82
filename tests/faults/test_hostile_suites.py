"""Suites and options made to hurt: each ends in one line that names what was wrong, at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from forked import timed

from benchbench.cli.main import _guarded

BASE = "models: [vae]\ndatasets: [ring8]\nbudget: 5step\n"
LAUGHS = "a: &a [ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
    for a, b in zip("abcdefghij", "bcdefghijk", strict=True)
)
RUN = ("run", "--models", "vae", "--datasets", "ring8", "--budget", "5step")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    before = sorted(Path().rglob("*"))
    with timed(10.0):
        assert _guarded(list(command)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert printed.err.strip().isprintable()
    assert len(printed.err) < 1500
    assert "defect of the bench" not in printed.err
    assert sorted(Path().rglob("*")) == before
    return printed.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LAUGHS + "models: *k\n", "aliases are not allowed"),
        ("models: &m [*m]\n", "aliases are not allowed"),
        ("[" * 100_000, "nested too deeply"),
        ("{a: " * 100_000, "nested too deeply"),
        (BASE + "x" * (1 << 20), "larger than 1,048,576 bytes"),
        (BASE + "set: !!python/object/apply:os.system ['touch ran']\n", "not readable as YAML"),
        (BASE + "set: !!python/name:os.system\n", "not readable as YAML"),
        (BASE + "set: !!int ''\n", "not readable as YAML"),
        (BASE + "set: !!timestamp x\n", "not readable as YAML"),
        (BASE + "set: {vae.width: 2024-99-99}\n", "not readable as YAML"),
        (BASE + f"seeds: [{'9' * 5000}]\n", "not readable as YAML"),
        (BASE + f"seeds: [0x{'F' * 9000}]\n", "beyond 64 bits"),
        (BASE + "seeds: [99999999999]\n", "seeds.0 is 99999999999"),
        (BASE + f"seeds: {list(range(2000))}\n", "seeds"),
        (BASE.replace("5step", "1e300s"), "out of range"),
        (BASE.replace("5step", "9" * 9000 + "s"), "out of range"),
        (BASE + "ceiling_seconds: .inf\n", "finite"),
        (BASE + "set: {vae.lr: .nan}\n", "finite"),
        (BASE + "threads: 1000000\n", "threads is 1000000"),
        (BASE + 'name: "a\\0b"\n', "name is"),
        (BASE + "name: ../up\n", "name is"),
        (BASE + f"name: {'n' * 300}\n", "name is"),
        (BASE + 'plugins: ["a\\0b"]\n', "does not exist"),
        (BASE.replace("ring8", '"folder:a\\0/b"'), "is not a folder"),
        (BASE.replace("ring8", "folder:../../../../no/such"), "is not a folder"),
        (BASE.replace("vae", "../vae"), "unknown model"),
        (BASE.replace("vae", "<script>alert(1)</script>"), "unknown model"),
        (BASE.replace("vae", '"\\ecvae"'), "unknown model"),
    ],
    ids=range(28),
)
def test_a_suite(
    capsys: pytest.CaptureFixture[str], elsewhere: Path, content: str, said: str
) -> None:
    (elsewhere / "suite.yaml").write_text(content)
    assert said in refused(capsys, "run", "suite.yaml")
    assert not (elsewhere / "ran").exists()


def test_a_claim_file(capsys: pytest.CaptureFixture[str]) -> None:
    for content, said in (
        (LAUGHS + "claims: *k\n", "aliases are not allowed"),
        ("claims: " + "[" * 100_000, "nested too deeply"),
        ("x" * (2 << 20), "larger than"),
    ):
        Path("file.yaml").write_text(content)
        assert said in refused(capsys, "claims", "file.yaml")


def test_a_suite_that_is_no_file(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    os.mkfifo("pipe.yaml")
    Path("folder.yaml").mkdir()
    for given in ("pipe.yaml", "folder.yaml", "/dev/zero", "/dev/stdin", "/", ".", "a\0b"):
        assert "is not a file" in refused(capsys, "run", given)
    assert "File name too long" in refused(capsys, "run", "x" * 5000)


@pytest.mark.parametrize(
    "more",
    [
        ("--seeds", "0-999999"),
        ("--seeds", "9" * 5000),
        ("--seeds", ",".join(map(str, range(2000)))),
        ("--seeds", ",".join(["0-999"] * 10_000)),
        ("--set", "vae.width=2024-99-99"),
        ("--set", f"vae.width={'[' * 60_000}"),
        ("--set", f"vae.width=0x{'F' * 9000}"),
        ("--fractions", "1e999"),
        ("--device", "cuda:99999999999999"),
        ("--device", "cuda:٣"),
        ("--threads", "9" * 5000),
        ("--timeout", "nan"),
        ("--jobs", "1000000000"),
        ("--plugin", "a\0b"),
        ("--data-dir", "a\0b"),
        ("--metrics", "\0"),
        ("--budget", "1e300flop"),
        ("--budget", "1" + "e1" * 50_000),
        ("--out", "a\0b"),
    ],
    ids=range(19),
)
def test_an_option(capsys: pytest.CaptureFixture[str], more: tuple[str, str]) -> None:
    refused(capsys, *RUN, *more)


def test_a_plugin_file_that_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    Path("leaves.py").write_text("import sys\nsys.exit(0)\n")
    assert "SystemExit: 0" in refused(capsys, *RUN, "--plugin", "leaves.py")
    Path("nul.py").write_bytes(b"x = 1\0")
    assert "failed" in refused(capsys, *RUN, "--plugin", "nul.py")
    os.mkfifo("pipe.py")
    assert "does not exist" in refused(capsys, *RUN, "--plugin", "pipe.py")
