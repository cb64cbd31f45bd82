"""The one line that says that a data set is not here, and every way to get it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchbench.api.assets import DATA_VARIABLE
from benchbench.api.download import mebibytes
from benchbench.api.errors import UsageError

__all__ = ["damaged", "local_ways", "missing"]


def missing(name: str, size: int, searched: Iterable[Path], ways: str) -> UsageError:
    """`name` is in none of the places searched; `size` in bytes is that of its download."""
    places = ", ".join(str(path) for path in searched)
    return UsageError(
        f"{name} is not here (looked in {places}); ways out: {ways}; --download ({mebibytes(size)})"
    )


def local_ways(layout: str, *others: str) -> str:
    """How else than by a download to get a data set; `layout` is what a local copy looks like."""
    return "; ".join((*others, f"--data-dir DIR or {DATA_VARIABLE}=DIR with {layout}"))


def damaged(path: Path | str, what: str, why: str) -> UsageError:
    """A file that is there but is not what its name says."""
    return UsageError(
        f"{str(path)!r} is not {what}: {why}; remove it, or put the published file in its place"
    )
