"""Ours and each peer agree; with `--benchmark-enable` both are timed at full size.

Without it (the default, in pyproject.toml) each runs once, on a small case. The table of ratios
and peak memory is made by `python tests/benchmarks/run_benchmarks.py`.
"""

from __future__ import annotations

import pytest
from benchmark_cases import CASES, PACKAGES
from pytest_benchmark.fixture import BenchmarkFixture
from run_benchmarks import check_agreement

RUNNERS = [(case, runner) for case in CASES.values() for runner in case.runners]
ROUNDS = 3


@pytest.mark.parametrize(
    ("name", "runner"), [(case.name, runner) for case, runner in RUNNERS], ids=lambda v: v
)
def test_agrees_and_is_timed(name: str, runner: str, benchmark: BenchmarkFixture) -> None:
    case = CASES[name]
    if runner != "ours":
        pytest.importorskip(PACKAGES[runner], reason="needs the extra bench-peers")
    inputs = case.make(case.shape if benchmark.enabled else case.small)
    benchmark.group = name
    rounds = 1 if len(case.runners) == 1 else ROUNDS
    found = benchmark.pedantic(case.runners[runner], args=(inputs,), rounds=rounds)
    if runner != "ours":
        check_agreement(case, runner, case.runners["ours"](inputs), found)
