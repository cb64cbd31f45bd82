"""Models that exist already: each gets a row beside the others, and mistakes get one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from benchbench.cli.main import main

MODULE = '''
"""Functions that stand for models of any framework."""
import torch

BROKEN = 3

def draw(n, generator):
    """Uniform noise."""
    return 2 * torch.rand(n, 1, 8, 8, generator=generator) - 1

def named(n, *, generator):
    return draw(n, generator)

def nan(n, generator):
    return torch.full((n, 1, 8, 8), float("nan"))
'''


def bench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    printed = capsys.readouterr()
    return int(caught.value.code or 0), printed.out, printed.err


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with samples, a module of functions, and nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "functions_of_a_user.py").write_text(MODULE)
    return tmp_path


def save_samples(folder: Path, n: int = 60) -> None:
    """The same digits as a folder of PNG files and as .npz with channels last."""
    digits = load_digits().images[:n]
    (folder / "pictures").mkdir()
    for index, image in enumerate(np.round(digits * (255 / 16)).astype(np.uint8)):
        Image.fromarray(image).save(folder / "pictures" / f"{index:03}.png")
    (folder / "pictures" / "broken.png").write_bytes(b"no image")
    np.savez(folder / "arrays.npz", (digits / 16).astype(np.float32)[..., None])


def save_pipeline(folder: Path) -> bool:
    """A tiny pipeline with random weights, where diffusers is installed."""
    try:
        from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
    except ImportError:
        return False
    with torch.random.fork_rng():
        unet = UNet2DModel(
            sample_size=8,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
        )
    DDPMPipeline(unet, DDPMScheduler(num_train_timesteps=2)).save_pretrained(folder)
    return True


@pytest.mark.slow
def test_each_gets_a_row(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    save_samples(elsewhere)
    models = "functions_of_a_user:named[nfe=7]"
    if save_pipeline(elsewhere / "pipe"):
        models += ",diffusers:pipe[steps=1]"
    code, out, err = bench(
        capsys,
        *("run", "--models", models, "--datasets", "digits", "--seeds", "0", "--budget", "1step"),
        *("--metrics", "fid,nll_nats,parameters", "--device", "cpu", "--out", "r", "--no-report"),
    )
    assert code == 0, err
    for samples in ("pictures", "arrays.npz"):
        code, out, err = bench(capsys, "eval", samples, "--dataset", "digits", "--out", "r")
        assert code == 0, err
        if samples == "pictures":
            assert "refused 'broken.png'" in err
    table = pd.read_csv("r/scores.csv", keep_default_na=False)
    models = table[table.model != "real"]
    assert set(models.budget) == {"external"}
    fid = models[models.metric == "fid"]
    assert set(fid.status) == {"done"}
    pictures, arrays = (fid[fid.model == name].iloc[0] for name in ("pictures", "arrays"))
    assert pictures.value == arrays.value
    assert "60 of 61 images in pictures" in json.loads(pictures.detail)["samples_from"]
    assert "taken as [0, 1]" in json.loads(arrays.detail)["samples_from"]
    likelihood = models[models.metric == "nll_nats"]
    assert set(likelihood.status) == {"skipped"}
    assert likelihood.reason.str.len().min() > 10
    function = fid[fid.model == "functions_of_a_user:named"].iloc[0]
    assert json.loads(function.detail)["nfe"] == 7
    if (elsewhere / "pipe").is_dir():
        assert fid.model.str.startswith("diffusers:/").sum() == 1
        assert "diffusers:pipe[steps=1]" in out
    assert not set(table.metric) & {"train_seconds", "train_steps"}
    for row in ("pictures (external)", "arrays (external)", "real (held out)"):
        assert row in out
    assert "bench eval" in Path("r/report.html").read_text()


def test_points_in_a_folder_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("ring.npy", np.random.default_rng(0).normal(size=(3000, 2)))
    code, out, err = bench(
        capsys,
        *("eval", "ring.npy", "--dataset", "ring8", "--metrics", "modes", "--device", "cpu"),
        *("--out", "r"),
    )
    assert code == 0, err
    assert "original units" in err
    table = pd.read_csv("r/scores.csv", keep_default_na=False)
    share = table[table.metric == "hq_share"].set_index("model").value.astype(float)
    # Of a standard normal, 3 sigma = 0.03 around each of 8 points of the unit circle hold
    # 8 · 0.03² · exp(-1/2) / 2 = 0.2 %.
    assert share["ring"] < 1
    assert share["real"] > 97
    assert "ring (external)" in out


@pytest.mark.parametrize(
    ("samples", "options", "part"),
    [
        ("nowhere", [], "does not exist"),
        ("../../../nowhere", [], "does not exist"),
        ("a\0b", [], "NUL byte"),
        ("functions_of_a_user.py", [], "none of .npz, .npy, .safetensors"),
        ("empty", [], "holds no image"),
        ("shape.npy", [], "has shape"),
        ("nan.npy", [], "not finite"),
        ("range.npy", [], "numbers from -3 to 3"),
        ("pickled.npy", [], "pickles are never loaded"),
        ("shape.npy", ["--name", "../../x"], "--name is '../../x'"),
        ("shape.npy", ["--name", "real"], "kept for the bench's own rows"),
        ("shape.npy", ["--metrics", "fdi"], "did you mean 'fid'"),
        ("shape.npy", ["--metrics", ""], "name at least one"),
        ("shape.npy", ["--scale", "percent"], "is not one of"),
    ],
)
def test_wrong_samples(
    capsys: pytest.CaptureFixture[str],
    elsewhere: Path,
    samples: str,
    options: list[str],
    part: str,
) -> None:
    (elsewhere / "empty").mkdir()
    np.save("shape.npy", np.zeros((5, 3, 8, 8), np.float32))
    np.save("nan.npy", np.full((5, 1, 8, 8), np.nan))
    np.save("range.npy", np.linspace(-3, 3, 320).reshape(5, 1, 8, 8))
    np.save("pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    one_line(capsys, part, "eval", samples, "--dataset", "digits", "--out", "r", *options)
    assert not (elsewhere / "r").exists()


@pytest.mark.parametrize(
    ("model", "part"),
    [
        ("functions_of_a_user:drwa", "did you mean 'draw'"),
        ("functions_of_a_user:BROKEN", "is a int; give a function"),
        ("functions_of_a_user:", "neither NAME:ARGUMENT nor module:function"),
        ("../functions_of_a_user:draw", "neither NAME:ARGUMENT nor module:function"),
        ("no_such_module:draw", "no module 'no_such_module' is found"),
        ("functions_of_a_user:draw[nef=2]", "did you mean 'nfe'"),
        ("vae:x", "takes nothing after a colon"),
        ("diffusers", "lacks its FOLDER"),
    ],
)
def test_wrong_models(capsys: pytest.CaptureFixture[str], model: str, part: str) -> None:
    one_line(capsys, part, "run", "--models", model, "--datasets", "digits", "--out", "r")


def test_a_function_that_breaks_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = bench(
        capsys,
        *("run", "--models", "functions_of_a_user:nan", "--datasets", "digits", "--seeds", "0"),
        *("--metrics", "fid", "--device", "cpu", "--out", "r"),
    )
    assert code == 1
    assert "samples that are not finite" in err.splitlines()[-1]


def test_only_models_that_train_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    one_line(capsys, "trained elsewhere", "check", "functions_of_a_user:draw")


def one_line(capsys: pytest.CaptureFixture[str], part: str, *arguments: str) -> None:
    code, out, err = bench(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert part in err
