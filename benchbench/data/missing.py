"""The one line that says that a data set is not here, and every way to get it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchbench.api.assets import DATA_VARIABLE
from benchbench.api.errors import UsageError

__all__ = ["damaged", "missing"]


def missing(name: str, layout: str, size: str, searched: Iterable[Path], *ways: str) -> UsageError:
    """`name` is in none of the places searched.

    layout: what a local copy looks like. size: of the download, for a person. ways: other ways.
    """
    places = ", ".join(str(path) for path in searched)
    options = [
        *ways,
        f"--data-dir DIR or {DATA_VARIABLE}=DIR with {layout}",
        f"--download ({size})",
    ]
    return UsageError(f"{name} is not here (looked in {places}); ways out: {'; '.join(options)}")


def damaged(path: Path | str, what: str, why: str) -> UsageError:
    """A file that is there but is not what its name says."""
    return UsageError(
        f"{str(path)!r} is not {what}: {why}; remove it, or put the published file in its place"
    )
