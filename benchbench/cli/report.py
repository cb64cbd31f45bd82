"""`bench report`: the HTML report of one result folder or several, anew."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path

import click

from benchbench.api import UsageError

__all__ = ["report", "show"]


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="DIR...")
@click.option("--plugin", "plugins", multiple=True, help="A plugin file whose scores are shown.")
@click.option("-o", "--out", help="HTML file (default: report.html in the last folder).")
@click.option("--open", "open_", is_flag=True, help="Show it in the browser.")
def report(
    folders: tuple[str, ...], plugins: tuple[str, ...], out: str | None, open_: bool
) -> None:
    """Write one self-contained HTML report of result folders, whether their runs have ended or not.

    Of several folders the scores are joined, and two runs of one plan are compared: what moved
    beyond its interval. Where two folders have the same score, the later folder's is shown.
    Nothing that a folder names is executed: give plugin files with --plugin.
    """
    from benchbench.report.page import FILE

    for folder in folders:
        if not any((Path(folder) / name).is_file() for name in ("plan.json", "scores.csv")):
            raise UsageError(
                f"{folder!r} is no result folder: it has neither plan.json nor scores.csv"
            )
    path = Path(out) if out else Path(folders[-1]) / FILE
    if path.is_dir():
        raise UsageError(f"--out {out!r} is a folder; give a file, as in report.html")
    if not path.parent.is_dir():
        raise UsageError(f"--out {out!r}: there is no folder {str(path.parent)!r}")

    from benchbench.registry import Registry
    from benchbench.report.page.write import write_report

    write_report([Path(folder) for folder in folders], path, Registry.load(plugins))
    click.echo(f"report   {path}")
    if open_:
        show(path)


def show(path: Path) -> None:
    """Open a file in the user's browser; where `CI` is set there is nobody to look."""
    if not os.environ.get("CI"):
        webbrowser.open(path.resolve().as_uri())
