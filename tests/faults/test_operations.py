"""The n-th operation on a file fails, or is the last before power goes: nothing is lost.

Operations are those of `benchbench.api.files`: create, fill, flush and rename.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked import LONG, arguments, assert_clear, assert_same_scores, bench, inline

from benchbench.api import files

OPERATIONS = ("_create", "_fill", "_flush", "_rename")
MANY = 200
"""More operations than a run of two cells has; numbers beyond the last one are skipped."""


def meddled(act: Callable[[int], None]) -> Callable[[], None]:
    """What a forked process calls first: `act(n)` is called before its n-th operation."""

    def prepare() -> None:
        inline()
        count = 0

        def wrap(operation: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*given: Any) -> Any:
                nonlocal count
                count += 1
                act(count)
                return operation(*given)

            return counted

        for name in OPERATIONS:
            setattr(files, name, wrap(getattr(files, name)))

    return prepare


def once(n: int, number: int) -> Callable[[int], None]:
    """The n-th operation fails."""

    def act(count: int) -> None:
        if count == n:
            raise OSError(number, os.strerror(number))

    return act


def ever_after(n: int, number: int) -> Callable[[int], None]:
    """The n-th operation fails and all that follow: the disk is full."""

    def act(count: int) -> None:
        if count >= n:
            raise OSError(number, os.strerror(number))

    return act


def killed(n: int, _: int) -> Callable[[int], None]:
    """The process is killed before its n-th operation."""

    def act(count: int) -> None:
        if count == n:
            os.kill(os.getpid(), signal.SIGKILL)

    return act


@pytest.fixture(scope="session")
def operations(tmp_path_factory: pytest.TempPathFactory, whole: Path) -> int:
    """How many operations an undisturbed run has."""
    folder = tmp_path_factory.mktemp("count")
    counter = folder / "count"
    ended = bench(arguments(folder / "out"), folder / "log", meddled(lambda n: _note(counter, n)))
    assert ended.code == 0
    return int(counter.read_text())


def _note(file: Path, n: int) -> None:
    file.write_text(str(n))


@pytest.mark.parametrize("fault", [once, ever_after, killed])
@pytest.mark.parametrize("n", range(1, MANY, 1 if LONG else 47))
def test_the_next_run_completes(
    tmp_path: Path, whole: Path, operations: int, fault: Any, n: int
) -> None:
    if n > operations:
        pytest.skip(f"a run has {operations} operations")
    out, log = tmp_path / "out", tmp_path / "log"
    number = errno.EIO if n % 2 else errno.ENOSPC
    ended = bench(arguments(out), log, meddled(fault(n, number)))
    if fault is killed:
        assert ended.code == -signal.SIGKILL
    else:
        assert_clear(ended)
        assert ended.code == 0 or os.strerror(number) in ended.err
    if (out / "scores.csv").is_file():
        assert_clear(bench(["table", str(out)], log))
    ended = bench(arguments(out), log, inline)
    assert ended.code == 0, ended.err
    assert "damaged" not in ended.err
    assert_same_scores(out, whole)
    assert not list(out.rglob(".*.tmp"))
