"""`bench`: the command line. One line for each mistake, exit code 2, the message last.

Exit codes: 0 all done, 1 some cells failed, 2 bad usage or a broken plugin, 3 cells are queued or
running elsewhere, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import click

from benchbench import __version__
from benchbench.api.errors import BenchError, describe, nearest, one_line
from benchbench.cli.check import check
from benchbench.cli.claims import claims
from benchbench.cli.doctor import doctor
from benchbench.cli.eval import evaluate
from benchbench.cli.listing import list_command
from benchbench.cli.new import new
from benchbench.cli.report import report
from benchbench.cli.run import run
from benchbench.cli.table import table
from benchbench.cli.tune import tune

__all__ = ["bench", "main"]

TRACEBACK = "BENCH_TRACEBACK"
"""Environment variable: a defect of the bench shows where it happened."""


class _Group(click.Group):
    """A group that names the nearest command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            close = nearest(args[0], self.commands)
            guess = f"; did you mean {close!r}?" if close else ";"
            allowed = ", ".join(sorted(self.commands))
            raise click.UsageError(f"unknown command {args[0]!r}{guess} Allowed: {allowed}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="benchbench")
def bench() -> None:
    """Benchmark generative models under an equal budget.

    \b
    bench run --models ldm,vae,gan      train, measure, print a table
    bench eval SAMPLES --dataset NAME    measure samples that were made elsewhere
    bench claims article                 claims with verdicts
    bench tune --models ldm,vae,gan …    equal tuning, scored on validation data
    bench list                          models, data sets, metrics, plugins
    bench new NAME, bench check NAME    a plugin to begin with, and whether it keeps the contract
    """


for command in (run, evaluate, tune, claims, table, report, list_command, new, check, doctor):
    bench.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script."""
    sys.exit(_guarded(arguments))


def _guarded(arguments: list[str] | None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that are not UTF-8, ASCII streams
    try:
        with _sigterm_interrupts():
            result: Any = bench.main(args=arguments, prog_name="bench", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        click.echo(f"error: {one_line(error.format_message())}", err=True)
        return 2
    except BenchError as error:
        click.echo(f"error: {one_line(str(error))}", err=True)
        return 2
    except BrokenPipeError:
        return 1
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        click.echo(f"error: {one_line(f'{error.strerror or error}{where}')}", err=True)
        return 2
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        hint = f"set {TRACEBACK}=1 for the traceback"
        click.echo(f"error: a defect of the bench: {describe(error)}; {hint}", err=True)
        return 2


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
