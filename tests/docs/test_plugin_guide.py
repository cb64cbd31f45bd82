"""The code of the pages runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from site_cases import ROOT, Page

from benchbench import testing
from benchbench.cli.main import main

GUIDE = ROOT / "docs" / "plugin-guide.md"
BLOCK = re.compile(r'^```(\w+)(?: title="(\S+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
NOT_CODE = ("text", "yaml", "toml")


def run_shell(text: str) -> None:
    for line in text.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "bench"
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0, line


def run_python(text: str, page: Path) -> None:
    exec(compile(text, str(page), "exec"), {"__name__": "page"})


@pytest.mark.slow
def test_the_plugin_guide_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = GUIDE.read_text(encoding="utf-8")
    ran = 0
    for language, file, block in BLOCK.findall(text):
        if file:
            Path(file).write_text(block, encoding="utf-8")
        elif language == "sh":
            run_shell(block)
        elif language == "python":
            run_python(block, GUIDE)
        else:
            assert language in NOT_CODE
        ran += 1
    assert ran == len(re.findall("^```", text, re.MULTILINE)) / 2 >= 9


@pytest.mark.parametrize(
    "page", sorted(p for p in (ROOT / "docs").glob("*.md") if p != GUIDE), ids=lambda p: p.name
)
def test_python_of_the_other_pages_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for language, _, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        assert language in ("sh", "python", *NOT_CODE)  # sh: test_commands
        if language == "python":
            run_python(block, page)


def test_every_check_is_listed_with_what_it_says(site: dict[str, Page]) -> None:
    text = re.sub(r"\s+", " ", site["plugin-guide.html"].text)
    lists = [getattr(testing, name) for name in testing.__all__ if name.endswith("_CHECKS")]
    for check in [check for checks in lists for check in checks]:
        assert f"| {check.name} | {' '.join(check.summary.replace('`', '').split())}" in text
