"""What placing a cell costs, and how time and memory of the driver grow with the number of cells.

    python tests/benchmarks/run_scale.py [--cells 125,500,2000] [--out results/benchmarks]

Cells do nothing (`tests/executors/fake_worker.py`), so that what is left is the executor's: the
driver's CPU seconds, those of everything it started, and the driver's peak of memory while it runs
and above what it held before. Each figure is of a process of its own. The plan's cells carry every
metric, as those of a real plan do. Then:
  one worker and two on the same cells of equal length (they wait, so that two take half as long
  wherever the executor is no bottleneck), and
  the rest of a run: the plan written, read and merged, and all cells looked through (`begin`);
  scores.csv and the tables (`end`).
Writes scale.md and scale.csv. About 12 minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "executors"))

from placed import FAKE, fake_folder, fake_plan  # noqa: E402

from benchbench.runner.device import processor_name  # noqa: E402
from benchbench.runner.local import WORKER, LocalExecutor  # noqa: E402
from benchbench.runner.plan import Plan  # noqa: E402
from benchbench.store.folder import ResultFolder  # noqa: E402
from benchbench.store.scores import REFERENCE_MODEL  # noqa: E402

KINDS = ("local", "ray", "slurm-local")
JOBS = 2
EQUAL_CELLS, EQUAL_SECONDS = 16, 2.0
"""Of the comparison of one worker with two: cells, and how long each waits."""
MOST_RATIO = 0.6


def main() -> int:
    """Measure everything, each in a process of its own, and write what there is after each.

    0 where all could be measured and two workers are fast enough.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", default="125,500,2000")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(*json.loads(given.one))))
        return 0
    counts, kinds = [int(part) for part in given.cells.split(",")], given.kinds.split(",")
    wanted = [("no-op command", "alone", "", 50), ("worker", "worker", "", 2)]
    wanted += [("cells", "cells", kind, count) for kind in kinds for count in counts]
    wanted += [("run", "run", "", count) for count in counts]
    wanted += [(f"{jobs} at once", "equal", kind, jobs) for kind in kinds for jobs in (1, 2)]
    rows, ratios, failed = [], {}, False
    for label, what, kind, count in wanted:
        try:
            found = ask(what, kind, count)
        except subprocess.CalledProcessError as error:
            print(f"{label} {kind} {count} can't be measured: exit code {error.returncode}")
            failed = True
            continue
        cells = EQUAL_CELLS if what == "equal" else count
        rows.append({"what": label, "executor": kind, "cells": cells, **found})
        print(rows[-1], flush=True)
        ratios = write(rows, kinds, given.out)
    print(ratios)
    return int(failed or any(ratio > MOST_RATIO for ratio in ratios.values()))


def ask(what: str, kind: str, count: int) -> dict[str, float]:
    """Measure in a new process."""
    command = [sys.executable, __file__, "--one", json.dumps([what, kind, count])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(what: str, kind: str, count: int) -> dict[str, float]:
    """One figure's process."""
    with tempfile.TemporaryDirectory(prefix="scale-") as temporary:
        out = Path(temporary, "out")
        if what == "alone":
            return alone(out, with_metrics(fake_plan(count)), FAKE)
        if what == "worker":
            return alone(out, real_plan(count), WORKER)
        if what == "run":
            return whole_run(out, count)
        if what == "equal":
            pause = {"steps": 1, "pause": EQUAL_SECONDS}
            return placed(out, kind, with_metrics(fake_plan(EQUAL_CELLS, **pause)), count)
        return placed(out, kind, with_metrics(fake_plan(count)), JOBS)


def with_metrics(plan: Plan) -> Plan:
    """The cells with every metric that serves points, as in a real plan; loads no torch."""
    from benchbench.registry import Registry
    from benchbench.runner.plan import MetricRun

    metrics = tuple(
        MetricRun(name, entry.spec.config().model_dump(mode="json"), "0" * 16)
        for name, entry in Registry.load().metrics.items()
    )
    return replace(plan, cells=tuple(replace(cell, metrics=metrics) for cell in plan.cells))


def real_plan(count: int) -> Plan:
    """Cells of held-out data without a metric: the worker starts, loads the data, and ends."""
    plan = fake_plan(count)
    cells = tuple(replace(cell, model=REFERENCE_MODEL) for cell in with_variants(plan).cells)
    return replace(plan, cells=cells)


def alone(out: Path, plan: Plan, command: Sequence[str]) -> dict[str, float]:
    """A cell's command, begun by a loop."""
    out.mkdir()
    began = time.perf_counter()
    for cell in plan.cells:
        with tempfile.TemporaryFile() as handed:
            handed.write(json.dumps(plan.only(cell).to_json()).encode())
            handed.seek(0)
            lifeline, held = os.pipe()
            subprocess.run(
                [*command, str(out), cell.key, str(lifeline), str(handed.fileno())],
                pass_fds=[lifeline, handed.fileno()],
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                check=True,
            )
            os.close(lifeline)
            os.close(held)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": time.perf_counter() - began,
        "others_cpu_s": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }


