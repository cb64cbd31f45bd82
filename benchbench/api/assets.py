"""Files that do not come with the bench: where to look for them, and whether to download.

Data sets and extractors are loaded with an `Assets`. The network is touched only where the user
asked for it with `--download`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbench.api.errors import BenchError, UsageError

__all__ = ["DATA_VARIABLE", "Assets", "default_cache"]

DATA_VARIABLE = "BENCH_DATA"
"""Environment variable with folders of local data sets, separated as in PATH."""


def default_cache() -> Path:
    """Where downloads and decoded files are kept: $XDG_CACHE_HOME or ~/.cache, /benchbench."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "benchbench"


@dataclass(frozen=True)
class Assets:
    """What the user said about files outside the bench.

    folders: searched in this order for local copies of data sets.
    download: whether missing files may be fetched.
    cache: where fetched files are kept.
    weights: weight files that the user named, by extractor.
    """

    folders: tuple[Path, ...] = ()
    download: bool = False
    cache: Path = field(default_factory=default_cache)
    weights: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def of_user(
        cls,
        data_dir: Path | None = None,
        *,
        download: bool = False,
        weights: Mapping[str, Path] | None = None,
    ) -> Assets:
        """`data_dir` first, then the folders of $BENCH_DATA."""
        named = os.environ.get(DATA_VARIABLE, "").split(os.pathsep)
        folders = [*([data_dir] if data_dir else []), *(Path(name) for name in named if name)]
        absolute = {name: path.resolve() for name, path in (weights or {}).items()}
        return cls(tuple(folder.resolve() for folder in folders), download, weights=absolute)

    def find(self, *relative: str) -> Path | None:
        """The first of these relative paths that exists in one of the folders, in their order."""
        candidates = (folder / name for folder in self.folders for name in relative)
        return next((path for path in candidates if path.exists()), None)

    def fetch(self, url: str, *, sha256: str, name: str, size: int, ways: str = "") -> Path:
        """The file behind `url`, from the cache or, where the user asked for it, the network.

        sha256, size: of the whole file (hexadecimal; bytes). A file in the cache is checked
            before it is used, and replaced if it is damaged.
        name: the file's place in the cache, relative, such as `mnist/train-images.gz`.
        ways: other ways to get it, for the error message.
        Raises UsageError where the file is not here and may not be downloaded, BenchError where
        the download fails.
        """
        from benchbench.api.download import download, mebibytes
        from benchbench.api.files import file_digest

        target = self.cache / name
        whole = target.is_file() and target.stat().st_size == size
        if whole and file_digest(target) == sha256:
            return target
        other = f", or {ways}" if ways else ""
        if not self.download:
            state = f"is damaged ({str(target)!r})" if target.exists() else "is not here"
            raise UsageError(
                f"{name} {state}; give --download to fetch it ({mebibytes(size)} from {url}){other}"
            )
        try:
            download(url, target, sha256=sha256, size=size)
        except BenchError as error:
            raise BenchError(f"{error}{other}") from None
        return target

    def to_json(self) -> dict[str, Any]:
        """As written to a plan."""
        return {
            "folders": [str(folder) for folder in self.folders],
            "download": self.download,
            # The usual place is found anew, so that a plan names no user's home.
            "cache": "" if self.cache == default_cache() else str(self.cache),
            "weights": {name: str(path) for name, path in self.weights.items()},
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Assets:
        """Read back what `to_json` wrote."""
        return cls(
            folders=tuple(Path(folder) for folder in saved["folders"]),
            download=saved["download"],
            cache=Path(saved["cache"]) if saved["cache"] else default_cache(),
            weights={name: Path(path) for name, path in saved["weights"].items()},
        )
