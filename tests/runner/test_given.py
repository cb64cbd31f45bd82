"""Samples from files: every form of the same samples gives the same levels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from benchbench.api import Assets, UsageError
from benchbench.api.data import Dataset
from benchbench.registry import Registry
from benchbench.runner.given import read_given


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """8 x 8, one channel, 17 levels."""
    return Registry.load().load_dataset("digits", Assets())


@pytest.fixture(scope="module")
def ring() -> Dataset:
    return Registry.load().load_dataset("ring8", Assets())


@pytest.fixture
def levels(digits: Dataset) -> np.ndarray:
    return digits.test.raw[:40].numpy()


def saved(values: np.ndarray, path: Path) -> Path:
    np.save(path, values)
    return path


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (lambda x: x, "levels of 0 to 16"),
        (lambda x: x.transpose(0, 2, 3, 1), "NHWC"),
        (lambda x: x[:, 0], "NHW"),
        (lambda x: np.round(x * (255 / 16)).astype(np.uint8), "0 to 255"),
        (lambda x: (x / 16).astype(np.float32), "[0, 1]"),
        (lambda x: (x / 16).astype(np.float16), "[0, 1]"),
        (lambda x: x / 8 - 1.0, "[-1, 1]"),
    ],
)
def test_every_form_is_the_same(
    tmp_path: Path, digits: Dataset, levels: np.ndarray, form: object, said: str
) -> None:
    given = read_given(saved(form(levels), tmp_path / "x.npy"), digits)  # type: ignore[operator]
    assert torch.equal(given.raw, torch.from_numpy(levels))
    assert said in given.read
    plain = read_given(saved(levels, tmp_path / "y.npy"), digits)
    assert given.digest == plain.digest


def test_every_kind_of_file_is_the_same(
    tmp_path: Path, digits: Dataset, levels: np.ndarray
) -> None:
    np.savez(tmp_path / "a.npz", images=levels, labels=np.arange(40))
    save_file({"images": levels}, tmp_path / "a.safetensors")
    folder = tmp_path / "images"
    folder.mkdir()
    for index, image in enumerate(np.round(levels[:, 0] * (255 / 16)).astype(np.uint8)):
        Image.fromarray(image).save(folder / f"{index:02}.png")
    for given in (
        read_given(tmp_path / "a.npz", digits, array="images"),
        read_given(tmp_path / "a.safetensors", digits),
        read_given(folder, digits),
    ):
        assert torch.equal(given.raw, torch.from_numpy(levels))
        assert given.notes == ()


def test_what_is_refused_in_a_folder_is_named(tmp_path: Path, digits: Dataset) -> None:
    for name in ("a", "b"):
        Image.new("L", (8, 8), 100).save(tmp_path / f"{name}.png")
    Image.new("L", (9, 8)).save(tmp_path / "size.png")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    (tmp_path / "junk.png").write_bytes(b"junk")
    given = read_given(tmp_path, digits)
    assert len(given.raw) == 2
    assert [note.partition(":")[0] for note in given.notes] == [
        "refused 'junk.png'",
        "refused 'red.png'",
        "refused 'size.png'",
    ]
    assert "2 of 5 images" in given.read


def test_resized_only_when_asked(tmp_path: Path, digits: Dataset) -> None:
    halves = np.zeros((3, 16, 16), np.float32)
    halves[:, :, 8:] = 1
    path = saved(halves, tmp_path / "x.npy")
    with pytest.raises(UsageError, match="--resize"):
        read_given(path, digits)
    given = read_given(path, digits, resize=True)
    assert given.raw.shape == (3, 1, 8, 8)
    assert "resized from 16 x 16" in given.read
    assert given.raw[..., :2].max() == 0
    assert given.raw[..., -2:].min() == 16


def test_points_stay_as_they_are(tmp_path: Path, ring: Dataset) -> None:
    x = np.random.default_rng(0).normal(size=(10, 2))
    given = read_given(saved(x, tmp_path / "x.npy"), ring)
    assert torch.equal(given.raw, torch.from_numpy(x).float())


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (np.zeros((5, 3, 8, 8), np.float32), "has shape"),
        (np.zeros((5, 8), np.float32), "has shape"),
        (np.zeros((1, 1, 8, 8), np.float32), "at least 2"),
        (np.full((5, 1, 8, 8), np.nan), "not finite"),
        (np.full((5, 1, 8, 8), np.inf), "not finite"),
        (np.linspace(-3, 3, 320).reshape(5, 1, 8, 8), "numbers from -3 to 3"),
        (np.linspace(0, 255, 320).reshape(5, 1, 8, 8), "say --scale"),
        (np.full((5, 1, 8, 8), 0.5), "more than one way"),
        (np.ones((5, 1, 8, 8), np.uint8), "more than one way"),
        (np.zeros((5, 1, 8, 8), np.int64), "dtype int64"),
        (np.zeros((5, 1, 8, 8), np.complex64), "dtype complex64"),
        (np.zeros((0, 1, 8, 8), np.float32), "at least 2"),
    ],
)
def test_wrong_images(tmp_path: Path, digits: Dataset, values: np.ndarray, part: str) -> None:
    with pytest.raises(UsageError, match=part) as caught:
        read_given(saved(values, tmp_path / "x.npy"), digits)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (np.zeros((5, 3)), "needs \\(n, 2\\)"),
        (np.zeros((5, 2), np.uint8), "needs floats"),
        (np.full((5, 2), 1e300), "too large"),
        (np.full((5, 2), np.nan), "not finite"),
    ],
)
def test_wrong_points(tmp_path: Path, ring: Dataset, values: np.ndarray, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        read_given(saved(values, tmp_path / "x.npy"), ring)


def test_a_scale_that_is_stated_is_held_to(tmp_path: Path, digits: Dataset) -> None:
    dark = saved(np.full((5, 1, 8, 8), 0.5), tmp_path / "x.npy")
    assert int(read_given(dark, digits, scale="unit").raw[0, 0, 0, 0]) == 8
    assert int(read_given(dark, digits, scale="signed").raw[0, 0, 0, 0]) == 12
    wrong = saved(np.full((5, 1, 8, 8), 2.0), tmp_path / "y.npy")
    with pytest.raises(UsageError, match="--scale unit allows 0 to 1"):
        read_given(wrong, digits, scale="unit")


def test_a_pickle_is_never_loaded(tmp_path: Path, digits: Dataset) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(tmp_path, "sprung"),))  # type: ignore[return-value]

    values = np.array([Trap()], dtype=object)
    np.save(tmp_path / "x.npy", values, allow_pickle=True)
    np.savez(tmp_path / "x.npz", values)
    for name in ("x.npy", "x.npz"):
        with pytest.raises(UsageError, match="pickles are never loaded"):
            read_given(tmp_path / name, digits)
    assert not (tmp_path / "sprung").exists()