def placed(out: Path, kind: str, plan: Plan, jobs: int) -> dict[str, float]:
    """The cells through an executor with so many at once."""
    folder = fake_folder(out, plan)
    ended: list[str] = []
    executor = make(kind, plan, folder, jobs, lambda *_: None, lambda o: ended.append(o.status))
    with ready(kind, jobs):
        before, driver = others_cpu(), time.process_time()
        held, began = reset_peak(), time.perf_counter()
        outcomes = executor.run(plan.cells)
        found = {
            "wall_s": time.perf_counter() - began,
            "driver_cpu_s": time.process_time() - driver,
            "others_cpu_s": others_cpu() - before,
            "held_mib": held,
            "peak_mib": peak() - held,
        }
    assert [outcome.status for outcome in outcomes] == ["done"] * len(plan.cells), outcomes[:3]
    assert len(ended) == len(plan.cells)
    return found


def make(kind: str, plan: Plan, folder: ResultFolder, jobs: int, on_event: Any, on_end: Any) -> Any:
    """The executor of this name."""
    said: dict[str, Any] = {"on_event": on_event, "on_end": on_end, "timeout": None}
    if kind == "local":
        return LocalExecutor(plan, folder, jobs=jobs, command=FAKE, **said)
    if kind == "ray":
        from benchbench.runner.ray_executor import RayExecutor, RayPlacement

        return RayExecutor(RayPlacement(), plan, folder, jobs=None, command=FAKE, **said)
    from benchbench.runner.slurm_executor import SlurmExecutor, SlurmPlacement

    placement = SlurmPlacement(cluster="local")
    return SlurmExecutor(placement, plan, folder, jobs=jobs, command=FAKE, **said)


class ready:  # noqa: N801 - used as a function
    """A Ray cluster of `jobs` CPUs that is up before the clock starts; nothing for the others."""

    def __init__(self, kind: str, jobs: int) -> None:
        self.kind, self.jobs = kind, jobs

    def __enter__(self) -> None:
        if self.kind == "ray":
            import ray

            os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
            ray.init("local", num_cpus=self.jobs, include_dashboard=False, log_to_driver=False)
            ray.get(ray.remote(_warm).remote())

    def __exit__(self, *_: object) -> None:
        if self.kind == "ray":
            import ray

            ray.shutdown()


def _warm() -> str:
    import benchbench.runner.ray_node

    return benchbench.runner.ray_node.code_digest()


def whole_run(out: Path, count: int) -> dict[str, float]:
    """What `bench run` does beside its cells, over a folder in which all have ended."""
    from benchbench.api import Score
    from benchbench.cli.output import Output
    from benchbench.registry import Registry
    from benchbench.runner.run import Run
    from benchbench.runner.scoring import rows_of, units

    registry = Registry.load()
    specs = registry.score_specs()
    plan = with_variants(with_metrics(fake_plan(count)))
    folder = fake_folder(out, plan)
    for cell in plan.cells:
        files = folder.cell(cell.folder)
        files.write_status({"status": "done", "reason": ""})
        rows = {}
        for variant, metric, spec in units(cell, registry):
            scores = [Score(score.name, float(cell.seed or 0)) for score in spec.scores]
            rows[cell.score_key(variant, metric)] = rows_of(cell, variant, scores, specs)
        write_scores(files, rows)
    job = Run(plan, registry, out)
    held = reset_peak()
    timed: dict[str, float] = {}
    clock(timed, "begin_cpu_s", lambda: job.execute(lambda *_: None, lambda *_: None))
    timed["begin_peak_mib"] = peak() - held
    held = reset_peak()
    clock(timed, "end_cpu_s", Output(job, registry)._tables)
    return {**timed, "end_peak_mib": peak() - held}


def with_variants(plan: Plan) -> Plan:
    """Cells that can be scored: one way of sampling each, and ten models."""
    from benchbench.runner.selection import Variant

    cells = (
        replace(cell, variants=(Variant("", {}),), model=f"fake{(cell.seed or 0) % 50}")
        for cell in plan.cells
    )
    return replace(plan, cells=tuple(cells))


