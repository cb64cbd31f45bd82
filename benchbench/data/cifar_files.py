"""The files of CIFAR-10: where they lie, and their bytes, checked. Loads no torch.

Two published forms, each as a folder or as the archive that it comes in:
    cifar-10-batches-bin   records of one label byte and 3,072 pixel bytes
    cifar-10-batches-py    pickles (torchvision's form). They are never unpickled: once its checksum
                           is found right, the opcodes of a file are read for its one string of
                           pixels and its list of labels, and nothing is executed.
"""

from __future__ import annotations

import hashlib
import pickletools
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchbench.api import Assets, DatasetSpec, UsageError
from benchbench.data.missing import damaged, local_ways, missing

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MD5", "labels_and_pixels", "locate", "read_batches", "where_cifar10"]

RECORDS, PIXELS = 10_000, 3 * 32 * 32
ARCHIVE = "cifar-10-binary.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
SHA256, SIZE = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", 170_052_171
MD5 = {
    "cifar-10-batches-bin": {
        "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
        "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
        "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
        "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
        "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
        "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
    },
    "cifar-10-batches-py": {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
}
"""Of each batch, five to train on and one to test on, by the folder that holds it."""
ARCHIVES = {"cifar-10-batches-bin": ARCHIVE, "cifar-10-batches-py": "cifar-10-python.tar.gz"}


def where_cifar10(spec: DatasetSpec, assets: Assets) -> Path | None:
    """The folder or archive that would be read, or None."""
    return next(locate(assets), (None, ""))[0]


def locate(assets: Assets) -> Iterator[tuple[Path, str]]:
    """Folders and archives that are here, each with the name of its form."""
    for folder in assets.folders:
        for place in (folder, folder / "cifar10", folder / "CIFAR10"):
            for form, batches in MD5.items():
                if all((place / form / name).is_file() for name in batches):
                    yield place / form, form
            for form, archive in ARCHIVES.items():
                if (place / archive).is_file():
                    yield place / archive, form
    if (assets.cache / "cifar10" / ARCHIVE).is_file():
        yield assets.cache / "cifar10" / ARCHIVE, "cifar-10-batches-bin"


def read_batches(assets: Assets) -> list[tuple[np.ndarray, np.ndarray]]:
    """Six pairs of labels (10,000,) and pixels (10,000, 3, 32, 32), uint8; the last is the test.

    Raises UsageError where there are no files, or a file is not the published one.
    """
    ways = local_ways(f"cifar-10-batches-py, cifar-10-batches-bin or {ARCHIVE}")
    cache = assets.cache / "cifar10"
    found = next(locate(assets), None)
    if found is None and not assets.download:
        raise missing("cifar10", SIZE, (*assets.folders, cache), ways)
    if found is None or found[0].parent == cache:
        name = f"cifar10/{ARCHIVE}"
        path = assets.fetch(URL, sha256=SHA256, name=name, size=SIZE, ways=ways)
        found = path, "cifar-10-batches-bin"
    path, form = found
    contents = _folder(path, form) if path.is_dir() else _archive(path, form)
    return [labels_and_pixels(contents[name], form) for name in MD5[form]]


def labels_and_pixels(content: bytes, form: str) -> tuple[np.ndarray, np.ndarray]:
    """Of one checked batch file: labels (n,) and pixels (n, 3, 32, 32), uint8."""
    import numpy as np

    if form == "cifar-10-batches-bin":
        records = np.frombuffer(content, np.uint8).reshape(-1, 1 + PIXELS)
        labels, pixels = records[:, 0], records[:, 1:]
    else:
        found, data = _from_opcodes(content)
        labels = np.array(found, np.uint8)
        pixels = np.frombuffer(data, np.uint8).reshape(-1, PIXELS)
    assert len(labels) == len(pixels)
    return labels, pixels.reshape(-1, 3, 32, 32)


def _from_opcodes(content: bytes) -> tuple[list[int], bytes]:
    """The list after the key `labels` and the longest string, without executing the pickle."""
    labels: list[int] = []
    data, key = b"", ""
    for opcode, argument, _ in pickletools.genops(content):
        if isinstance(argument, str | bytes) and opcode.name != "GLOBAL":
            text = argument.encode("latin-1") if isinstance(argument, str) else argument
            data = max(data, text, key=len)
            key = text.decode("latin-1") if len(text) < 80 else ""
        elif key == "labels" and isinstance(argument, int) and opcode.name.startswith("BININT"):
            labels.append(argument)
    return labels, data


def _folder(folder: Path, form: str) -> dict[str, bytes]:
    contents = {}
    for name, md5 in MD5[form].items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise UsageError(
                f"{str(folder / name)!r} can't be read: {error.strerror or error}"
            ) from None
        contents[name] = _checked(content, md5, folder / name)
    return contents


def _archive(path: Path, form: str) -> dict[str, bytes]:
    """The batches out of an archive, by name; nothing is unpacked to disk."""
    wanted = {f"{form}/{name}": (name, md5) for name, md5 in MD5[form].items()}
    contents = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                if member.name in wanted and (file := archive.extractfile(member)) is not None:
                    name, md5 = wanted[member.name]
                    limit = RECORDS * (PIXELS + 100)  # labels and file names beside the pixels
                    contents[name] = _checked(file.read(limit), md5, path / member.name)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise damaged(path, "CIFAR-10's archive", str(error) or type(error).__name__) from None
    if len(contents) < len(wanted):
        raise damaged(path, "CIFAR-10's archive", "batches are lacking")
    return contents


def _checked(content: bytes, md5: str, path: Path) -> bytes:
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise damaged(path, "CIFAR-10's batch of that name", "its checksum differs")
    return content
