"""IDX files in every layout, whole or refused in one line; splits that are fixed and stratified."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from benchbench.api import Assets, BenchError, UsageError
from benchbench.api.data import LabelModes
from benchbench.data import idx, mnist
from benchbench.data.idx import FASHION_MNIST, MNIST, IdxFile, IdxSource
from benchbench.registry import Registry

SIZES = {"train": 300, "t10k": 50}


def contents() -> dict[str, bytes]:
    """Four small IDX files, by published name."""
    rng = np.random.default_rng(0)
    made = {}
    for part, n in SIZES.items():
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = (np.arange(n) % 10).astype(np.uint8)
        made[f"{part}-images-idx3-ubyte"] = struct.pack(">4B3I", 0, 0, 8, 3, n, 28, 28) + bytes(
            images
        )
        made[f"{part}-labels-idx1-ubyte"] = struct.pack(">4BI", 0, 0, 8, 1, n) + bytes(labels)
    return made


FILES = contents()


def small(published: IdxSource) -> IdxSource:
    """A source like the published one, whose files are FILES."""
    files = []
    for name, content in FILES.items():
        n = SIZES[name.partition("-")[0]]
        shape = (n, 28, 28) if "images" in name else (n,)
        packed = gzip.compress(content, mtime=0)
        digests = hashlib.sha256(content).hexdigest(), hashlib.sha256(packed).hexdigest()
        files.append(IdxFile(name, shape, *digests, len(packed)))
    return dataclasses.replace(published, files=tuple(files), system=None)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> IdxSource:
    made = small(MNIST)
    monkeypatch.setattr(mnist, "MNIST", made)
    monkeypatch.setattr(idx, "MNIST", made)
    monkeypatch.setattr(mnist, "VALIDATION", 100)
    return made


def lay(folder: Path, *, packed: bool, dotted: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        shown = name.replace("-idx", ".idx") if dotted else name
        path = folder / (f"{shown}.gz" if packed else shown)
        path.write_bytes(gzip.compress(content) if packed else content)
    return folder


@pytest.mark.parametrize(
    ("inner", "packed", "dotted"),
    [
        ("MNIST/raw", True, False),
        ("MNIST/raw", False, False),
        ("raw", False, False),
        (".", False, True),
        (".", True, False),
        ("mnist", True, False),
    ],
)
def test_layouts(source: IdxSource, tmp_path: Path, inner: str, packed: bool, dotted: bool) -> None:
    lay(tmp_path / inner, packed=packed, dotted=dotted)
    assets = Assets((tmp_path / "empty", tmp_path), cache=tmp_path / "cache")
    registry = Registry.load()
    dataset = registry.load_dataset("mnist", assets)
    assert registry.where("mnist", assets) == str(tmp_path / inner)
    assert dataset.modes == LabelModes(10)
    assert dataset.info.levels == 256
    test = FILES["t10k-images-idx3-ubyte"][16:]
    assert bytes(dataset.test.raw.numpy()) == test
    sizes = [len(dataset.split(name)) for name in ("train", "validation", "test")]  # type: ignore[arg-type]
    assert sizes == [200, 100, 50]
    assert dataset.validation.labels is not None
    assert dataset.validation.labels.bincount().tolist() == [10] * 10
    images = {bytes(image) for image in dataset.train.raw.numpy()}
    assert not images & {bytes(image) for image in dataset.validation.raw.numpy()}
    assert len(images) == 200
    assert registry.load_dataset("mnist", assets).digest == dataset.digest


@pytest.mark.parametrize(
    ("damage", "packed", "part"),
    [
        (lambda b: b[: len(b) // 2], False, "bytes"),
        (lambda b: b[: len(b) // 2], True, "ended before"),
        (lambda b: b + b"x", False, "more than"),
        (lambda b: b[:-1] + bytes([b[-1] ^ 1]), False, "checksum"),
        (lambda b: b"<html>no such page</html>", True, "gzip"),
        (lambda b: b"", True, "0 of"),
    ],
)
def test_a_damaged_file_is_one_clear_line(
    source: IdxSource, tmp_path: Path, damage: object, packed: bool, part: str
) -> None:
    lay(tmp_path, packed=packed)
    path = tmp_path / ("train-images-idx3-ubyte" + (".gz" if packed else ""))
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(UsageError) as caught:
        Registry.load().load_dataset("mnist", Assets((tmp_path,)))
    message = str(caught.value)
    assert str(path) in message
    assert part in message
    assert "\n" not in message


def test_missing_data_name_the_ways_out(source: IdxSource, tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(FILES["train-images-idx3-ubyte"])
    assets = Assets((tmp_path,), cache=tmp_path / "cache")
    with pytest.raises(
        UsageError, match=r"--data-dir .*BENCH_DATA.*MNIST/raw.*--download"
    ) as caught:
        Registry.load().load_dataset("mnist", assets)
    assert str(tmp_path) in str(caught.value)
    assert Registry.load().where("mnist", assets) == "not here"


def test_fashion_mnist_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = (tmp_path / "none", "dataset-fashion-mnist")
    monkeypatch.setattr(mnist, "FASHION_MNIST", dataclasses.replace(FASHION_MNIST, system=system))
    with pytest.raises(UsageError, match=r"apt-get install dataset-fashion-mnist; --data-dir"):
        Registry.load().load_dataset("fashion-mnist", Assets(cache=tmp_path))


def test_a_download_is_asked_for_and_kept(
    source: IdxSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder as a URL; the second time from the cache, without the network."""
    published = lay(tmp_path / "published", packed=False)
    for name, content in FILES.items():
        (published / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    served = dataclasses.replace(source, url=f"{published.as_uri()}/")
    monkeypatch.setattr(mnist, "MNIST", served)
    cache = tmp_path / "cache"
    first = Registry.load().load_dataset("mnist", Assets(download=True, cache=cache))
    monkeypatch.setattr(mnist, "MNIST", dataclasses.replace(source, url="http://127.0.0.1:9/"))
    assert Registry.load().load_dataset("mnist", Assets(cache=cache)).digest == first.digest
    damaged = cache / "mnist" / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"is damaged .* give --download"):
        Registry.load().load_dataset("mnist", Assets(cache=cache))
    monkeypatch.setattr(mnist, "MNIST", served)
    again = Registry.load().load_dataset("mnist", Assets(download=True, cache=cache))
    assert again.digest == first.digest
    monkeypatch.setattr(mnist, "MNIST", dataclasses.replace(source, url="http://127.0.0.1:9/"))
    for path in (cache / "mnist").iterdir():
        path.unlink()
    with pytest.raises(BenchError, match=r"can't be reached.*or --data-dir"):
        Registry.load().load_dataset("mnist", Assets(download=True, cache=cache))
    assert list((cache / "mnist").iterdir()) == []


