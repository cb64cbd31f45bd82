"""Runs that are interrupted and folders that are damaged: `pytest -m faults`.

A part runs in the normal suite. BENCH_FAULTS=long asks for all of it: every write that can fail,
100 kills, 5,000 mutated inputs, every file damaged in five ways.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from forked import arguments, bench, inline, warm


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is marked `faults`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def warmed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The imports of a run, in this process."""
    warm(tmp_path_factory.mktemp("warm") / "out")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, warmed: None) -> Path:
    """The result folder of an uninterrupted run of `good`."""
    out = tmp_path_factory.mktemp("whole") / "out"
    ended = bench(arguments(out), out.parent / "log", inline)
    assert ended.code == 0, ended.err
    return out
