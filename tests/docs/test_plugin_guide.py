"""The plugin guide's code runs, and it lists every check and capability."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from benchbench.api import CAPABILITIES
from benchbench.cli.main import main
from benchbench.testing import MODEL_CHECKS

GUIDE = Path(__file__).parents[2] / "docs" / "plugin-guide.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def run_shell(text: str) -> None:
    for line in text.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "bench"
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0, line


@pytest.mark.slow
def test_code_blocks_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = 0
    for language, file, text in BLOCK.findall(TEXT):
        if file:
            Path(file).write_text(text, encoding="utf-8")
        elif language == "sh":
            run_shell(text)
        else:
            exec(compile(text, str(GUIDE), "exec"), {})
        ran += 1
    assert ran == TEXT.count("\n```") // 2 >= 4


def test_every_check_is_listed_with_what_it_says() -> None:
    for check in MODEL_CHECKS:
        assert f"| `{check.name}` | {check.summary} |" in TEXT


def test_every_capability_is_listed() -> None:
    for capability in CAPABILITIES:
        assert f"| `{capability}` |" in TEXT
