"""Data sets from outside the bench, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchbench.cli.main import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, with an empty cache and no local data sets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("BENCH_DATA", raising=False)
    (tmp_path / "images").mkdir()
    return tmp_path


def bench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    printed = capsys.readouterr()
    return int(caught.value.code or 0), printed.out, printed.err


@pytest.mark.parametrize(
    ("dataset", "parts"),
    [
        ("folder", ["lacks its PATH", "folder:PATH[?size=32&labels=false]"]),
        ("folder:imagse", ["is not a folder", "did you mean 'images'"]),
        ("folder:images?siez=3", ["unknown key 'siez'", "did you mean 'size'"]),
        ("folder:images?size=0", ["size is '0'"]),
        ("folder:images", ["holds no image files"]),
        ("folder:file.png", ["is a file"]),
        ("folder:../../../../../../nowhere", ["is not a folder"]),
        ("folder:images,folder:./images", ["named twice"]),
        ("fodler:images", ["did you mean 'folder'"]),
        ("minst", ["did you mean 'mnist'"]),
        ("mnist", ["mnist is not here", "--data-dir", "BENCH_DATA", "--download (11 MiB)"]),
        ("cifar10", ["cifar10 is not here", "--download (162 MiB)"]),
        ("grid25:3", ["takes nothing after a colon"]),
    ],
)
def test_mistakes(
    capsys: pytest.CaptureFixture[str], elsewhere: Path, dataset: str, parts: list[str]
) -> None:
    (elsewhere / "file.png").write_bytes(b"")
    arguments = ("--models", "vae", "--datasets", dataset, "--metrics", "parameters")
    code, out, err = bench(capsys, "run", *arguments, "--device", "cpu")
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for part in parts:
        assert part in err
    assert not (elsewhere / "results").exists()


def test_list_and_doctor_say_where_data_are(
    capsys: pytest.CaptureFixture[str], elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = bench(capsys, "list", "datasets")
    where = {line.split()[0]: line for line in out.splitlines() if line}
    assert "built in" in where["digits"]
    assert "not here" in where["mnist"]
    assert "your PATH" in where["folder:PATH[?size=32&labels=false]"]
    raw = elsewhere / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (raw / f"{part}-{kind}-ubyte.gz").write_bytes(b"")
    for arguments in (["list", "datasets"], ["doctor"]):
        _, out, _ = bench(capsys, *arguments, "--data-dir", str(elsewhere))
        assert str(raw) in next(
            line for line in out.splitlines() if "mnist" in line and "MNIST" in line
        )
    monkeypatch.setenv("BENCH_DATA", str(elsewhere))
    assert str(raw) in bench(capsys, "list", "datasets")[1]
    code, _, err = bench(capsys, "list", "datasets", "--data-dir", "nowhere")
    assert code == 2
    assert "'nowhere' is not a folder" in err


def fill(folder: Path) -> None:
    """120 pictures of 16 x 16 pixels."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(120):
        image = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        image.save(folder / f"{i}.png")


def test_two_folders_of_the_same_images(
    capsys: pytest.CaptureFixture[str], elsewhere: Path
) -> None:
    fill(elsewhere / "images")
    fill(elsewhere / "copy")
    both = "folder:images?size=8,folder:copy?size=8"
    arguments = ("--models", "vae", "--datasets", both, "--metrics", "parameters")
    code, _, err = bench(capsys, "run", *arguments, "--device", "cpu")
    assert code == 2
    assert "hold the same data; name one" in err


@pytest.mark.slow
def test_a_run_on_a_folder(capfd: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    """What was refused is told once, not once a worker; the relative path becomes absolute."""
    fill(elsewhere / "images")
    (elsewhere / "images" / "bad.png").write_bytes(b"no image")
    arguments = ("--models", "vae", "--datasets", "folder:images?size=8", "--metrics", "parameters")
    with pytest.raises(SystemExit) as caught:
        main(["run", *arguments, "--budget", "2step", "--device", "cpu", "--no-report"])
    printed = capfd.readouterr()
    assert caught.value.code == 0, printed.err
    assert (printed.out + printed.err).count("refused 'bad.png': not an image") == 1
    assert "folder:images?size=8" in printed.out
    out = elsewhere / "results" / "folder-images-size-8"
    plan = json.loads((out / "plan.json").read_text())
    absolute = f"folder:{(elsewhere / 'images').resolve()}?size=8"
    assert {cell["dataset"] for cell in plan["cells"]} == {absolute}
    assert len(plan["notes"]) == 1
    assert "folder:images?size=8, budget 2step" in (out / "table.md").read_text()
    assert str(elsewhere) not in (out / "table.md").read_text()
    (cells,) = (out / "cells").iterdir()
    assert cells.name.startswith("folder-images-size-8-")
