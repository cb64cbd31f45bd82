"""CIFAR-10 in both published forms, read without unpickling, checked against known checksums."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchbench.api import Assets, UsageError
from benchbench.data import cifar, cifar_files
from benchbench.registry import Registry

N = 20
BIN, PY = "cifar-10-batches-bin", "cifar-10-batches-py"


def batch(seed: int) -> tuple[bytes, bytes]:
    """Labels and pixels of N images."""
    rng = np.random.default_rng(seed)
    return bytes(np.arange(N, dtype=np.uint8) % 10), rng.integers(
        0, 256, (N, 3072), np.uint8
    ).tobytes()


def as_binary(labels: bytes, pixels: bytes) -> bytes:
    return b"".join(labels[i : i + 1] + pixels[3072 * i : 3072 * (i + 1)] for i in range(N))


def as_pickle(labels: bytes, pixels: bytes, *, hostile: bool = True) -> bytes:
    """As Python 2 wrote them: short and long byte strings, numpy's constructor, a list of bytes.

    hostile: with a call that would end the process if the file were unpickled.
    """

    def string(text: bytes) -> bytes:
        return b"U" + bytes([len(text)]) + text

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(K\x00tR(K\x01K" + bytes([N]) + b"M\x00\x0ctU\x02u1"
    )
    array += b"T" + struct.pack("<i", len(pixels)) + pixels + b"tb"
    listed = b"](" + b"".join(b"K" + labels[i : i + 1] for i in range(N)) + b"e"
    call = b"cos\n_exit\n(K\x07tR" if hostile else b"N"
    names = b"](" + b"".join(string(b"cat_%d.png" % i) for i in range(N)) + b"e"
    return (
        b"\x80\x02}q\x01("
        + string(b"data") + array
        + string(b"labels") + listed
        + string(b"batch_label") + string(b"training batch 1 of 5")
        + string(b"filenames") + names
        + string(b"call") + call
        + b"u."
    )  # fmt: skip


@pytest.fixture
def lay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, bool], Path]:
    """Write a form below tmp_path, as a folder or an archive, and make its checksums known."""

    def write(form: str, archive: bool) -> Path:
        encode = as_binary if form == BIN else as_pickle
        names = list(cifar_files.MD5[form])
        contents = {name: encode(*batch(seed)) for seed, name in enumerate(names)}
        known = {n: hashlib.md5(c).hexdigest() for n, c in contents.items()}
        monkeypatch.setitem(cifar_files.MD5, form, known)
        monkeypatch.setattr(cifar, "VALIDATION", 20)
        if archive:
            path = tmp_path / cifar_files.ARCHIVES[form]
            with tarfile.open(path, "w:gz") as packed:
                for name, content in {"readme.html": b"x", **contents}.items():
                    member = tarfile.TarInfo(f"{form}/{name}")
                    member.size = len(content)
                    packed.addfile(member, io.BytesIO(content))
            return path
        (tmp_path / form).mkdir()
        for name, content in contents.items():
            (tmp_path / form / name).write_bytes(content)
        return tmp_path / form

    return write


@pytest.mark.parametrize("archive", [False, True])
@pytest.mark.parametrize("form", [BIN, PY])
def test_every_form_gives_the_same_images(
    lay: Callable[[str, bool], Path], tmp_path: Path, form: str, archive: bool
) -> None:
    path = lay(form, archive)
    assets = Assets((tmp_path,))
    registry = Registry.load()
    assert registry.where("cifar10", assets) == str(path)
    dataset = registry.load_dataset("cifar10", assets)
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [80, 20, 20]
    labels, pixels = batch(5)
    assert dataset.test.raw.numpy().tobytes() == pixels
    assert dataset.test.labels is not None and dataset.validation.labels is not None
    assert bytes(dataset.test.labels.byte().numpy()) == labels
    assert dataset.validation.labels.bincount().tolist() == [2] * 10
    assert dataset.info.levels == 256


def test_a_changed_pickle_is_never_read(lay: Callable[[str, bool], Path], tmp_path: Path) -> None:
    folder = lay(PY, False)
    (folder / "data_batch_3").write_bytes(as_pickle(*batch(9)))
    with pytest.raises(UsageError, match=r"data_batch_3.*its checksum differs"):
        Registry.load().load_dataset("cifar10", Assets((tmp_path,)))


@pytest.mark.parametrize("keep", [0, 100, 5_000])
def test_a_truncated_archive(lay: Callable[[str, bool], Path], tmp_path: Path, keep: int) -> None:
    path = lay(BIN, True)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UsageError, match=r"cifar-10-binary.tar.gz.*remove it") as caught:
        Registry.load().load_dataset("cifar10", Assets((tmp_path,)))
    assert "\n" not in str(caught.value)


def test_missing_data_name_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"--data-dir .*cifar-10-batches-py.*--download \(162 MiB\)"
    ):
        Registry.load().load_dataset("cifar10", Assets(cache=tmp_path))
