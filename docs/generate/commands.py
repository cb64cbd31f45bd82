"""The command line, from the click commands themselves."""

from __future__ import annotations

import inspect

import click

from benchbench.cli.main import bench
from generate.text import code, plain, table

__all__ = ["command_reference"]


def command_reference() -> str:
    """Every command: usage, what it does, arguments and options."""
    return "\n\n".join(_command(name, command) for name, command in bench.commands.items())


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"bench {name}")
    usage = " ".join([f"bench {name}", *command.collect_usage_pieces(context)])
    options = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    rows = [_row(name, option, context) for option in options]
    return "\n\n".join(
        [
            f"## bench {name} {{ #bench-{name} }}",
            f"```text\n{usage}\n```",
            *_help(command.help or ""),
            table(["option", "default", "meaning"], rows),
        ]
    )


def _help(text: str) -> list[str]:
    """Paragraphs; what click leaves unwrapped (`\\b`) is a block of its own."""
    parts = inspect.cleandoc(text).split("\n\n")
    return [
        f"```text\n{part.removeprefix(chr(8)).strip(chr(10))}\n```"
        if part.startswith("\b")
        else plain(part)
        for part in parts
    ]


def _row(command: str, option: click.Option, context: click.Context) -> tuple[str, str, str]:
    takes = "" if option.is_flag else f" {_metavar(option, context)}"
    name = max(option.opts, key=len)
    shown = ", ".join([*sorted(o for o in option.opts if o != name), name])
    anchor = f'<span id="bench-{command}{name}"></span>'
    return anchor + code(shown + takes), _default(option), plain(option.help or "")


def _metavar(option: click.Option, context: click.Context) -> str:
    kind = option.type
    if isinstance(kind, click.Choice):
        return "|".join(str(choice) for choice in kind.choices)
    return option.make_metavar(context).split()[0]


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    if option.is_flag or not isinstance(option.default, str | int | float) or option.default == "":
        return "–"
    return code(option.default)
