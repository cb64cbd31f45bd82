"""`bench list`: what is installed, who brought it, and what failed to load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import click

from benchbench.api import Assets
from benchbench.api.errors import unknown
from benchbench.cli.assets import user_assets
from benchbench.registry import Registry

__all__ = ["list_command"]

TOPICS = ("models", "datasets", "extractors", "metrics", "plugins")


@click.command("list")
@click.argument("topic", required=False)
@click.option("--plugin", "plugins", multiple=True, help="A plugin file. Repeatable.")
@click.option("--data-dir", help="Folder with local copies of data sets (also: $BENCH_DATA).")
def list_command(topic: str | None, plugins: tuple[str, ...], data_dir: str | None) -> None:
    """List models, data sets, extractors, metrics and plugins (or one TOPIC of these)."""
    if topic is not None and topic not in TOPICS:
        raise unknown("topic", topic, TOPICS)
    registry = Registry.load(plugins)
    assets = user_assets(data_dir)
    show: dict[str, Callable[[Registry], None]] = {
        "models": _models,
        "datasets": lambda registry: _datasets(registry, assets),
        "extractors": _extractors,
        "metrics": _metrics,
        "plugins": _plugins,
    }
    for name in (topic,) if topic else TOPICS:
        show[name](registry)
    for failure in registry.failures if topic in (None, "plugins") else ():
        click.echo(f"failed   {failure.plugin} of {failure.owner}: {failure.error}")


def _models(registry: Registry) -> None:
    rows = []
    for _, entry in sorted(registry.models.items()):
        spec = entry.spec
        kinds, can = ", ".join(sorted(spec.kinds)), ", ".join(sorted(spec.capabilities))
        rows.append((spec.typed, spec.family, kinds, can or "-", entry.owner, entry.version))
    _print(("model", "family", "data kinds", "capabilities", "owner", "version"), rows)
    for name, entry in sorted(registry.models.items()):
        config, sampling = entry.spec.config.model_fields, entry.spec.sampling.model_fields
        click.echo(f"{name}: {entry.spec.summary}")
        click.echo(f"  options   {', '.join(config) or '-'}")
        click.echo(f"  sampling  {', '.join(sampling) or '-'}")
    click.echo("")


def _datasets(registry: Registry, assets: Assets) -> None:
    rows = [
        (
            e.spec.typed,
            e.spec.kind,
            "x".join(map(str, e.spec.shape)),
            registry.where(name, assets),
            e.spec.summary,
            e.owner,
            e.version,
        )
        for name, e in sorted(registry.datasets.items())
    ]
    _print(("data set", "kind", "shape", "where", "what it is", "owner", "version"), rows)


def _extractors(registry: Registry) -> None:
    rows = [
        (name, ", ".join(sorted(e.spec.kinds)), e.spec.summary, e.owner, e.version)
        for name, e in sorted(registry.extractors.items())
    ]
    _print(("extractor", "data kinds", "what it is", "owner", "version"), rows)


def _metrics(registry: Registry) -> None:
    rows = []
    for name, entry in registry.metrics.items():
        scores = ", ".join(score.name for score in entry.spec.scores)
        kinds = ", ".join(sorted(entry.spec.kinds))
        rows.append((name, kinds, scores, entry.owner, entry.version))
    _print(("metric", "data kinds", "scores", "owner", "version"), rows)


def _plugins(registry: Registry) -> None:
    brought: dict[tuple[str, str], list[str]] = {}
    tables = (registry.models, registry.datasets, registry.extractors, registry.metrics)
    for table in tables:
        for name, entry in table.items():
            brought.setdefault((entry.owner, entry.version), []).append(name)
    rows = [(o, v, ", ".join(names)) for (o, v), names in sorted(brought.items())]
    _print(("plugin owner", "version", "brings"), rows)


def _print(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
    click.echo("")
