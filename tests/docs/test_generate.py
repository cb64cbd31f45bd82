"""Generated parts: escaping, docstrings, and mistakes that name page and line."""

from __future__ import annotations

import html
import re

import markdown
import pytest
from generate import PARTS, expand
from generate.options import option_rows
from generate.text import code, plain, prose, table
from pydantic import Field
from site_cases import ROOT

from benchbench.api import Config


def shown(text: str) -> str:
    """Markdown as a browser would show it, without tags."""
    rendered = markdown.markdown(text, extensions=["tables"])
    return html.unescape(re.sub("<[^>]+>", "", rendered)).strip()


@pytest.mark.parametrize(
    "text", ["(n, *shape), (m, *shape)", "a_b_c and d_e", "gan[pack=2]", "x < 1 & y > 2", "#{i}"]
)
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert shown(plain(text)) == text


@pytest.mark.parametrize("text", ["a|b", "x: int | None", "*args | **kwargs", "plain"])
def test_code_in_a_table_cell_is_shown_as_it_is(text: str) -> None:
    cells = table(["a", "b"], [[code(text), "c"]])
    assert markdown.markdown(cells, extensions=["tables"]).count("<td") == 2
    assert text in shown(cells)


def test_a_docstring_becomes_paragraphs_definitions_and_blocks() -> None:
    text = """What it is.

    x: a number,
        long explained. y: another.
    Goes on.

        a = b
    """
    found = prose(text, {"x": "float", "y": "int", "z": "str"})
    assert found.splitlines() == [
        "What it is.",
        "",
        "* `x` (`float`): a number, long explained.",
        "* `y` (`int`): another.",
        "",
        "Goes on.",
        "",
        "```text",
        "a = b",
        "```",
        "",
        "* `z` (`str`)",
    ]


def test_limits_of_options_are_stated() -> None:
    class Options(Config):
        share: float | None = Field(None, gt=0, le=1, description="A share.")
        steps: int = Field(16, ge=1, description="Steps.")
        sizes: tuple[int, ...] = Field((1, 64), description="Sizes.")
        fast: bool = Field(False, description="Whether.")

    assert [row[1:3] for row in option_rows(Options)] == [
        ("`none`", r"number in (0, 1\]"),
        ("`16`", "integer ≥ 1"),
        ("`[1, 64]`", "list of integers"),
        ("`false`", "`true`, `false`"),
    ]


@pytest.mark.parametrize("line", ["score nonsense", "nonsense", "score", "checks NONSENSE"])
def test_a_part_that_does_not_exist_names_page_and_line(line: str) -> None:
    with pytest.raises(ValueError, match=f"page.md: <!-- generated: {line} -->"):
        expand(f"before\n<!-- generated: {line} -->\nafter", "page.md")


def test_every_part_is_used() -> None:
    text = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs").glob("*.md"))
    assert not [part for part in PARTS if f"<!-- generated: {part}" not in text]
