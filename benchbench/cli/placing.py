"""Options that say where cells run, shared by the commands that run cells."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from benchbench.api import UsageError

if TYPE_CHECKING:
    from benchbench.runner.executor import Placement

__all__ = ["executor_options", "read_placement"]

Command = TypeVar("Command", bound=Callable[..., Any])

CLUSTER = ("gpus_per_cell", "memory_per_cell")
"""Options of every executor but the local one."""
OWN = {
    "ray": ("ray_address", "ray_files"),
    "slurm": (
        "slurm_cluster",
        "slurm_partition",
        "slurm_time",
        "slurm_set",
        "cells_per_job",
        "detach",
    ),
}
"""Options of one executor alone."""

_OPTIONS = (
    click.option(
        "--executor",
        type=click.Choice(["local", "ray", "slurm"]),
        default="local",
        show_default=True,
        help="Where cells run: on this machine, as tasks of a Ray cluster, or as a Slurm array.",
    ),
    click.option("--gpus-per-cell", type=click.FloatRange(0), help="ray, slurm: GPUs of a cell."),
    click.option(
        "--memory-per-cell",
        type=click.FloatRange(0, min_open=True),
        help="ray, slurm: memory of a cell in GiB.",
    ),
    click.option("--ray-address", help="ray: HOST:PORT of a cluster (default: one of its own)."),
    click.option(
        "--ray-files",
        type=click.Choice(["auto", "shared", "stream"]),
        help="ray: whether nodes see the result folder (default auto: they look).",
    ),
    click.option("--slurm-partition", help="slurm: the partition."),
    click.option("--slurm-time", type=click.IntRange(1), help="slurm: minutes of a job (60)."),
    click.option(
        "--slurm-set",
        multiple=True,
        help="slurm: another option of sbatch, as in account=NAME. Repeatable.",
    ),
    click.option(
        "--slurm-cluster",
        type=click.Choice(["slurm", "local"]),
        help="slurm: `local` runs the jobs as processes of this machine, to try it out.",
    ),
    click.option(
        "--cells-per-job",
        type=click.IntRange(1),
        help="slurm: cells that a job takes one after another (default: 1 up to 1,000 jobs).",
    ),
    click.option("--detach", is_flag=True, help="slurm: do not wait; the same command collects."),
)


def executor_options(command: Command) -> Command:
    """Give a command the options of executors."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_placement(options: dict[str, Any]) -> Placement | None:
    """The executor that the options ask for; None: the local one.

    Raises UsageError where options do not go together, or an extra is not installed.
    """
    kind = options["executor"]
    _check_owners(kind, options)
    memory = options["memory_per_cell"]
    for name in CLUSTER:
        if options[name] is not None and not math.isfinite(options[name]):
            raise UsageError(f"{_flag(name)} is {options[name]}; give a number")
    if kind == "ray":
        from benchbench.runner.ray_executor import RayPlacement

        return RayPlacement(
            address=options["ray_address"],
            gpus=options["gpus_per_cell"],
            memory=None if memory is None else int(memory * 2**30),
            files=options["ray_files"] or "auto",
        )
    if kind == "slurm":
        from benchbench.runner.slurm_executor import SlurmPlacement

        return SlurmPlacement(
            cluster=options["slurm_cluster"] or "slurm",
            partition=options["slurm_partition"],
            minutes=options["slurm_time"] or 60,
            gpus=_whole_gpus(options["gpus_per_cell"]),
            memory=memory,
            more=_settings(options["slurm_set"]),
            cells_per_job=options["cells_per_job"],
            detach=options["detach"],
        )
    return None


def _check_owners(kind: str, options: dict[str, Any]) -> None:
    """Refuse an option of another executor than the one that was chosen."""
    for owner, names in OWN.items():
        for name in names:
            if owner != kind and options[name]:
                raise UsageError(f"{_flag(name)} needs --executor {owner}; given {kind}")
    for name in CLUSTER:
        if kind == "local" and options[name] is not None:
            raise UsageError(f"{_flag(name)} needs --executor ray or slurm; given local")


def _whole_gpus(given: float | None) -> int | None:
    if given is None or given == int(given):
        return None if given is None else int(given)
    raise UsageError(f"--gpus-per-cell is {given:g}; Slurm takes whole numbers, Ray parts as well")


def _settings(given: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip("- "):
            raise UsageError(f"--slurm-set {text!r} is not option=value, as in account=NAME")
        settings[name.strip("- ")] = value
    return settings


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
