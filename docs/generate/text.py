"""Markdown: escaped text, code, tables, and docstrings."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["code", "plain", "prose", "sentence", "table"]

_SPAN = re.compile(r"(`[^`]*`)")
_SPECIAL = re.compile(r"([\\*_\[\]#])")
_TERM = re.compile(r"^(\*{0,2}[A-Za-z_]\w*(?:, \w+)*): +(?=\S)")


def code(text: object) -> str:
    """Any text as code; also inside a table, where a bar would end the cell."""
    shown = str(text)
    if "|" not in shown and "`" not in shown:
        return f"`{shown}`"
    return "<code>" + _SPECIAL.sub(r"\\\1", _html(shown)) + "</code>"


def plain(text: str) -> str:
    """Text in one line, without markup but for `code`."""
    parts = _SPAN.split(" ".join(text.split()))
    return "".join(
        code(part[1:-1]) if _SPAN.fullmatch(part) else _SPECIAL.sub(r"\\\1", _html(part))
        for part in parts
    )


def _html(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "&vert;")


def sentence(text: str) -> str:
    """Text as a sentence: a capital letter first, a full stop last."""
    flat = " ".join(text.split())
    return plain(flat[:1].upper() + flat[1:] + ("" if flat[-1:] in ".!?" else "."))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the cells are Markdown."""
    lines = [head, [":--"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell or " " for cell in line) + " |" for line in lines)


@dataclass
class _Block:
    term: str
    lines: list[str]


def prose(docstring: str | None, types: Mapping[str, str] | None = None) -> str:
    """A docstring as Markdown: paragraphs, lists of `name: what it is`, indented parts as they are.

    types: of names that may be defined, as code; those that the text leaves out are added.
    """
    types = dict(types or {})
    parts = re.split(r"\n\s*\n", inspect.cleandoc(docstring or ""))
    found = [_part(part, types) for part in parts if part.strip()]
    if types:
        found.append("\n".join(f"* {code(name)} ({code(kind)})" for name, kind in types.items()))
    return "\n\n".join(found)


def _part(text: str, types: dict[str, str]) -> str:
    lines = text.splitlines()
    if text.startswith(">>>") or all(line.startswith("    ") for line in lines):
        language = "pycon" if text.startswith(">>>") else "text"
        return f"```{language}\n{inspect.cleandoc(chr(10) + text)}\n```"
    blocks: list[_Block] = []
    for line in _one_definition_a_line(lines, types):
        term = _TERM.match(line)
        if term:
            blocks.append(_Block(term[1], [line[term.end() :]]))
        elif blocks and (not blocks[-1].term or line.startswith("    ")):
            blocks[-1].lines.append(line)
        else:
            blocks.append(_Block("", [line]))
    shown = []
    for block in blocks:
        said = plain(" ".join(block.lines))
        shown.append(f"* {_term(block.term, types)}: {said}" if block.term else f"\n{said}\n")
    return "\n".join(shown).strip()


def _term(term: str, types: dict[str, str]) -> str:
    names = term.split(", ")
    kinds = dict.fromkeys(types.pop(name) for name in names if name in types)
    shown = ", ".join(code(name) for name in names)
    return shown + (f" ({', '.join(map(code, kinds))})" if kinds else "")


def _one_definition_a_line(lines: Iterable[str], types: Mapping[str, str]) -> list[str]:
    """`a: this. b: that.` becomes two lines where both are names that may be defined."""
    if not types:
        return list(lines)
    second = re.compile(rf"(?<=[.;]) (?=(?:{'|'.join(map(re.escape, types))}): )")
    return [piece for line in lines for piece in second.split(line)]
