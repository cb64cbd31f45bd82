"""`bench claims`: run what a claim file needs, and give each claim its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbench.cli.assets import user_assets
from benchbench.cli.placing import executor_options, read_placement

if TYPE_CHECKING:
    from benchbench.claims.compile import Compiled
    from benchbench.claims.schema import ClaimFile
    from benchbench.claims.verdicts import Judged
    from benchbench.cli.output import Output
    from benchbench.registry import Registry
    from benchbench.runner.run import Run

__all__ = ["claims"]

VERDICTS = ("refuted", "inconclusive", "untestable", "supported")


@click.command()
@click.argument("file")
@click.option("--out", help="Result folder (default: results/NAME).")
@click.option("--dry-run", is_flag=True, help="Only show what would be run, and how long it takes.")
@click.option(
    "--fail-on",
    type=click.Choice(VERDICTS),
    multiple=True,
    help="Exit with code 1 where a claim has this verdict. Repeatable.",
)
@click.option("--seeds", help="Seeds of every claim in place of the file's, as in 0-2.")
@click.option(
    "--scale",
    type=click.FloatRange(0, min_open=True),
    help="Multiply every budget, as in 0.01 for a rehearsal.",
)
@click.option("--plugin", "plugins", multiple=True, help="A plugin file. Repeatable.")
@click.option("--data-dir", help="Folder with local copies of data sets (also: $BENCH_DATA).")
@click.option("--download", is_flag=True, help="Fetch data sets and weights that are not here.")
@click.option(
    "--jobs", type=click.IntRange(1, 1024), help="Cells at once (default: cores/threads)."
)
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds a cell may take.")
@executor_options
@click.option("--fresh", is_flag=True, help="Discard what the result folder holds.")
def claims(file: str, **options: Any) -> int:
    """Run what the claims of FILE need, and answer each: supported, refuted, inconclusive or
    untestable.

    FILE is a YAML file or the name of an embedded claim file. Cells that are already done in the
    result folder are reused.
    """
    from benchbench.claims.compile import compile_claims, rehearsal
    from benchbench.claims.schema import load_claims
    from benchbench.registry import Registry

    placement = read_placement(options)
    loaded = rehearsal(load_claims(file), options["scale"], options["seeds"])
    plugins = (*loaded.plugins, *options["plugins"])
    loaded = loaded.model_copy(update={"plugins": plugins})
    registry = Registry.load(plugins)
    assets = user_assets(options["data_dir"], download=options["download"])
    compiled = compile_claims(loaded, registry, assets)
    out = Path(options["out"] or Path("results") / loaded.name)
    return _execute(loaded, compiled, registry, out, {**options, "placement": placement})


def _execute(
    file: ClaimFile, compiled: Compiled, registry: Registry, out: Path, options: dict[str, Any]
) -> int:
    from benchbench.cli.output import Output
    from benchbench.runner.run import Run
    from benchbench.runner.scoring import all_specs
    from benchbench.store.scores import frame

    code, ran, scores, output = 0, False, frame([]), None
    if compiled.plan is not None:
        job = Run(
            compiled.plan,
            registry,
            out,
            jobs=options["jobs"],
            timeout=options["timeout"],
            fresh=options["fresh"],
            placement=options["placement"],
        )
        if options["dry_run"]:
            return _dry_run(job)
        output = Output(job, registry)
        code, ran = _run(file, output)
        scores = job.scores()
    elif options["dry_run"]:
        click.echo("nothing to run")
        return 0

    from benchbench.claims.judging import judge_file
    from benchbench.report.instruments import check_instruments, write_instruments

    specs = all_specs(registry)
    judged = judge_file(file, compiled, scores, specs)
    write_instruments(check_instruments(scores, specs), out)
    news = _show(file, judged, out, _rehearsed(options)) or ran
    if output is not None:
        with output.job.held():
            output.report(again=news)
    failed = [one.claim.id for one in judged if one.verdict in options["fail_on"]]
    if failed:
        click.echo(f"failed   verdict {' or '.join(options['fail_on'])}: {', '.join(failed)}")
    return code or int(bool(failed))


def _run(file: ClaimFile, output: Output) -> tuple[int, bool]:
    """Run the missing cells; the exit code of what failed, and whether there were any."""
    from benchbench.api import Budget
    from benchbench.cli.progress import run_cells
    from benchbench.runner.context import run_context

    job = output.job
    with job.held():
        outcomes = run_cells(job, Budget.parse(file.budget))
        job.folder.write_context(run_context(job.whole, job.folder))
    return output.exit_code(outcomes), bool(outcomes)


def _dry_run(job: Run) -> int:
    """Print the missing cells by data set, model and budget, with the time they will take."""
    from benchbench.api.names import short_label
    from benchbench.claims.forecast import forecast

    cells = job.missing_cells()
    seconds = forecast(job, cells)
    groups: dict[str, list[float]] = {}
    for cell in cells:
        model = f"{cell.model}[{cell.config_label}]" if cell.config_label else cell.model
        name = f"{short_label(cell.dataset)} {model} {cell.budget}".rstrip()
        groups.setdefault(name, []).append(seconds[cell.key])
    for name, spent in groups.items():
        click.echo(f"{len(spent):4} cells  {sum(spent) / 60:6.1f} min  {name}")
    total = sum(seconds.values())
    click.echo(
        f"{len(cells)} cells to run, {len(job.plan.cells) - len(cells)} done; about "
        f"{total / 60:.0f} min of one core each, {total / 60 / job.jobs:.0f} min with "
        f"{job.jobs} at once"
    )
    return 0


def _rehearsed(options: dict[str, Any]) -> str:
    changed = [f"--{name} {options[name]}" for name in ("scale", "seeds") if options[name]]
    return f"A rehearsal with {' '.join(changed)}: no verdict of the file." if changed else ""


def _show(file: ClaimFile, judged: list[Judged], out: Path, note: str) -> bool:
    """Write and print the verdicts; whether any file of them is new."""
    from rich.console import Console

    from benchbench.claims.output import to_table, write_claims

    news = write_claims(file, judged, out, note)
    console = Console()
    width = console.width if console.is_terminal else 140
    Console(width=width).print(to_table(judged))
    counts = {name: sum(one.verdict == name for one in judged) for name in VERDICTS}
    click.echo(", ".join(f"{count} {name}" for name, count in counts.items() if count))
    if note:
        click.echo(note)
    click.echo(f"claims   {out / 'claims.md'}, claims.csv")
    click.echo(f"figures  {out / 'figures'}")
    return news
