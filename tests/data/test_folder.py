"""A folder of anybody's images: the refused are told, the rest is used, splits go by content."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchbench.api import Assets, UsageError
from benchbench.api.data import Dataset
from benchbench.data import folder as module
from benchbench.data.decoding import Refused, decode
from benchbench.registry import Registry


def picture(seed: int, width: int = 40, height: int = 48) -> Image.Image:
    colours = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((width, height), Image.Resampling.BICUBIC)


def fill(root: Path, n: int, first: int = 0) -> Path:
    """n pictures, PNG and JPEG in turn, every third in a sub-folder."""
    (root / "sub").mkdir(parents=True, exist_ok=True)
    for i in range(first, first + n):
        path = root / ("sub" if i % 3 == 0 else ".") / f"{i:04d}{'.png' if i % 2 else '.JPG'}"
        picture(i).save(path, quality=95)
    return root


def load(name: str, cache: Path) -> Dataset:
    return Registry.load().load_dataset(name, Assets(cache=cache))


def rows(dataset: Dataset, part: str) -> set[bytes]:
    return {bytes(image) for image in dataset.split(part).raw.numpy()}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("plain"), 150)


def test_a_hostile_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """500 files: one truncated, one gray, one with alpha, one of 20,000 x 20,000 pixels."""
    root = fill(tmp_path / "images", 496)
    whole = tmp_path / "whole.jpg"
    picture(1000, 300, 300).save(whole)
    (root / "truncated.jpg").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    picture(1001).convert("L").save(root / "gray.png")
    alpha = picture(1002)
    alpha.putalpha(128)
    alpha.save(root / "alpha.png")
    Image.new("1", (20_000, 20_000)).save(root / "huge.png")
    assert sum(path.is_file() for path in root.rglob("*")) == 500
    dataset = load(f"folder:{root}", tmp_path / "cache")
    assert sum(len(s) for s in (dataset.train, dataset.validation, dataset.test)) == 498
    assert len(dataset.notes) == 2
    assert dataset.notes[0] == "refused 'huge.png': more than 89,478,485 pixels"
    assert dataset.notes[1].startswith("refused 'truncated.jpg': damaged: ")
    assert all("\n" not in note for note in dataset.notes)
    assert dataset.info.shape == (3, 32, 32)
    assert dataset.info.levels == 256
    assert "Warning" not in capfd.readouterr().err


def test_splits_follow_the_pixels(plain: Path, tmp_path: Path) -> None:
    """Other names, another place, another order and more images: each image keeps its split."""
    here = load(f"folder:{plain}", tmp_path / "cache")
    other = tmp_path / "else"
    other.mkdir()
    for i, path in enumerate(sorted(p for p in plain.rglob("*") if p.is_file())):
        shutil.copy(path, other / f"{997 * i % 1000:03d}{path.suffix}")
    there = load(f"folder:{other}", tmp_path / "cache")
    assert there.digest == here.digest
    fill(other, 40, first=5_000)
    more = load(f"folder:{other}", tmp_path / "cache")
    for part in ("train", "validation", "test"):
        assert rows(here, part) < rows(more, part) or rows(here, part) == rows(more, part)
        assert len(rows(here, part)) == len(here.split(part))  # type: ignore[arg-type]
    assert sum(len(more.split(p)) for p in ("train", "validation", "test")) == 190  # type: ignore[arg-type]


def test_duplicates_stay_in_one_split(plain: Path, tmp_path: Path) -> None:
    root = tmp_path / "twice"
    shutil.copytree(plain, root / "a")
    shutil.copytree(plain, root / "b")
    for path in sorted((root / "a").glob("*.png"))[:20]:
        Image.open(path).save(path.with_suffix(".bmp"))  # the same pixels in another format
    dataset = load(f"folder:{root}", tmp_path / "cache")
    train, validation, test = (rows(dataset, p) for p in ("train", "validation", "test"))
    assert len(train | validation | test) == 150
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert sum(len(s) for s in (dataset.train, dataset.validation, dataset.test)) == 320


def test_decoded_once(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, cache = shutil.copytree(plain, tmp_path / "images"), tmp_path / "cache"
    (root / "bad.png").write_bytes(b"no image")
    first = load(f"folder:{root}", cache)
    decoded: list[Path] = []

    def counting(path: Path, size: int) -> np.ndarray:
        decoded.append(path)
        return decode(path, size)

    monkeypatch.setattr(module, "decode", counting)
    again = load(f"folder:{root}", cache)
    assert decoded == []
    assert (again.digest, again.notes) == (first.digest, first.notes)
    (kept,) = (cache / "folders").iterdir()
    kept.write_bytes(kept.read_bytes()[:1000])  # a damaged cache is made anew
    assert load(f"folder:{root}", cache).digest == first.digest
    assert len(decoded) == 151
    victim = sorted(root.glob("*.png"))[0]
    times = victim.stat()
    picture(77).save(victim)
    os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert load(f"folder:{root}", cache).digest != first.digest  # changed, though its time was kept


def test_labels_are_sub_folders_only_when_asked(plain: Path, tmp_path: Path) -> None:
    root = tmp_path / "classes"
    shutil.copytree(plain, root / "cat" / "indoor")
    fill(root / "ape", 60, first=300)
    picture(999).save(root / "stray.png")
    name = f"folder:{root}"
    assert load(name, tmp_path / "cache").train.labels is None
    labelled = load(f"{name}?labels=true", tmp_path / "cache")
    counts = sum(
        labelled.split(p).labels.bincount(minlength=2)  # type: ignore[arg-type, union-attr]
        for p in ("train", "validation", "test")
    )
    assert isinstance(counts, torch.Tensor)
    assert counts.tolist() == [60, 150]
    assert labelled.notes == ("refused 'stray.png': in no sub-folder, so without a class",)


def test_names_that_are_not_utf8_hidden_files_and_other_things(plain: Path, tmp_path: Path) -> None:
    root = tmp_path / "odd"
    shutil.copytree(plain, root)
    odd = os.fsencode(root) + b"/caf\xe9\n.png"
    shutil.copy(sorted(plain.glob("*.png"))[0], odd)
    with open(os.fsencode(root) + b"/b\xe9d\n.jpg", "wb") as file:
        file.write(b"\xff\xd8\xff")
    (root / "._0001.png").write_bytes(b"junk of another system")
    (root / ".thumbnails").mkdir()
    shutil.copy(odd, root / ".thumbnails" / "x.png")
    (root / "notes.txt").write_text("not an image")
    (root / "loop").symlink_to(root)
    (root / "gone.png").symlink_to(root / "nowhere.png")
    os.mkfifo(root / "pipe.png")
    dataset = load(f"folder:{root}", tmp_path / "cache")
    assert sum(len(s) for s in (dataset.train, dataset.validation, dataset.test)) == 151
    assert [note.partition(":")[0] for note in dataset.notes] == [
        r"refused 'b\udce9d\n.jpg'",
        "refused 'gone.png'",
        "refused 'pipe.png'",
    ]


@pytest.mark.parametrize(
    ("mode", "save"),
    [("L", "png"), ("P", "gif"), ("1", "png"), ("CMYK", "jpg"), ("RGB", "webp"), ("LA", "png")],
)
def test_modes_become_rgb(tmp_path: Path, mode: str, save: str) -> None:
    path = tmp_path / f"x.{save}"
    grey = Image.new("RGB", (40, 40), (102, 102, 102)).convert(mode)  # in the palette
    grey.save(path)
    levels = decode(path, 16)
    assert levels.shape == (3, 16, 16)
    assert levels.dtype == np.uint8
    if mode != "1":
        assert abs(levels.astype(int) - 102).max() <= 3


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65_535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "x.png")
    levels = decode(tmp_path / "x.png", 64)
    assert abs(levels[0].astype(float) - ramp / 257).max() <= 0.51


def test_transparency_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (decode(tmp_path / "clear.png", 10) == 255).all()
    Image.new("RGBA", (20, 20), (0, 0, 0, 128)).save(tmp_path / "half.png")
    assert abs(decode(tmp_path / "half.png", 10).astype(int) - 127).max() <= 1


def test_orientation_of_exif(tmp_path: Path) -> None:
    image = Image.new("RGB", (32, 32), "black")
    image.paste("white", (0, 0, 32, 16))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "x.png", exif=exif)
    levels = decode(tmp_path / "x.png", 32)
    assert levels[:, :15].max() == 0
    assert levels[:, 17:].min() == 255


def test_resizing_is_antialiased_and_central(tmp_path: Path) -> None:
    """A one-pixel chessboard becomes its mean; a wide image loses its sides."""
    board = (np.indices((128, 128)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "board.png")
    assert abs(decode(tmp_path / "board.png", 16).astype(int) - 127).max() <= 3
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = (10, 200, 30)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (decode(tmp_path / "wide.png", 32)[:, 0, 0] == (10, 200, 30)).all()


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.png", b"", "not an image"),
        ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        ("a.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
    ],
)
def test_what_is_no_image(tmp_path: Path, name: str, content: bytes, part: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refused, match=part):
        decode(tmp_path / name, 16)


def test_too_small(tmp_path: Path) -> None:
    picture(0, 31, 200).save(tmp_path / "x.png")
    with pytest.raises(Refused, match="31 x 200 pixels, smaller than 32 x 32"):
        decode(tmp_path / "x.png", 32)


def test_too_few(plain: Path, tmp_path: Path) -> None:
    fill(tmp_path / "few", 99)
    with pytest.raises(UsageError, match="99 images that can be used at size=32, and 100"):
        load(f"folder:{tmp_path / 'few'}", tmp_path / "cache")
    with pytest.raises(UsageError, match=r"150 files were refused; the first: .*smaller than"):
        load(f"folder:{plain}?size=64", tmp_path / "cache")
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="holds no image files"):
        load(f"folder:{tmp_path / 'none'}", tmp_path / "cache")
    same = tmp_path / "same"
    same.mkdir()
    for i in range(120):
        picture(0).save(same / f"{i}.png")
    with pytest.raises(UsageError, match="too few different images"):
        load(f"folder:{same}", tmp_path / "cache")
    with pytest.raises(UsageError, match="no sub-folders"):
        load(f"folder:{same}?labels=true", tmp_path / "cache")
