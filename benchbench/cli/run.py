"""`bench run`: plan, train, measure, print the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbench.api import Assets, UsageError
from benchbench.api.names import short_label, slug
from benchbench.cli.assets import user_assets
from benchbench.cli.placing import executor_options, read_placement
from benchbench.cli.report import show

if TYPE_CHECKING:
    from benchbench.api import Budget
    from benchbench.registry import Registry
    from benchbench.runner.plan import Cell, Plan
    from benchbench.runner.run import Run
    from benchbench.runner.suite import Suite

__all__ = ["carry_out", "run"]

DEFAULT_SUITE = "default"
MAX_NOTES = 20
"""Notes on the data, such as refused files, that are printed; plan.json has them all."""


@click.command()
@click.argument("suite", required=False)
@click.option("--models", help="Rows to compare, as in: ldm,vae,'ldm[steps=8]','gan[pack=2]'.")
@click.option("--datasets", help="Data sets, as in: grid25,stacked-digits.")
@click.option("--seeds", help="Seeds, as in: 0,1,2 or 0-4.")
@click.option("--budget", help="For each training: 60s, 2e12flop, 200kimg or 5000step.")
@click.option("--fractions", help="Also score at these parts of the budget, as in: 0.25,0.5,0.75.")
@click.option("--metrics", help="Metrics or scores to compute (default: all).")
@click.option("--set", "settings", multiple=True, help="A model option: ldm.width=256. Repeatable.")
@click.option("--plugin", "plugins", multiple=True, help="A plugin file. Repeatable.")
@click.option("--data-dir", help="Folder with local copies of data sets (also: $BENCH_DATA).")
@click.option("--download", is_flag=True, help="Fetch data sets and weights that are not here.")
@click.option("--extractor", help="Feature map of FID and its like (default: each data set's own).")
@click.option("--inception-weights", help="File with Inception's weights (.pth or .safetensors).")
@click.option("--device", help="auto (cuda, else cpu), cpu, cuda or cuda:N.")
@click.option(
    "--jobs", type=click.IntRange(1, 1024), help="Cells at once (default: cores/threads)."
)
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of each cell (default 1).")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds a cell may take.")
@executor_options
@click.option("--controls", is_flag=True, help="Also score controls, to check the instruments.")
@click.option("--out", help="Result folder (default: results/NAME).")
@click.option("--open", "open_", is_flag=True, help="Show the report in the browser at the end.")
@click.option("--no-report", is_flag=True, help="Scores and tables only: no figures, no report.")
@click.option("--fresh", is_flag=True, help="Discard what the result folder holds.")
def run(suite: str | None, **options: Any) -> int:
    """Train each model under the same budget, measure it, and print a comparison table.

    SUITE is a YAML file or the name of an embedded suite; options take precedence over it.
    Without SUITE and --datasets the embedded default suite runs into results/default.
    Cells that are already done in the result folder are reused.
    """
    if options["open_"] and options["no_report"]:
        raise UsageError("--open shows the report that --no-report leaves out; give one of them")
    from benchbench.registry import Registry
    from benchbench.runner.plan import check_suite
    from benchbench.runner.suite import load_suite

    if options["timeout"] is not None and not math.isfinite(options["timeout"]):
        raise UsageError(f"--timeout is {options['timeout']}; give a number of seconds")
    placement = read_placement(options)
    base = load_suite(suite or DEFAULT_SUITE)
    wanted = _with_options(base, suite is not None, options)
    registry = Registry.load(wanted.plugins)
    checked = check_suite(wanted, registry)
    assets = user_assets(
        options["data_dir"],
        download=options["download"],
        inception_weights=options["inception_weights"],
    )
    out = Path(options["out"] or Path("results") / wanted.name)
    return _execute(checked, registry, assets, out, {**options, "placement": placement})


def _with_options(base: Suite, given: bool, options: dict[str, Any]) -> Suite:
    """The suite with the command line's choices in place."""
    from pydantic import ValidationError

    from benchbench.runner.selection import read_seeds, split_outside_brackets
    from benchbench.runner.suite import Suite, describe_invalid

    change: dict[str, Any] = {}
    for name in ("models", "datasets"):
        if options[name] is not None:
            change[name] = split_outside_brackets(options[name])
            if not change[name]:
                raise UsageError(f"--{name} is {options[name]!r}; name at least one")
    if options["datasets"] is not None and not given:
        labels = [slug(short_label(name)).replace("+", "-") for name in change["datasets"]]
        change["name"] = "-".join(dict.fromkeys(labels)).lstrip("_-.")[:64] or "run"
        change["controls"] = False  # the default suite's are for its own data sets
    if options["seeds"] is not None:
        change["seeds"] = read_seeds(options["seeds"])
    if options["metrics"] is not None:
        change["metrics"] = {name: {} for name in split_outside_brackets(options["metrics"])}
    if options["fractions"] is not None:
        change["fractions"] = split_outside_brackets(options["fractions"])
    for name in ("budget", "device", "threads", "extractor"):
        if options[name] is not None:
            change[name] = options[name]
    if options["controls"]:
        change["controls"] = True
    change["set"] = {**base.set, **_settings(options["settings"])}
    change["plugins"] = (*base.plugins, *options["plugins"])
    try:
        return Suite.model_validate({**base.model_dump(), **change})
    except ValidationError as error:
        raise UsageError(describe_invalid(error, Suite)) from None


def _settings(given: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text!r} is not model.option=value, as in ldm.width=256")
        settings[key.strip()] = value
    return settings


def _execute(
    checked: Any, registry: Registry, assets: Assets, out: Path, options: dict[str, Any]
) -> int:
    from benchbench.runner.plan import resolve_plan

    return carry_out(
        resolve_plan(checked, registry, assets),
        checked.budget,
        registry,
        out,
        jobs=options["jobs"],
        timeout=options["timeout"],
        fresh=options["fresh"],
        placement=options["placement"],
        drawn=not options["no_report"],
        shown=options["open_"],
    )


def carry_out(
    plan: Plan,
    budget: Budget,
    registry: Registry,
    out: Path,
    *,
    prepare: Callable[[Run, list[Cell]], None] = lambda job, cells: None,
    drawn: bool = True,
    shown: bool = False,
    **placing: Any,
) -> int:
    """Run a plan into its folder, print the table, and give the exit code.

    prepare: called with the cells that will run, when the folder is ready for them. drawn: with
    figures and the report; shown: the report in the browser, at the end. placing: how and where
    cells run, as `Run` takes it.
    """
    from benchbench.cli.output import Output
    from benchbench.cli.progress import run_cells
    from benchbench.runner.run import Run

    for note in plan.notes[:MAX_NOTES]:
        click.echo(note, err=True)
    if len(plan.notes) > MAX_NOTES:
        click.echo(f"and {len(plan.notes) - MAX_NOTES} more, all in plan.json", err=True)
    job = Run(plan, registry, out, **placing)
    output = Output(job, registry, drawn=drawn)
    with job.held():
        outcomes = run_cells(
            job,
            budget,
            begun=lambda cells: prepare(job, cells),
            ended=lambda outcome: output.refresh(outcome.cell),
        )
        output.finish()
    if shown:
        show(output.report_file)
    return output.exit_code(outcomes)
