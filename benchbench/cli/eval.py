"""`bench eval`: samples that were made elsewhere, measured as a model's are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbench.api import Assets, PluginError, UsageError
from benchbench.api.names import check_name, short_label, slug
from benchbench.cli.assets import user_assets
from benchbench.cli.run import carry_out

if TYPE_CHECKING:
    from benchbench.registry import Registry
    from benchbench.runner.plan import Cell, Plan
    from benchbench.runner.run import Run
    from benchbench.runner.suite import Suite

__all__ = ["evaluate"]

SCALES = ("auto", "levels", "255", "unit", "signed")


@click.command("eval")
@click.argument("samples")
@click.option("--dataset", required=True, help="The data set that the samples imitate.")
@click.option("--name", help="Name of the row (default: that of the file or folder).")
@click.option("--metrics", help="Metrics or scores (default: those of the result folder, or all).")
@click.option("--extractor", help="Feature map of FID and its like (default: the data set's own).")
@click.option(
    "--scale",
    type=click.Choice(SCALES),
    default="auto",
    show_default=True,
    help="What the numbers of images mean: the data set's levels, 0 to 255, [0, 1] or [-1, 1].",
)
@click.option("--array", default="", help="Which array of a .npz or .safetensors file.")
@click.option("--resize", is_flag=True, help="Resize images of another size, antialiased.")
@click.option("--plugin", "plugins", multiple=True, help="A plugin file. Repeatable.")
@click.option("--data-dir", help="Folder with local copies of data sets (also: $BENCH_DATA).")
@click.option("--download", is_flag=True, help="Fetch data sets and weights that are not here.")
@click.option("--inception-weights", help="File with Inception's weights (.pth or .safetensors).")
@click.option("--device", help="auto (cuda, else cpu), cpu, cuda or cuda:N.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of each cell (default 1).")
@click.option("--out", help="Result folder, new or with a run of the data set.")
@click.option("--open", "open_", is_flag=True, help="Show the report in the browser at the end.")
def evaluate(samples: str, dataset: str, **options: Any) -> int:
    """Measure SAMPLES: a folder of images, or a .npz, .npy or .safetensors file.

    Images as uint8 or floats, channels first or last; points and signals in original units.
    The row stands after the trained models, with the budget `external`. In a result folder that
    holds a run of the data set it is measured as that run was; the same --name replaces it.
    """
    from benchbench.registry import Registry

    if "\0" in samples:
        raise UsageError(f"SAMPLES {samples!a} has a NUL byte; give another path")
    path = Path(samples)
    name = _name(options["name"], path)
    older = _older(options["out"])
    plugins = dict.fromkeys([*(older.plugins if older else ()), *options["plugins"]])
    registry = Registry.load(plugins)
    spec = registry.dataset(dataset).spec
    suite = _suite(older, name, spec.name, options)
    assets = user_assets(
        options["data_dir"],
        download=options["download"],
        inception_weights=options["inception_weights"],
    )
    if older and not (options["data_dir"] or options["inception_weights"]):
        assets = Assets(
            older.assets.folders or assets.folders, assets.download, weights=older.assets.weights
        )
    out = Path(options["out"] or Path("results") / suite.name)
    return _measure(path, name, suite, registry, assets, out, options)


def _measure(
    path: Path,
    name: str,
    suite: Suite,
    registry: Registry,
    assets: Assets,
    out: Path,
    options: dict[str, Any],
) -> int:
    from benchbench.api import Budget
    from benchbench.runner.given import read_given
    from benchbench.runner.plan import Checked, check_metrics, given_plan, resolve_plan
    from benchbench.store.samples import write_samples

    budget = Budget.parse(suite.budget)
    checked = Checked(suite, [], check_metrics(suite, registry), budget)
    found = read_given(
        path,
        registry.load_dataset(suite.datasets[0], assets),
        scale=options["scale"],
        array=options["array"],
        resize=options["resize"],
    )
    click.echo(f"read {len(found.raw):,} samples: {found.read}", err=True)
    given = {"digest": found.digest, "path": str(path.resolve()), "read": found.read}
    plan = given_plan(resolve_plan(checked, registry, assets), name, given, found.notes)

    def prepare(job: Run, cells: list[Cell]) -> None:
        for cell in cells:
            if cell.given:
                write_samples(job.folder.cell(cell.folder).given, found.raw, found.digest)

    return carry_out(plan, budget, registry, out, prepare=prepare, shown=options["open_"])


def _name(given: str | None, path: Path) -> str:
    from benchbench.registry import RESERVED

    name = given if given is not None else slug(path.resolve().stem).lower()
    try:
        check_name(name, "--name")
    except PluginError as error:
        raise UsageError(str(error)) from None
    if name in RESERVED:
        raise UsageError(f"--name {name!r} is kept for the bench's own rows; choose another")
    return name


def _older(out: str | None) -> Plan | None:
    """The plan of the result folder, if it has one."""
    from benchbench.runner.plan import Plan
    from benchbench.store.folder import ResultFolder

    if out is None or "\0" in out or not (Path(out) / "plan.json").is_file():
        return None
    return Plan.from_json(ResultFolder(Path(out)).plan())


def _measured_like(plan: Plan, dataset: str) -> Cell | None:
    from benchbench.store.scores import REFERENCE_MODEL

    here = (c for c in plan.cells if c.dataset == dataset and c.model == REFERENCE_MODEL)
    return next(here, None)


def _suite(older: Plan | None, name: str, dataset: str, options: dict[str, Any]) -> Suite:
    """How to measure: as the folder's run of this data set was, where no option says otherwise."""
    from pydantic import ValidationError

    from benchbench.runner.selection import split_outside_brackets
    from benchbench.runner.suite import Suite, describe_invalid

    label = slug(short_label(dataset)).replace("+", "-").lstrip("_-.")[:64]
    keys: dict[str, Any] = {"name": older.name if older else label or "run"}
    like = _measured_like(older, dataset) if older else None
    if like is not None:
        keys["metrics"] = {metric.name: metric.config for metric in like.metrics}
        keys["extractor"] = like.extractor.name or "auto"
        keys |= {"threads": like.threads, "device": like.device, "precision": like.precision}
    if options["metrics"] is not None:
        keys["metrics"] = {key: {} for key in split_outside_brackets(options["metrics"])}
        if not keys["metrics"]:
            raise UsageError(f"--metrics is {options['metrics']!r}; name at least one")
    keys |= {k: options[k] for k in ("extractor", "device", "threads") if options[k] is not None}
    try:
        return Suite.model_validate({**keys, "models": (name,), "datasets": (dataset,)})
    except ValidationError as error:
        raise UsageError(describe_invalid(error, Suite)) from None