def write_scores(files: Any, rows: dict[str, Any]) -> None:
    """All scores of a cell at once."""
    from benchbench.store.files import write_json

    write_json(files.path / "scores.json", rows)


def clock(timed: dict[str, float], name: str, work: Callable[[], object]) -> None:
    """CPU seconds of this process."""
    began = time.process_time()
    work()
    timed[name] = time.process_time() - began


def others_cpu() -> float:
    """CPU seconds of the processes below this one, those that have ended among them."""
    ticks, table = os.sysconf("SC_CLK_TCK"), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        table[int(folder.name)] = int(fields[1]), [int(field) for field in fields[11:15]]
    mine = {os.getpid()}
    while True:
        more = {pid for pid, (parent, _) in table.items() if parent in mine} - mine
        if not more:
            break
        mine |= more
    below = sum(sum(table[pid][1]) for pid in mine - {os.getpid()})
    return (below + sum(table[os.getpid()][1][2:])) / ticks


def reset_peak() -> float:
    """Forget this process's peak of memory; MiB that it holds now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    """The peak of this process's memory since then, in MiB."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def write(rows: list[dict[str, Any]], kinds: list[str], out: Path) -> dict[str, float]:
    """scale.csv and scale.md; the time of two workers over that of one, by executor."""
    out.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (out / "scale.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.3f}" if isinstance(v, float) else v for k, v in row.items()})
    wall = {(row["what"], row["executor"]): row["wall_s"] for row in rows if "wall_s" in row}
    ratios = {
        kind: wall["2 at once", kind] / wall["1 at once", kind]
        for kind in kinds
        if ("2 at once", kind) in wall
    }
    (out / "scale.md").write_text("\n".join(lines(rows, ratios)) + "\n")
    return ratios


def lines(rows: list[dict[str, Any]], ratios: dict[str, float]) -> list[str]:
    """The page: what was measured where, and a part for all that was."""
    by_name = {row["what"]: row for row in rows}
    given = " ".join(["python tests/benchmarks/run_scale.py", *sys.argv[1:]])
    found = [
        "# Placing cells",
        "",
        f"`{given}`; {processor_name()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load {os.getloadavg()[2]:.1f} (15 minutes).",
    ]
    if "worker" in by_name:
        seconds = by_name["worker"]["others_cpu_s"] / by_name["worker"]["cells"]
        found += [
            "",
            f"A worker that starts, loads `ring8` and has nothing to train or to measure takes "
            f"{seconds:.1f} s of CPU and {by_name['worker']['peak_mib']:.0f} MiB.",
        ]
    if "no-op command" in by_name:
        command = by_name["no-op command"]
        each = 1000 * command["others_cpu_s"] / command["cells"]
        found += ["", f"The command that stands for a cell that does nothing takes {each:.0f} ms."]
    found += [*_cells(rows), *_run(rows)]
    if ratios:
        found += [
            "",
            f"The same {EQUAL_CELLS} cells of {EQUAL_SECONDS:g} s, two at once over one at once:",
            "",
            "| executor | time of two / time of one |",
            "|---|---:|",
            *(f"| {kind} | {ratio:.2f} |" for kind, ratio in ratios.items()),
        ]
    return found


def _cells(rows: list[dict[str, Any]]) -> list[str]:
    found = [
        "",
        "Cells that do nothing. CPU of the driver (the process that runs `bench run`), and of it "
        "and all that it started, the cells included. Memory: the driver's peak above what it held "
        "when the executor began.",
        "",
        "| executor | cells | driver, ms CPU a cell | all, ms CPU a cell | driver's peak, MiB |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        if row["what"] == "cells":
            driver = 1000 * row["driver_cpu_s"] / row["cells"]
            every = driver + 1000 * row["others_cpu_s"] / row["cells"]
            found.append(
                f"| {row['executor']} | {row['cells']:,} | {driver:.1f} | {every:.0f} | "
                f"{row['peak_mib']:.1f} |"
            )
    return found


def _run(rows: list[dict[str, Any]]) -> list[str]:
    found = [
        "",
        "The rest of a run, over a folder in which every cell has all its scores: `begin` writes, "
        "reads and merges the plan and looks through all cells; `end` writes scores.csv and the "
        "tables.",
        "",
        "| cells | begin, s CPU | its peak, MiB | end, s CPU | its peak, MiB |",
        "|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        if row["what"] == "run":
            found.append(
                f"| {row['cells']:,} | {row['begin_cpu_s']:.1f} | {row['begin_peak_mib']:.0f} | "
                f"{row['end_cpu_s']:.1f} | {row['end_peak_mib']:.0f} |"
            )
    return found


if __name__ == "__main__":
    sys.exit(main())
