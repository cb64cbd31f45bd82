"""The wheels of the bench and of its example package, used as a stranger would.

    make examples        # python3 tests/packaging/run_apart.py build/examples

Both are built and installed into a virtual environment of their own, nothing editable and nothing
of the repository on its path. There the example's own tests run, both examples are checked, and a
run of 60 steps has to end with the example's row in the table.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

from wheel_contents import ROOT, problems

EXAMPLE = ROOT / "examples" / "flow-matching"
SINGLE = ROOT / "examples" / "pixel_gaussian.py"
MODELS = ("flow-matching", "vae")
WHERE = (
    "import benchbench, benchbench_flow_matching, sys\n"
    "for module in (benchbench, benchbench_flow_matching):\n"
    "    assert module.__file__.startswith(sys.prefix), module.__file__\n"
)


def main(folder: Path) -> None:
    """Everything from an empty folder on; the first step that fails ends it with its code."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    venv.create(folder / "venv", with_pip=True)
    run(folder, "python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", "dist", ROOT, EXAMPLE)
    (bench,) = (folder / "dist").glob("benchbench-*.whl")
    (example,) = (folder / "dist").glob("benchbench_flow_matching-*.whl")
    check_wheel(bench)
    run(folder, "python", "-m", "pip", "install", "-q", bench, f"{example}[test]")
    print(f"installed after {time.monotonic() - began:.0f} s", flush=True)
    run(folder, "python", "-c", WHERE)
    run(folder, "pytest", "-q", "-p", "no:cacheprovider", "-c", EXAMPLE / "pyproject.toml",
        EXAMPLE / "tests")  # fmt: skip
    # The tests check the default; the command checks the other coupling.
    run(folder, "bench", "check", "flow-matching[coupling=minibatch-ot]",
        "--expect", "denoise=its noise depends on the example")  # fmt: skip
    run(folder, "bench", "check", "pixel-gaussian", "--plugin", SINGLE,
        "--expect", "beats_gaussian=it is that Gaussian")  # fmt: skip
    run(folder, "bench", "run", "--models", ",".join(MODELS), "--datasets", "grid25",
        "--budget", "60step", "--seeds", "0", "--metrics", "modes", "--out", "table")  # fmt: skip
    check_table(folder / "table")
    print(f"examples: all done after {time.monotonic() - began:.0f} s")


def run(folder: Path, program: str, *arguments: str | Path) -> None:
    """A program of the environment, in the folder; its failure ends the script."""
    command = [str(folder / "venv" / "bin" / program), *map(str, arguments)]
    shown = " ".join(map(str, arguments)).splitlines()[0]
    print("+", program, shown, flush=True)
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    clean |= {"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    code = subprocess.run(command, cwd=folder, env=clean, check=False).returncode
    if code:
        sys.exit(f"{program} ended with code {code}")


def check_wheel(wheel: Path) -> None:
    """Ends the script where the wheel is not complete."""
    found = list(problems(wheel))
    if found:
        sys.exit("\n".join(found))


def check_table(table: Path) -> None:
    """Ends the script where a model has no row, or no mode count."""
    with (table / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    text = (table / "table.md").read_text(encoding="utf-8")
    for model in MODELS:
        done = [
            r for r in rows if (r["model"], r["metric"], r["status"]) == (model, "modes", "done")
        ]
        if not done or not done[0]["value"] or f"| {model} " not in text:
            sys.exit(f"{model} has no row in {table / 'table.md'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
