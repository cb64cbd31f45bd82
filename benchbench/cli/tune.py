"""`bench tune`: the same number of trials and the same budget a trial for every family."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click

from benchbench.api import UsageError
from benchbench.api.names import option_text, short_label
from benchbench.cli.assets import user_assets

if TYPE_CHECKING:
    from benchbench.tuning.history import History
    from benchbench.tuning.search import Search, Target
    from benchbench.tuning.trial import Job, Result

__all__ = ["tune"]


@click.command()
@click.option("--models", required=True, help="Models to tune, as in: ldm,vae,gan.")
@click.option("--datasets", required=True, help="Data sets to tune on, as in: grid25.")
@click.option("--trials", type=click.IntRange(1, 100_000), default=16, show_default=True,
              help="Trials of each model on each data set; the first is the defaults.")  # fmt: skip
@click.option("--budget", default="5e11flop", show_default=True, help="For each trial.")
@click.option("--objective", required=True, help="The score to improve, as in: fid or mode_kl.")
@click.option("--also", help="Scores to record beside it, which decide nothing: recall,mode_kl.")
@click.option("--sampler", type=click.Choice(["random", "tpe"]), default="random",
              show_default=True, help="How options are drawn.")  # fmt: skip
@click.option("--finals", type=click.IntRange(0, 1000), default=0, show_default=True,
              help="Seeds on which the best trial and the defaults train once more.")  # fmt: skip
@click.option("--finalists", type=click.IntRange(1, 100_000), default=1, show_default=True,
              help="How many of the best trials do so.")  # fmt: skip
@click.option("--finals-budget", help="For each of these trainings (default: --budget).")
@click.option("--space", help="Folder with MODEL.yaml files (default: those of the bench).")
@click.option("--seed", type=int, default=1000, show_default=True,
              help="Trial k trains with this seed + k; from 1000 up.")  # fmt: skip
@click.option("--plugin", "plugins", multiple=True, help="A plugin file. Repeatable.")
@click.option("--data-dir", help="Folder with local copies of data sets (also: $BENCH_DATA).")
@click.option("--download", is_flag=True, help="Fetch data sets and weights that are not here.")
@click.option("--inception-weights", help="File with Inception's weights (.pth or .safetensors).")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--jobs", type=click.IntRange(1, 1024), default=1, show_default=True,
              help="Trials at once.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True,
              help="Threads of each trial.")  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), help="Seconds a trial may take."
)
@click.option("--out", required=True, help="Folder of the history, as in: results/tuning/NAME.")
def tune(**options: Any) -> int:
    """Search the options of each model with equal effort, scored on validation data alone.

    Every trial is a row of OUT/trials.csv, the failed ones with their reasons. The same command
    again goes on where it ended; more --trials, --models, --datasets or --finals add to it. The
    best of many trials is partly luck: with --finals its options are kept only where they beat the
    defaults on further seeds (OUT/finals.csv). With --finalists more trials than one meet there,
    and with --finals-budget at the budget that the options are meant for.
    """
    from benchbench.registry import Registry
    from benchbench.runner.selection import split_outside_brackets
    from benchbench.tuning.proposals import check_optuna
    from benchbench.tuning.search import check_search
    from benchbench.tuning.space import embedded_spaces

    check_optuna()
    space = options["space"]
    if space is not None and not Path(space).is_dir():
        raise UsageError(f"--space {space!r} is not a folder; give one with MODEL.yaml files")
    search = check_search(
        Registry.load(options["plugins"]),
        models=split_outside_brackets(options["models"]),
        datasets=split_outside_brackets(options["datasets"]),
        spaces=Path(space) if space else embedded_spaces(),
        **{
            name: options[name]
            for name in (
                *("trials", "budget", "objective", "sampler", "seed", "device", "threads"),
                *("finals", "finals_budget", "finalists"),
            )
        },
        also=split_outside_brackets(options["also"] or ""),
    )
    return _execute(search, options)


def _execute(search: Search, options: dict[str, Any]) -> int:
    from filelock import FileLock, Timeout

    from benchbench.tuning.history import History
    from benchbench.tuning.processes import run_apart

    assets = user_assets(
        options["data_dir"],
        download=options["download"],
        inception_weights=options["inception_weights"],
    )
    for line in search.skipped:
        click.echo(line, err=True)
    out = Path(options["out"])
    history = History.open(out, search.settings())
    runner = partial(run_apart, at_once=options["jobs"], timeout=options["timeout"])
    try:
        with FileLock(out / ".lock", timeout=0):
            click.echo(f"{search.missing(history)} trials to run, {len(history.rows)} done before")
            for job, result in search.run(history, assets, runner):
                click.echo(_line(job, result))
    except Timeout:
        raise UsageError(f"another search is writing to {str(out)!r}; wait for it") from None
    for line in summary(search, history):
        click.echo(line)
    click.echo(f"history  {out / 'trials.csv'}")
    return 0


def _line(job: Job, result: Result) -> str:
    head = f"{short_label(job.dataset)} {job.model} trial {job.trial}"
    if job.final:
        head += f" once more, {job.budget}, seed {job.seed}"
    told = f"{job.objective} {result.score:.5g}" if result.score is not None else result.reason
    return f"{head}  {result.status}  {told}  ({result.seconds:.0f} s)  {json.dumps(job.options)}"


def summary(search: Search, history: History) -> list[str]:
    """For every target: its best trial beside the defaults, and the options to run it with."""
    lines = []
    for target in search.targets:
        rows = history.of(target.dataset, target.model)
        best, chosen = search.best(history, target), search.chosen(history, target)
        name = f"{short_label(target.dataset)} {target.model}"
        if best is None or chosen is None:
            lines.append(f"{name}: none of {len(rows)} trials has a score")
            continue
        first = rows[0]["score"] if rows[0]["trial"] == "0" else ""
        beside = f", defaults {float(first):.5g}" if first else ", defaults without a score"
        lines.append(
            f"{name}: best {search.objective} {float(best['score']):.5g} in trial {best['trial']} "
            f"of {len(rows)}{beside}"
        )
        if search.in_finals(history, target):
            lines.append("  finals: " + _finals(search, history, target))
        options = json.loads(chosen["options"])
        settings = [f"--set {target.model}.{k}={option_text(v)}" for k, v in options.items()]
        lines.append(f"  {' '.join(settings) or '(the defaults)'}")
    return lines


def _finals(search: Search, history: History, target: Target) -> str:
    """The means over the finals' seeds of the best trials' options and of the defaults."""
    finalists = [int(row["trial"]) for row in search.in_finals(history, target)]
    told = []
    for trial in (*finalists, 0):
        scores = search.final_scores(history, target, trial)
        name = f"trial {trial}" if trial else "defaults"
        mean = f"{fmean(scores):.5g}" if scores else "without a score"
        beside = "".join(
            f", {score} {fmean(values):.4g}"
            for score in search.also
            if (values := search.final_scores(history, target, trial, score))
        )
        told.append(f"{name} {mean} (n = {len(scores)}{beside})")
    return ", ".join(told)
