"""Files that are whole or not there: atomic writing, leftovers of killed writers, checksums.

Every file that has to survive goes through `write_atomic`, in four operations: create, fill, flush
(the file, then its folder), rename. `tests/faults` makes the n-th of them fail.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["file_digest", "remove_leftovers", "write_atomic"]


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to disk, then rename it.

    `write` fills that file in place: the lock that it carries tells others that its writer lives.
    On any error the temporary file is removed and `path` keeps its old content. What a killed
    writer of the same file has left is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path.name)
    lock, temporary = _create(path)
    try:
        _fill(write, temporary)
        _flush(temporary)
        temporary.chmod(0o644)
        _rename(temporary, path)
        _flush(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    finally:
        os.close(lock)


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove the temporary files in a folder whose writers are gone; others are left alone.

    name: only those of the file of this name.
    """
    pattern = ".*.tmp" if name is None else f".{glob.escape(name)}.*.tmp"
    for leftover in folder.glob(pattern):
        with contextlib.suppress(OSError):
            _remove_unlocked(leftover)


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """The checksum of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _create(path: Path) -> tuple[int, Path]:
    """A locked descriptor and the name of a new temporary file beside `path`."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_nlink:  # nobody took it for a leftover before it was locked
            return handle, Path(name)
        os.close(handle)


def _fill(write: Callable[[Path], object], temporary: Path) -> None:
    write(temporary)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _rename(temporary: Path, path: Path) -> None:
    os.replace(temporary, path)


def _remove_unlocked(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    finally:
        os.close(handle)
