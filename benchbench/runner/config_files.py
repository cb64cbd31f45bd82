"""Files that people write: where those that come with the bench lie, and how any is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchbench.api import UsageError, nearest
from benchbench.runner.plain_yaml import parse_yaml

__all__ = ["embedded_files", "embedded_folder", "find_file", "read_yaml"]

MAX_BYTES = 1 << 20
"""Of a file; the longest one in use has a few thousand."""


def embedded_folder(kind: str) -> Path:
    """The folder `configs/KIND` of the installed package, or of the repository."""
    package = Path(__file__).parent.parent
    folders = (package / "configs" / kind, package.parent / "configs" / kind)
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def embedded_files(kind: str) -> dict[str, Path]:
    """The files `configs/KIND/NAME.yaml` that come with the bench, by name."""
    return {path.stem: path for path in sorted(embedded_folder(kind).glob("*.yaml"))}


def find_file(given: str, kind: str, what: str) -> Path:
    """A file as typed, or an embedded one by its name; raises UsageError with the nearest name.

    what: the word for such a file.
    """
    path, embedded = Path(given), embedded_files(kind)
    if not path.suffix and given in embedded:
        path = embedded[given]
    if not path.is_file():
        beside = (str(p) for p in path.parent.glob("*.y*ml") if p.is_file())
        close = nearest(given, [*embedded, *beside])
        guess = f"; did you mean {close!r}?" if close else ";"
        raise UsageError(
            f"{what} {given!r} is not a file{guess} Embedded {kind}: {', '.join(embedded)}"
        )
    return path


def read_yaml(path: Path, title: str, what: str) -> Any:
    """The value in a YAML file; raises UsageError in one line.

    title: the file as its user knows it. what: the word for such a file.
    """
    if path.stat().st_size > MAX_BYTES:
        raise UsageError(f"{title} is larger than {MAX_BYTES:,} bytes; it is no {what}")
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{title} is not readable as YAML: {error}") from None
