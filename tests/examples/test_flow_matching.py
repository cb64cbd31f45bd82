"""The example package from the source tree: what it says of the bench and of itself.

Its own tests and the contract run where the package is installed: `make examples`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from benchbench import __version__

EXAMPLE = Path(__file__).parents[2] / "examples" / "flow-matching"


def in_the_tree(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python command that finds the package's sources."""
    path = os.pathsep.join([str(EXAMPLE / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=EXAMPLE,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_its_ranges_hold_this_bench() -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    given = [text for text in project["dependencies"] if text.startswith("benchbench")]
    low, high = re.fullmatch(r"benchbench>=([\d.]+),<([\d.]+)", *given).groups()  # type: ignore[union-attr]
    assert _numbers(low) <= _numbers(__version__) < _numbers(high)


def test_its_hooks_load_no_torch() -> None:
    code = (
        "import sys, benchbench_flow_matching as p; "
        "print(p.bench_models()[0].name, 'torch' in sys.modules)"
    )
    assert in_the_tree("-c", code).stdout.split() == ["flow-matching", "False"]


def test_its_readme_has_every_option() -> None:
    code = (
        "from benchbench_flow_matching.config import FlowMatchingConfig as a, "
        "FlowMatchingSampling as b; print(*a.model_fields, *b.model_fields)"
    )
    options = in_the_tree("-c", code).stdout.split()
    text = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert [name for name in options if f"`{name}`" not in text] == []
    assert "time_std" in options and "rho" in options


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
