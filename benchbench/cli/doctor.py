"""`bench doctor`: what this machine offers, and what would stop a run."""

from __future__ import annotations

import os
import platform

import click

from benchbench import __version__
from benchbench.cli.assets import user_assets
from benchbench.registry import Registry
from benchbench.runner.suite import embedded_suites

__all__ = ["doctor"]


@click.command()
@click.option("--data-dir", help="Folder with local copies of data sets (also: $BENCH_DATA).")
def doctor(data_dir: str | None) -> int:
    """Check versions, devices, plugins and suites; exit code 1 where something is broken."""
    import torch

    assets = user_assets(data_dir)
    click.echo(f"benchbench  {__version__}")
    click.echo(f"python      {platform.python_version()} on {platform.platform()}")
    click.echo(f"torch       {torch.__version__}")
    cores = len(os.sched_getaffinity(0))
    click.echo(f"cpu         {cores} cores usable, {torch.get_num_threads()} torch threads")
    for index in range(torch.cuda.device_count()):
        name = torch.cuda.get_device_name(index)
        memory = torch.cuda.get_device_properties(index).total_memory
        click.echo(f"cuda:{index}      {name}, {memory / 2**30:.0f} GiB")
    if not torch.cuda.is_available():
        click.echo("cuda        none; runs use the CPU")
    registry = Registry.load()
    click.echo(
        f"plugins     {len(registry.models)} models, {len(registry.datasets)} data sets, "
        f"{len(registry.metrics)} metrics"
    )
    click.echo(f"suites      {', '.join(embedded_suites()) or 'none found'}")
    for name, entry in sorted(registry.datasets.items()):
        if entry.spec.where:
            click.echo(f"data        {entry.spec.typed}: {registry.where(name, assets)}")
    click.echo(f"cache       {assets.cache}")
    for failure in registry.failures:
        click.echo(f"broken      {failure.plugin} of {failure.owner}: {failure.error}")
    return 1 if registry.failures or not embedded_suites() else 0
