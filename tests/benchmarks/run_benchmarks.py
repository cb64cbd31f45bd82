"""Time and peak memory of our measures beside other libraries', as a table.

    python tests/benchmarks/run_benchmarks.py [--small] [--rounds 3] [--only TEXT] [--out FOLDER]

One process, one thread, pinned to one core where the system allows it (a peer starts threads of its
own). In each round ours and the peers run in turn; a ratio is of medians over the rounds. Wall time
suffers from whatever else runs on the machine and CPU time little, so the table has both. Peak
memory is measured in a process of its own for each: the high-water mark of resident memory over
what the inputs and libraries hold already, after one small run. Results must agree.
"""

from __future__ import annotations

import os

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")})

import argparse
import importlib.metadata
import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from benchmark_cases import CASES, PACKAGES, Case, Values
from tables import circumstances, write_tables

__all__ = ["check_agreement", "main"]

COLUMNS = (
    "case", "implementation", "wall_s", "cpu_s", "times_faster_wall", "times_faster_cpu",
    "peak_mib", "memory_share", "largest_difference", "asked",
)  # fmt: skip


def check_agreement(case: Case, peer: str, ours: Values, theirs: Values) -> float:
    """The largest difference between values that both give; AssertionError beyond tolerance."""
    worst = 0.0
    for name in ours.keys() & theirs.keys():
        scale = abs(theirs[name]) if case.relative else 1.0
        worst = max(worst, abs(ours[name] - theirs[name]) / scale)
    assert worst <= case.tolerance, f"{case.name}: {ours} here, {theirs} by {peer}"
    return worst


def time_case(case: Case, runners: list[str], shape: tuple[int, int], rounds: int) -> Any:
    """Seconds of wall and CPU time of each runner, in turn, and the largest differences."""
    inputs = case.make(shape)
    wall: dict[str, list[float]] = {name: [] for name in runners}
    cpu: dict[str, list[float]] = {name: [] for name in runners}
    found: dict[str, Values] = {}
    small = case.make(case.small)
    for name in runners:
        case.runners[name](small)  # imports, and buffers of libraries
    for _ in range(rounds):
        for name in runners:
            began, used = time.perf_counter(), time.process_time()
            found[name] = case.runners[name](inputs)
            wall[name].append(time.perf_counter() - began)
            cpu[name].append(time.process_time() - used)
    worst = {name: check_agreement(case, name, found["ours"], found[name]) for name in runners[1:]}
    medians = [{name: statistics.median(t[name]) for name in runners} for t in (wall, cpu)]
    return *medians, worst


def peak_mib(case: Case, runner: str, small: bool) -> float | None:
    """MiB beyond the inputs, measured in a fresh process; None where the system can't tell."""
    command = [sys.executable, __file__, "--memory", case.name, runner]
    done = subprocess.run(command + ["--small"] * small, capture_output=True, text=True, check=True)
    text = done.stdout.split()[-1]
    return None if text == "none" else float(text)


def measure_memory(case: Case, runner: str, shape: tuple[int, int]) -> None:
    """Print the peak of resident memory during one run, less what was resident before."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    case.runners[runner](case.make(case.small))
    inputs = case.make(shape)

    def mib(field: str) -> float:
        line = next(x for x in status.read_text().splitlines() if x.startswith(field))
        return int(line.split()[1]) / 1024

    try:
        reset.write_text("5")  # the high-water mark starts again from here
        before = mib("VmRSS")
    except OSError:
        print("none")
        return
    case.runners[runner](inputs)
    print(mib("VmHWM") - before)


def rows_of(case: Case, rounds: int, small: bool) -> list[dict[str, Any]]:
    """The table's rows of one case: ours, then the peers that are installed."""
    installed = [n for n in case.runners if n == "ours" or importlib.util.find_spec(PACKAGES[n])]
    shape = case.small if small else case.shape
    rounds = rounds if len(installed) > 1 else 1
    wall, cpu, worst = time_case(case, installed, shape, rounds)
    peak = {name: peak_mib(case, name, small) for name in installed}
    rows = []
    for name in installed:
        row: dict[str, Any] = {
            "case": case.name if not small else f"{case.name} (at {shape[0]}x{shape[1]})",
            "implementation": name,
            "wall_s": round(wall[name], 3),
            "cpu_s": round(cpu[name], 3),
            "peak_mib": None if peak[name] is None else round(peak[name]),
            "asked": case.asked.get(name, ""),
        }
        if name != "ours":
            row["times_faster_wall"] = round(wall[name] / wall["ours"], 2)
            row["times_faster_cpu"] = round(cpu[name] / cpu["ours"], 2)
            if peak[name]:
                row["memory_share"] = round(peak["ours"] / peak[name], 3)
            row["largest_difference"] = f"{worst[name]:.1e}"
        rows.append(row)
    return rows


def write_table(rows: list[dict[str, Any]], folder: Path, rounds: int) -> None:
    """benchmarks.csv and benchmarks.md, with the machine and the versions."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _distributions()]
    write_tables(
        rows,
        COLUMNS,
        folder / "benchmarks",
        title="Our measures beside other libraries'",
        notes=[
            f"Made by `python tests/benchmarks/run_benchmarks.py`; {circumstances()}, one thread, "
            f"medians of {rounds} rounds. `times_faster`: the peer's time over ours; `peak_mib`: "
            "beyond the inputs; `memory_share`: our peak over the peer's.",
            f"{', '.join(versions)}.",
        ],
    )


def _distributions() -> list[str]:
    here = [name for name, module in PACKAGES.items() if importlib.util.find_spec(module)]
    return ["torch", "numpy", "scipy", "scikit-learn", *here]


def _pin() -> None:
    """To the first core that this process may use: threads that a peer starts share it."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="small cases, to try the command")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each case (3)")
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"), help="folder")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    _pin()
    if options.memory:
        case = CASES[options.memory[0]]
        shape = case.small if options.small else case.shape
        measure_memory(case, options.memory[1], shape)
        return
    rows: list[dict[str, Any]] = []
    for case in (c for c in CASES.values() if options.only in c.name):
        new = rows_of(case, options.rounds, options.small)
        for row in new:
            print({name: value for name, value in row.items() if value not in ("", None)})
        rows += new
        write_table(rows, options.out, options.rounds)
    print(f"wrote {options.out}/benchmarks.md and benchmarks.csv")


if __name__ == "__main__":
    main()
