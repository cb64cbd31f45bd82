"""`bench table`: the comparison table of one result folder or several."""

from __future__ import annotations

from pathlib import Path

import click

from benchbench.api import UsageError

__all__ = ["table"]


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="DIR...")
@click.option("--plugin", "plugins", multiple=True, help="A plugin file whose scores are shown.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "latex", "csv", "text"]),
    default="text",
    show_default=True,
    help="What to print.",
)
def table(folders: tuple[str, ...], form: str, plugins: tuple[str, ...]) -> None:
    """Print the comparison table of result folders, from their scores alone.

    Nothing that a folder names is executed: scores of a plugin file have their labels and decimals
    where the file is given with --plugin.
    """
    for folder in folders:
        if not (Path(folder) / "scores.csv").is_file():
            raise UsageError(f"{folder!r} is no result folder: it has no scores.csv")
    click.echo(_render([Path(folder) for folder in folders], form, plugins), nl=False)


def _render(folders: list[Path], form: str, plugins: tuple[str, ...]) -> str:
    import pandas as pd
    from rich.console import Console

    from benchbench.registry import Registry
    from benchbench.report.renderers import to_csv, to_latex, to_markdown, to_rich
    from benchbench.report.tables import build_tables
    from benchbench.runner.scoring import all_specs
    from benchbench.store.folder import ResultFolder
    from benchbench.store.scores import IDENTITY, read_scores

    try:
        frames = [read_scores(folder / "scores.csv") for folder in folders]
    except ValueError as error:
        raise UsageError(str(error)) from None
    scores = pd.concat(frames, ignore_index=True).drop_duplicates(list(IDENTITY), keep="last")
    context = ResultFolder(folders[0]).context()
    tables = build_tables(scores, all_specs(Registry.load(plugins)), context)
    if form != "text":
        return {"md": to_markdown, "latex": to_latex, "csv": to_csv}[form](tables)
    console = Console()
    width = console.width if console.is_terminal else 120
    console = Console(width=width)
    with console.capture() as captured:
        for part in to_rich(tables, width):
            console.print(part)
    return captured.get()
