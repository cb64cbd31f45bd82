"""A cell's files in transit between machines that share no folder.

A parcel is sent again whenever a file has changed that a cell could go on from: a checkpoint, a
model, scores. Wherever it is cut off, what has been unpacked is a state that a killed worker could
have left: cell.json is read first and written last, so that it never says more than there is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchbench.store.files import write_bytes_atomic
from benchbench.store.folder import CellFolder

__all__ = ["Parcel", "Sender", "pack", "unpack"]

_STATUS = "cell.json"
_GROWING = "train.jsonl"
"""Grows all the time; it travels when something else has changed."""
_LAST = ("scores.json", _GROWING)
"""Read after the rest, so that what a checkpoint has behind it is in them."""


@dataclass(frozen=True)
class Parcel:
    """files: content by name, of what has changed. names: every file that the cell has now."""

    files: dict[str, bytes] = field(default_factory=dict)
    names: frozenset[str] = frozenset()


class Sender:
    """Packs what has changed in a cell since the last parcel."""

    def __init__(self, cell: CellFolder, sent: bool = False) -> None:
        """sent: whether the other side has every file as it is now."""
        self._cell = cell
        self._known = _stamps(cell) if sent else {}

    def changed(self) -> Parcel | None:
        """The next parcel, or None where there is nothing new to go on from."""
        stamps = _stamps(self._cell)
        changed = {name for name, stamp in stamps.items() if self._known.get(name) != stamp}
        if not changed - {_GROWING} and not self._known.keys() - stamps.keys():
            return None
        return self._pack(changed)

    def last(self) -> Parcel:
        """All that has changed, when the cell has ended."""
        stamps = _stamps(self._cell)
        return self._pack({n for n, stamp in stamps.items() if self._known.get(n) != stamp})

    def _pack(self, names: set[str]) -> Parcel:
        stamps = _stamps(self._cell)
        files = {}
        for name in _reading_order(names):
            with contextlib.suppress(FileNotFoundError):  # a checkpoint that has served
                files[name] = (self._cell.path / name).read_bytes()
        # Stamps from before the reading: what changed meanwhile is sent once more.
        self._known = {**self._known, **{n: s for n, s in stamps.items() if n in files}}
        self._known = {name: s for name, s in self._known.items() if name in stamps}
        return Parcel(files, frozenset(stamps))


def pack(cell: CellFolder) -> Parcel:
    """Every file of a cell."""
    return Sender(cell).last()


def unpack(parcel: Parcel, cell: CellFolder, sent: frozenset[str] = frozenset()) -> None:
    """Write a parcel's files into a cell.

    sent: names that the other side has had; those that it has no more are removed.
    """
    for name in sorted(parcel.files, key=lambda name: name == _STATUS):
        write_bytes_atomic(cell.path / name, parcel.files[name])
    for name in sent - parcel.names:
        (cell.path / name).unlink(missing_ok=True)


def _files(cell: CellFolder) -> Iterator[Path]:
    """Files that count: neither the lock nor what a writer has not finished."""
    for file in cell.path.iterdir() if cell.path.is_dir() else ():
        if not file.name.startswith(".") and file.is_file():
            yield file


def _stamps(cell: CellFolder) -> dict[str, tuple[int, int, int]]:
    stamps = {}
    for file in _files(cell):
        with contextlib.suppress(FileNotFoundError):
            found = file.stat()
            stamps[file.name] = (found.st_ino, found.st_size, found.st_mtime_ns)
    return stamps


def _reading_order(names: set[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != _STATUS, name in _LAST, name))
