"""What the wheel has to hold: every file of the packages and of configs/, and nothing else.

python tests/packaging/wheel_contents.py dist/benchbench-0.2.0-py3-none-any.whl
"""

from __future__ import annotations

import fnmatch
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

__all__ = ["NEEDED", "ROOT", "expected", "problems"]

ROOT = Path(__file__).parents[2]
FOLDERS = {"benchbench": "benchbench", "plugins": "", "configs": "benchbench/configs"}
"""Folders of the repository, and where the wheel has them."""
NEEDED = (
    "benchbench/py.typed",
    "benchbench/configs/suites/default.yaml",
    "benchbench/configs/claims/*.yaml",
    "benchbench/configs/tuning/*.yaml",
    "benchbench/metrics/features/*.safetensors",
    "benchbench/cli/templates/pyproject.toml.jinja",
    "benchbench/cli/templates/model/*.jinja",
    "benchbench/cli/templates/metric/*.jinja",
    "benchbench/cli/templates/dataset/*.jinja",
    "benchbench/report/page/templates/*.j2",
    "benchbench/report/page/static/*.css",
    "benchbench/report/page/static/*.js",
)
"""What must be there even if the repository had lost it too."""


def expected(root: Path) -> set[str]:
    """Names in the wheel of all files of the repository that belong there."""
    return {
        f"{target}/{path.relative_to(root / folder).as_posix()}".lstrip("/")
        for folder, target in FOLDERS.items()
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def problems(wheel: Path, root: Path = ROOT) -> Iterator[str]:
    """What is missing in the wheel or should not be there, a line each."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        about = {name for name in names if name.split("/")[0].endswith(".dist-info")}
        there, wanted = names - about, expected(root)
        yield from (f"{name} is not in the wheel" for name in sorted(wanted - there))
        yield from (f"{name} is in the wheel, not in the tree" for name in sorted(there - wanted))
        for pattern in NEEDED:
            if not fnmatch.filter(there, pattern):
                yield f"nothing in the wheel matches {pattern}"
        if not fnmatch.filter(about, "*/LICENSE"):
            yield "the wheel has no LICENSE"
        given = _entry_points(archive, about)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if given.get("benchbench") != project["entry-points"]["benchbench"]:
        yield f"entry points are {given.get('benchbench')}, not those of pyproject.toml"
    if given.get("console_scripts") != project["scripts"]:
        yield f"scripts are {given.get('console_scripts')}, not those of pyproject.toml"


def _entry_points(archive: zipfile.ZipFile, about: set[str]) -> dict[str, dict[str, str]]:
    """Entry points by group."""
    parser = ConfigParser()
    for name in fnmatch.filter(about, "*/entry_points.txt"):
        parser.read_string(archive.read(name).decode())
    return {group: dict(parser[group]) for group in parser.sections()}


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1])))
    print("\n".join(found) or f"{sys.argv[1]} is complete")
    sys.exit(bool(found))
