"""The check of the wheel finds what is missing, and what should not be there."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

import pytest
from wheel_contents import NEEDED, ROOT, expected, problems

WHEEL = "benchbench-0-py3-none-any.whl"
ABOUT = "benchbench-0.dist-info"


def written(
    folder: Path, *, without: str = "", extra: str = "", scripts: str = "benchbench.cli.main:main"
) -> Path:
    """A wheel with the names of all files, empty, and the entry points of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    plugins = "\n".join(f"{k} = {v}" for k, v in project["entry-points"]["benchbench"].items())
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for name in sorted(expected(ROOT) | {f"{ABOUT}/licenses/LICENSE"} | {extra} - {""}):
            if name != without:
                archive.writestr(name, "")
        text = f"[benchbench]\n{plugins}\n\n[console_scripts]\nbench = {scripts}\n"
        archive.writestr(f"{ABOUT}/entry_points.txt", text)
    return folder / WHEEL


def test_a_complete_wheel_has_no_problem(tmp_path: Path) -> None:
    assert list(problems(written(tmp_path))) == []


@pytest.mark.parametrize(
    "name",
    [
        "benchbench/py.typed",
        "benchbench/configs/claims/article.yaml",
        "benchbench/metrics/features/mnist.safetensors",
        "benchbench/cli/templates/model/model.py.jinja",
        "benchbench_vae/model.py",
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    assert name in expected(ROOT)
    found = list(problems(written(tmp_path, without=name)))
    assert found[0] == f"{name} is not in the wheel"


def test_what_does_not_belong_there_is_named(tmp_path: Path) -> None:
    found = list(problems(written(tmp_path, extra="tests/conftest.py")))
    assert found == ["tests/conftest.py is in the wheel, not in the tree"]


def test_licence_and_entry_points_are_looked_for(tmp_path: Path) -> None:
    wheel = written(tmp_path, without=f"{ABOUT}/licenses/LICENSE", scripts="benchbench:main")
    found = list(problems(wheel))
    assert found[0] == "the wheel has no LICENSE"
    assert found[1].startswith("scripts are {'bench': 'benchbench:main'}")


def test_a_tree_that_lost_a_part_is_no_excuse(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as archive:
        archive.writestr(f"{ABOUT}/METADATA", "")
    found = [line for line in problems(tmp_path / WHEEL, tmp_path) if "matches" in line]
    assert found == [f"nothing in the wheel matches {pattern}" for pattern in NEEDED]
