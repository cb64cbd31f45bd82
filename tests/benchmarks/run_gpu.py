"""Our measures on a GPU beside other libraries' on it, and beside the processor.

    python tests/benchmarks/run_gpu.py [--rounds 3] [--out FOLDER]

Ours on the GPU, ours on all cores of the processor, and those peers that take tensors on a GPU, in
turn in one process; seconds until the result is a number, medians over the rounds. Peak memory is
that of the CUDA allocator over what the inputs hold, of one more call. What the GPU and the
processor make of the same features must agree. (What the harness costs on a GPU:
`test_harness_speed.py --device cuda`.)
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from benchmark_cases import CASES, PACKAGES, Values
from run_benchmarks import check_agreement
from tables import circumstances, write_tables

from benchbench.metrics.peak_memory import peak_bytes

CUDA = torch.device("cuda")
COLUMNS = (
    "case", "implementation", "seconds", "times_faster", "peak_mib", "largest_difference",
)  # fmt: skip
MEASURES = {
    "prdc 10000x2048": ("torch-fidelity",),
    "prdc 10000x64": ("torch-fidelity",),
    "frechet 2048": ("torchmetrics",),
    "kid 5000x2048": (),
    "vendi 5000x2048": (),
    "prdc 50000x2048": (),
}
"""Cases, and their peers that work on tensors of a GPU."""
ON_PROCESSOR = 20_000
"""Rows up to which ours is timed on the processor as well, and more than once."""


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """Until all that was asked of the GPU is done, and what came out."""
    torch.cuda.synchronize()
    began = time.perf_counter()
    found = call()
    torch.cuda.synchronize()
    return time.perf_counter() - began, found


def measure_rows(name: str, rounds: int) -> list[dict[str, Any]]:
    """The table's rows of one case."""
    case = CASES[name]
    here = case.make(case.shape)
    there = tuple(part.to(CUDA) for part in here)
    peers = [p for p in MEASURES[name] if importlib.util.find_spec(PACKAGES[p])]
    calls: dict[str, Callable[[], Values]] = {"ours, GPU": lambda: case.runners["ours"](there)}
    for peer in peers:
        calls[f"{peer}, GPU"] = lambda peer=peer: case.runners[peer](there)
    if case.shape[0] <= ON_PROCESSOR:
        calls[f"ours, {torch.get_num_threads()} threads"] = lambda: case.runners["ours"](here)
    small = tuple(part.to(CUDA) for part in case.make(case.small))
    for runner in ("ours", *peers):
        case.runners[runner](small)  # libraries load, handles are made
    times: dict[str, list[float]] = {how: [] for how in calls}
    found: dict[str, Values] = {}
    for _ in range(rounds if case.shape[0] <= ON_PROCESSOR else 1):
        for how, call in calls.items():
            took, found[how] = seconds(call)
            times[how].append(took)
    ours = statistics.median(times["ours, GPU"])
    rows = []
    for how, call in calls.items():
        median = statistics.median(times[how])
        row: dict[str, Any] = {"case": name, "implementation": how, "seconds": f"{median:.4g}"}
        if how != "ours, GPU":
            row["times_faster"] = round(median / ours, 2)
            worst = check_agreement(case, how, found["ours, GPU"], found[how])
            row["largest_difference"] = f"{worst:.1e}"
        if how.endswith("GPU"):
            row["peak_mib"] = round(peak_bytes(call, CUDA)[0] / 2**20)
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"), help="folder")
    given = parser.parse_args()
    card = f"{torch.cuda.get_device_name(CUDA)}, torch {torch.__version__}"
    rows: list[dict[str, Any]] = []
    for name in MEASURES:
        new = measure_rows(name, given.rounds)
        print(*new, sep="\n", flush=True)
        rows += new
        write_tables(
            rows,
            COLUMNS,
            given.out / "gpu-measures",
            title="Measures on a GPU",
            notes=[
                f"Made by `python tests/benchmarks/run_gpu.py`; {card}; {circumstances()}; medians "
                f"of {given.rounds} rounds, one of more than {ON_PROCESSOR:,} rows. "
                "`times_faster`: that row's seconds over ours on the GPU; `peak_mib`: of GPU "
                "memory, beyond the inputs."
            ],
        )


if __name__ == "__main__":
    main()
