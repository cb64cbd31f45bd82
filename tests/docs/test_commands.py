"""Every `bench …` of the docs and of README.md is one that the command line understands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from site_cases import ROOT

from benchbench.api import UsageError
from benchbench.cli.main import bench
from benchbench.registry import Registry
from benchbench.runner.plan import check_suite
from benchbench.runner.selection import split_outside_brackets
from benchbench.runner.suite import Suite, embedded_suites, load_suite

FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPTIONAL = re.compile(r"(?<=\s)\[((?:[^\[\]]|\[[^\]]*\])*)\]")
PLACEHOLDER = re.compile(r"^[A-Z][A-Z0-9_.]*$|^\W+$")


def commands(path: Path) -> Iterator[str]:
    """The commands in the blocks and in the inline code of a page, one by one."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("bench ")]
    inline = re.findall(r"`(bench [^`]+)`", "\n".join(x for x in text.splitlines()))
    for line in [*lines, *inline]:
        line = re.split(r"\s+#\s|\s+:\s", line)[0]
        yield from re.split(r"\s{2,}(?=bench )|, (?=bench )", line)


ALL = [(path.name, line) for path in FILES for line in commands(path)]


def parsed(line: str) -> tuple[click.Command, dict[str, object]]:
    """Command, and options and arguments by name, of a line; brackets: a part is optional."""
    _, name, *rest = shlex.split(OPTIONAL.sub(r" \1 ", line))
    assert name in bench.commands, f"no command {name!r}"
    command = bench.commands[name]
    context = click.Context(command, info_name=name, resilient_parsing=False)
    given, extra, _ = command.make_parser(context).parse_args(
        [word for word in rest if word not in ("...", "…")]
    )
    assert not extra, f"{extra} are more arguments than {name} takes"
    return command, {k: v for k, v in given.items() if isinstance(v, str | list)}


@pytest.mark.parametrize(("file", "line"), dict.fromkeys(ALL))
def test_a_command_has_only_options_that_there_are(file: str, line: str) -> None:
    if line.split()[1].startswith("-"):
        assert line.split()[1] in ("--help", "--version", "-h")
        return
    command, given = parsed(line)
    for option in command.params:
        if isinstance(option.type, click.Choice) and given.get(option.name or ""):
            values = given[option.name or ""]
            for value in values if isinstance(values, list) else [values]:
                for one in str(value).split("|"):
                    assert one in option.type.choices or PLACEHOLDER.match(one), line


def test_the_pages_have_commands() -> None:
    files = {file for file, _ in ALL}
    assert {"README.md", "index.md", "plugin-guide.md", "claim-guide.md", "datasets.md"} <= files
    assert len(set(ALL)) > 40


def test_a_wrong_option_would_be_found() -> None:
    with pytest.raises(click.NoSuchOption):
        parsed("bench run --modles ldm [--controls]")
    assert parsed("bench run [SUITE] --models 'ldm[steps=8]' [--out DIR]")[1] == {
        "suite": "SUITE",
        "models": "ldm[steps=8]",
        "out": "DIR",
    }


RUNS = [
    line
    for _, line in dict.fromkeys(ALL)
    if line.startswith("bench run ") and not re.search(r"[\s:'][A-Z]{3,}|--plugin|my_|\||…", line)
]


@pytest.mark.parametrize("line", dict.fromkeys(RUNS))
def test_what_a_run_names_exists(line: str) -> None:
    """Models with their options, data sets, metrics, seeds and budgets of whole examples."""
    _, given = parsed(line)
    name = given.get("suite", "default")
    assert name in embedded_suites(), line
    suite = load_suite(str(name)).model_dump()
    for key in ("models", "datasets"):
        if key in given:
            suite[key] = split_outside_brackets(str(given[key]))
    for key in ("budget", "extractor"):
        suite[key] = given.get(key, suite[key])
    if "metrics" in given:
        suite["metrics"] = {name: {} for name in split_outside_brackets(str(given["metrics"]))}
    settings = given.get("settings") or []
    suite["set"] = dict(str(text).split("=", 1) for text in list(settings))  # type: ignore[call-overload]
    known = Registry.load()
    suite["models"] = [m for m in suite["models"] if m.split("[")[0] in known.models]
    assert suite["models"], line
    check_suite(Suite.model_validate(suite), known)


def test_what_a_run_names_is_checked() -> None:
    with pytest.raises(UsageError, match="unknown"):
        test_what_a_run_names_exists("bench run --models ldm --metrics fidd")
