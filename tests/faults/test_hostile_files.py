"""What a stranger, a careless disk or a changing folder may put into a run's way."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import LONG, arguments, assert_clear, assert_same_scores, bench, inline
from PIL import Image

from benchbench.api import BenchError
from benchbench.api.files import remove_leftovers, write_atomic
from benchbench.api.tensors import read_tensors, write_tensors
from benchbench.runner import run

pytestmark = pytest.mark.usefixtures("warmed")


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.mark), "w"))


@pytest.mark.parametrize("name", ["checkpoint", "model", "samples"])
def test_a_pickle_is_never_run(tmp_path: Path, whole: Path, name: str) -> None:
    out, log, mark = tmp_path / "out", tmp_path / "log", tmp_path / "mark"
    shutil.copytree(whole, out)
    (cell,) = out.glob("cells/ring8/good/*")
    if name == "checkpoint":
        (cell / "model.safetensors").unlink()
    (cell / f"{name}.safetensors").write_bytes(pickle.dumps(Bomb(mark)))
    ended = bench(arguments(out), log, inline)
    assert ended.code == 0, ended.err
    assert f"{name}.safetensors is damaged" in ended.err
    assert_same_scores(out, whole)
    assert not mark.exists()


def test_inception_weights_that_are_a_pickle_are_refused(tmp_path: Path) -> None:
    mark, log = tmp_path / "mark", tmp_path / "log"
    weights = tmp_path / "weights.pth"
    weights.write_bytes(pickle.dumps(Bomb(mark)))
    more = ("--extractor", "inception", "--inception-weights", str(weights))
    command = ["run", "--models", "vae", "--datasets", "digits", "--budget", "5step"]
    ended = bench([*command, "--metrics", "fid", *more, "--out", str(tmp_path / "o")], log)
    assert ended.code == 2
    assert_clear(ended)
    assert not mark.exists()


def test_every_bit_of_a_tensor_file(tmp_path: Path) -> None:
    file = tmp_path / "t"
    tensors = {
        "a": torch.arange(3.0),
        "b": torch.tensor(True),
        "c": torch.zeros(0, 2, dtype=torch.bfloat16),
        "d": torch.tensor(-0.0, dtype=torch.float64),
    }
    write_tensors(file, tensors, {"about": "x"})
    content = file.read_bytes()
    back, about = read_tensors(file)
    assert about == {"about": "x"}
    assert all(torch.equal(back[k], v) and back[k].dtype == v.dtype for k, v in tensors.items())
    unnoticed = 0
    for place in range(0, len(content), 1 if LONG else 3):
        for bit in (1, 16, 128):
            changed = bytes([content[place] ^ bit])
            file.write_bytes(content[:place] + changed + content[place + 1 :])
            with suppress(BenchError):
                found, text = read_tensors(file)
                # A space between two words of the header may become another kind of space.
                assert text == about
                assert all(torch.equal(found[k], v) for k, v in tensors.items())
                unnoticed += 1
    assert unnoticed < len(content) / 10
    for size in range(len(content)):
        file.write_bytes(content[:size])
        with pytest.raises(BenchError, match="damaged"):
            read_tensors(file)


def images(folder: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    for i in range(120):
        picture = chance.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"{i}.png")


def test_a_folder_of_images_that_changes_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images(tmp_path / "photos", 1)
    command = ["run", "--models", "vae", "--datasets", f"folder:{tmp_path / 'photos'}?size=8"]
    command += ["--budget", "5step", "--metrics", "cost", "--seeds", "0"]
    command += ["--out", str(tmp_path / "out"), "--no-report"]

    def change() -> None:
        inline()
        clean = run.Run._clean

        def and_change(self: run.Run) -> None:
            clean(self)
            images(tmp_path / "photos", 2)

        run.Run._clean = and_change  # type: ignore[method-assign]

    ended = bench(command, tmp_path / "log", change)
    assert ended.code == 1
    assert_clear(ended)
    assert "has changed since the plan was made" in ended.err
    assert "run the same command again" in ended.err
    assert bench(command, tmp_path / "log", inline).code == 0


def test_what_killed_writers_leave_is_removed_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "weights.pth"
    code = (
        "import os, sys, pathlib\nfrom benchbench.api.files import write_atomic\n"
        "def write(file):\n    file.write_bytes(b'half')\n    os.kill(os.getpid(), 9)\n"
        "write_atomic(pathlib.Path(sys.argv[1]), write)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert len(list(tmp_path.glob(".weights.pth.*.tmp"))) == 1
    foreign = tmp_path / ".notes.tmp"
    foreign.mkdir()

    def write(file: Path) -> None:
        # One of two writers at work: the other one's file stays.
        assert list(tmp_path.glob(".weights.pth.*.tmp")) == [file]
        write_atomic(target, lambda other: other.write_bytes(b"second"))
        remove_leftovers(tmp_path)
        assert file.exists()
        file.write_bytes(b"first")

    write_atomic(target, write)
    assert target.read_bytes() == b"first"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".notes.tmp", "weights.pth"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    """A result folder with such a name works; everything else is refused in one line."""
    name = os.fsdecode(os.fsencode(tmp_path) + b"/o\xff <b>")
    ended = bench(arguments(Path(name)), tmp_path / "log", inline)
    assert ended.code == 0, ended.err
    assert Path(name, "scores.csv").is_file()
    ended = bench(["table", name], tmp_path / "log")
    assert ended.code == 0, ended.err
    strange = os.fsdecode(b"\xff")
    for command in (
        ["run", strange],
        ["run", "--models", strange],
        ["run", "--datasets", f"folder:{strange}"],
        ["run", "--plugin", strange],
        ["table", strange],
        [strange],
        [f"--{strange}"],
    ):
        ended = bench(command, tmp_path / "log")
        assert ended.code == 2, command
        assert_clear(ended)


def test_another_version_is_refused_with_its_reason(tmp_path: Path, whole: Path) -> None:
    from benchbench.store.files import read_json, write_json

    out = tmp_path / "out"
    shutil.copytree(whole, out)
    write_json(out / "plan.json", {**read_json(out / "plan.json"), "version": "9.9"})
    ended = bench(arguments(out), tmp_path / "log", inline)
    assert ended.code == 2
    assert_clear(ended)
    assert "written by benchbench 9.9" in ended.err


def test_a_finished_run_costs_nothing_elsewhere(tmp_path: Path, whole: Path) -> None:
    """Another working directory, hash seed and process; a metric more is measured, not trained."""
    out, log = tmp_path / "out", tmp_path / "log"
    shutil.copytree(whole, out)
    code = "import sys; from benchbench.cli.main import main; main(sys.argv[1:])"
    (tmp_path / "elsewhere").mkdir()
    real = subprocess.run(
        [sys.executable, "-c", code, *arguments(Path("../out"))],
        cwd=tmp_path / "elsewhere",
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "0 cells to run" in real.stderr
    assert_same_scores(out, whole)
    (model,) = out.glob("cells/ring8/good/*/model.safetensors")
    before = model.stat().st_mtime_ns
    command = arguments(out)
    command[command.index("modes")] = "modes,prdc"
    ended = bench(command, log, inline)
    assert ended.code == 0
    assert "2 cells to run" in ended.err
    assert model.stat().st_mtime_ns == before