def test_stacked_triples_share_no_digit_between_splits(
    source: IdxSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "benchbench.data.stacking.TRIPLES", {"train": 2_000, "validation": 500, "test": 500}
    )
    lay(tmp_path, packed=False)
    stacked = Registry.load().load_dataset("stacked-mnist", Assets((tmp_path,)))
    assert stacked.modes == LabelModes(1000)
    assert stacked.info.shape == tuple(stacked.train.raw.shape[1:]) == (3, 28, 28)
    digits = [
        {bytes(channel) for image in split.raw.numpy() for channel in image}
        for split in (stacked.train, stacked.validation, stacked.test)
    ]
    assert not digits[0] & digits[1]
    assert not digits[0] & digits[2]
    assert not digits[1] & digits[2]
    single = Registry.load().load_dataset("mnist", Assets((tmp_path,)))
    assert single.test.labels is not None and stacked.test.labels is not None
    read = {
        bytes(i): int(y) for i, y in zip(single.test.raw.numpy(), single.test.labels, strict=True)
    }
    first = [read[bytes(channel)] for channel in stacked.test.raw[0].numpy()]
    assert int(stacked.test.labels[0]) == 100 * first[0] + 10 * first[1] + first[2]


def test_the_real_fashion_mnist() -> None:
    assert FASHION_MNIST.system is not None
    if not FASHION_MNIST.system[0].is_dir():
        pytest.skip("the Debian package dataset-fashion-mnist is not installed")
    dataset = Registry.load().load_dataset("fashion-mnist", Assets())
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [
        50_000,
        10_000,
        10_000,
    ]
    assert dataset.digest == "0709ae474ca021cc"
    assert dataset.validation.labels is not None and dataset.test.labels is not None
    assert dataset.validation.labels.bincount().tolist() == [1_000] * 10
    assert dataset.test.labels.bincount().tolist() == [1_000] * 10
    x = dataset.to_model(dataset.test.raw[:1000])
    assert x.min() == -1
    assert x.max() == 1
    assert torch.equal(dataset.to_raw(x), dataset.test.raw[:1000])
