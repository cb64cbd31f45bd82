"""What `folder:PATH?size=32&labels=true` means: options and spec of one folder. Loads no torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import Field

from benchbench.api import Config, DatasetSpec, UsageError
from benchbench.api.errors import nearest
from benchbench.api.names import instance_name

__all__ = ["FolderOptions", "folder_instance"]


class FolderOptions(Config):
    """size: of the square images in pixels. labels: whether sub-folders are classes."""

    size: int = Field(32, ge=8, le=256, description="height and width in pixels")
    labels: bool = Field(False, description="whether the first sub-folders are classes")


def folder_instance(spec: DatasetSpec, argument: str, options: FolderOptions) -> DatasetSpec:
    """The data set of one folder; raises UsageError where there is no such folder."""
    path = Path(argument).expanduser()
    if path.is_file():
        raise UsageError(f"{spec.name}:{argument} is a file; give the folder that holds the images")
    if not path.is_dir():
        raise UsageError(f"{spec.name}:{argument} is not a folder{_guess(path)}")
    absolute = str(path.resolve())
    if not absolute.isprintable():
        raise UsageError(
            f"{spec.name}:{argument!a} has characters in its path that can't be printed or are "
            "not UTF-8; rename the folder or give a link to it"
        )
    return replace(
        spec,
        name=instance_name(spec.name, absolute, options),
        shape=(3, options.size, options.size),
        source=(absolute, options),
    )


def _guess(path: Path) -> str:
    try:
        beside = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
    except (OSError, ValueError):  # a NUL byte
        return f"; {str(path.parent)!r} is no folder either"
    close = nearest(path.name, beside)
    return f"; did you mean {str(path.parent / close)!r}?" if close else ""
