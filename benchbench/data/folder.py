"""Any images of a folder as a data set: `folder:PATH?size=32&labels=true`.

An image's split follows from its pixels alone: h = SHA-256 of the resized image, read as a number
in [0, 1): train below 0.8, validation below 0.9, test above. So splits do not depend on names,
order or place of the files, equal images are never in two splits, and more images leave the
others where they are.

Files are decoded once: the result lies in the cache under a key of every file's name, size and
times, where the workers of a run find it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
import torch

from benchbench.api import Assets, DatasetSpec, UsageError
from benchbench.api.data import Dataset, Split
from benchbench.api.errors import BenchError
from benchbench.api.tensors import read_tensors, write_tensors
from benchbench.data.decoding import SUFFIXES, Refused, decode
from benchbench.data.folder_spec import FolderOptions
from benchbench.data.splits import image_dataset

__all__ = ["image_files", "load_folder", "shown_path"]

LEVELS = 256
MINIMUM = 100
"""Images below which a folder is refused."""
TRAIN_BELOW, VALIDATION_BELOW = 0.8, 0.9
MANY = 2_000
"""Images from which on the user is told that decoding takes a while."""
FORMAT = 1
"""Of the cache: raise it whenever decoding changes."""


@dataclass(frozen=True)
class _Images:
    """Decoded images in the order of their hashes: raw uint8 (n, 3, S, S), labels int64 (n,)."""

    raw: torch.Tensor
    labels: torch.Tensor | None
    notes: tuple[str, ...]


def load_folder(spec: DatasetSpec, assets: Assets) -> Dataset:
    """The data set; what was refused is in its notes.

    Raises UsageError where fewer than 100 images can be used.
    """
    assert spec.source is not None
    root, options = Path(spec.source[0]), spec.source[1]
    assert isinstance(options, FolderOptions)
    files = sorted(image_files(root))
    cache = assets.cache / "folders" / f"{_key(root, files, options)}.safetensors"
    images = _read(cache)
    if images is None:
        if len(files) >= MANY:
            print(f"decoding {len(files):,} images of {root}, once", file=sys.stderr)
        images = _decode_all(root, files, options)
        _check(images, root, len(files), options)
        _write(cache, images)
    place = np.array([_place(image) for image in images.raw.numpy()])
    splits = {
        "train": _part(images, place < TRAIN_BELOW),
        "validation": _part(images, (place >= TRAIN_BELOW) & (place < VALIDATION_BELOW)),
        "test": _part(images, place >= VALIDATION_BELOW),
    }
    for name, split in splits.items():
        if not len(split):
            raise UsageError(f"{str(root)!r} has too few different images: none is in {name}")
    return image_dataset(spec, splits, levels=LEVELS, modes=None, notes=images.notes)


def image_files(root: Path) -> Iterator[Path]:
    """Files with an image's suffix below root; hidden ones and linked folders are passed over."""
    for folder, inner, names in os.walk(root, onerror=_unreadable):
        inner[:] = [name for name in inner if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield Path(folder, name)


def _unreadable(error: OSError) -> None:
    raise UsageError(f"{str(error.filename)!a} can't be read: {error.strerror}")


def _key(root: Path, files: list[Path], options: FolderOptions) -> str:
    """Of what decoding depends on: names, sizes and times of the files, options and versions."""
    state = hashlib.sha256(f"{FORMAT} {PIL.__version__} {options.model_dump_json()}".encode())
    for file in files:
        try:
            found = file.stat()
            fact = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
        except OSError as error:
            fact = str(error.errno)
        state.update(os.fsencode(file.relative_to(root)) + f"\0{fact}\0".encode())
    return state.hexdigest()[:32]


def _decode_all(root: Path, files: list[Path], options: FolderOptions) -> _Images:
    notes, found = [], []
    classes = sorted({_class(root, file) for file in files} - {""}) if options.labels else []
    if options.labels and not classes:
        raise UsageError(f"{str(root)!r} has no sub-folders with images; labels=true needs them")
    for file in files:
        try:
            label = classes.index(_class(root, file)) if options.labels and classes else 0
            found.append((decode(file, options.size), label))
        except ValueError:
            notes.append(f"refused {shown_path(root, file)}: in no sub-folder, so without a class")
        except Refused as reason:
            notes.append(f"refused {shown_path(root, file)}: {reason}")
    found.sort(key=lambda pair: (hashlib.sha256(pair[0].tobytes()).digest(), pair[1]))
    size = (0, 3, options.size, options.size)
    raw = np.stack([image for image, _ in found]) if found else np.empty(size, np.uint8)
    labels = torch.tensor([label for _, label in found], dtype=torch.int64)
    return _Images(torch.from_numpy(raw), labels if options.labels else None, tuple(notes))


def _check(images: _Images, root: Path, n_files: int, options: FolderOptions) -> None:
    n = len(images.raw)
    if n >= MINIMUM:
        return
    if not n_files:
        kinds = ", ".join(sorted(SUFFIXES))
        raise UsageError(f"{str(root)!r} holds no image files (looked for {kinds})")
    first = f"; the first: {images.notes[0]}" if images.notes else ""
    raise UsageError(
        f"{str(root)!r} holds {n} images that can be used at size={options.size}, and {MINIMUM} "
        f"are needed; {len(images.notes)} files were refused{first}"
    )


def _class(root: Path, file: Path) -> str:
    parts = file.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def shown_path(root: Path, file: Path) -> str:
    """A relative path in one printable line, whatever bytes it is made of."""
    return ascii(str(file.relative_to(root)))


def _place(image: np.ndarray) -> float:
    """The image's hash as a number in [0, 1)."""
    return int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:8], "big") / 2**64


def _part(images: _Images, rows: np.ndarray) -> Split:
    chosen = torch.from_numpy(rows)
    labels = None if images.labels is None else images.labels[chosen]
    return Split(images.raw[chosen], labels)


def _write(path: Path, images: _Images) -> None:
    tensors = {"raw": images.raw}
    if images.labels is not None:
        tensors["labels"] = images.labels
    write_tensors(path, tensors, {"notes": json.dumps(images.notes)})


def _read(path: Path) -> _Images | None:
    """The cached images, or None where there are none or the file is damaged."""
    try:
        tensors, about = read_tensors(path)
        notes = tuple(json.loads(about["notes"]))
        return _Images(tensors["raw"], tensors.get("labels"), notes)
    except (BenchError, KeyError, ValueError):
        return None
