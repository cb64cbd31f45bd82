"""The command line's word on files outside the bench, checked."""

from __future__ import annotations

from pathlib import Path

from benchbench.api import Assets, UsageError

__all__ = ["user_assets"]


def user_assets(
    data_dir: str | None, *, download: bool = False, inception_weights: str | None = None
) -> Assets:
    """`--data-dir`, $BENCH_DATA, `--download` and `--inception-weights` as `Assets`."""
    if data_dir is not None and not Path(data_dir).is_dir():
        raise UsageError(f"--data-dir {data_dir!r} is not a folder; give one that exists")
    if inception_weights is not None and not Path(inception_weights).is_file():
        raise UsageError(
            f"--inception-weights {inception_weights!r} is not a file; give one that exists"
        )
    return Assets.of_user(
        Path(data_dir) if data_dir else None,
        download=download,
        weights={"inception": Path(inception_weights)} if inception_weights else {},
    )
