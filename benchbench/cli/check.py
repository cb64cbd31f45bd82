"""`bench check`: what a model, data set, metric or extractor promises, one line a check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from benchbench.api import UsageError
from benchbench.api.errors import unknown
from benchbench.cli.assets import user_assets
from benchbench.cli.new import TYPES, WORDS, with_article
from benchbench.registry import Registry

if TYPE_CHECKING:
    from benchbench.testing import Kit

__all__ = ["check"]

DOWNLOADING = 86_400.0
"""Seconds that a data set may take to load where it is fetched first."""


@click.command()
@click.argument("name")
@click.option("--plugin", help="The plugin file that holds it.")
@click.option(
    "--type",
    "type_",
    type=click.Choice(TYPES),
    help="What NAME is, where it is the name of more than one thing.",
)
@click.option("--only", help="Checks to run (default: all), as in: resume,samples.")
@click.option(
    "--steps",
    type=click.IntRange(1, 1_000_000),
    help="Of a model: steps of the training that has to beat a Gaussian (default: 800).",
)
@click.option("--data-dir", help="Of a data set: folder with local copies (also: $BENCH_DATA).")
@click.option("--inception-weights", help="Of an extractor: file with Inception's weights.")
@click.option(
    "--download", is_flag=True, help="Of a data set or an extractor: fetch what is not here."
)
@click.option(
    "--expect",
    "expected",
    multiple=True,
    help="A failure that is known, with its reason: 'nfe=adaptive solver'. Repeatable.",
)
def check(
    name: str,
    plugin: str | None,
    type_: str | None,
    only: str | None,
    steps: int | None,
    data_dir: str | None,
    inception_weights: str | None,
    download: bool,
    expected: tuple[str, ...],
) -> int:
    """Check the model, data set, metric or extractor NAME against its contract: one line a check.

    NAME is as typed after --models, --datasets, --metrics or --extractor, options in brackets
    included: 'ldm[steps=8]'. A model takes about half a minute, the others a few seconds. Exit
    code 0 where every check passed, was skipped or failed as expected; 1 otherwise.
    """
    type_ = _type_of(name, Registry.load([plugin] if plugin else []), type_)
    given: dict[str, tuple[tuple[str, ...], Any]] = {
        "--steps": (("model",), steps),
        "--data-dir": (("dataset",), data_dir),
        "--inception-weights": (("extractor",), inception_weights),
        "--download": (("dataset", "extractor"), download or None),
    }
    for option, (wanted, value) in given.items():
        if value is not None and type_ not in wanted:
            whom = " or ".join(with_article(each) for each in wanted)
            raise UsageError(f"{option} is for {whom}; {name!r} is {with_article(type_)}")
    reasons = dict(_reason(text) for text in expected)
    names = [part.strip() for part in (only or "").split(",") if part.strip()]
    if only is not None and not names:
        raise UsageError(f"--only is {only!r}; name at least one check")
    assets = user_assets(data_dir, download=download, inception_weights=inception_weights)

    import torch

    from benchbench.testing import dataset_kit, extractor_kit, metric_kit, model_kit

    torch.set_num_threads(1)  # small networks: more threads only wait for one another
    options: dict[str, Any] = {"plugin": plugin, "expected_failures": reasons}
    if type_ == "model":
        if steps is not None:
            options["steps"] = steps
        kit = model_kit(name, **options)
    elif type_ == "dataset":
        if download:
            options["seconds"] = DOWNLOADING
        kit = _there(dataset_kit(name, assets=assets, **options))
    elif type_ == "extractor":
        kit = _there(extractor_kit(name, assets=assets, **options))
    else:
        kit = metric_kit(name, **options)
    for check_name in names:
        kit.check(check_name)
    return _told(name, kit, names)


def _there(kit: Kit) -> Kit:
    """The kit of something whose files are here; raises UsageError where they are not."""
    if kit.outcome("load").status == "skipped":
        raise UsageError(kit.outcome("load").reason)
    return kit


def _told(name: str, kit: Kit, names: list[str]) -> int:
    """Run the checks, print a line for each as it ends, and give the exit code."""
    width = max(len(check) for check in kit.checks)
    counts = {"passed": 0, "failed": 0, "skipped": 0, "expected": 0}
    for outcome in kit.outcomes(names):
        counts[outcome.status] += 1
        told = outcome.reason or kit.check(outcome.check).summary
        click.echo(f"{outcome.status:8}  {outcome.check:{width}}  {told}")
    total = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    click.echo(f"{name}: {total}")
    return 1 if counts["failed"] else 0


def _type_of(name: str, registry: Registry, type_: str | None) -> str:
    """What NAME is, as it is registered, or as the user says; refuses what is not there."""
    plain = name.partition("[")[0].strip()
    head = plain.partition(":")[0]
    scores = registry.score_specs()
    there = {
        "model": [*registry.models],
        "metric": [*registry.metrics, *scores],
        "dataset": [*registry.datasets],
        "extractor": [*registry.extractors],
    }
    found = [kind for kind, names in there.items() if head in names]
    if type_ is not None:
        if type_ not in found and not (type_ == "model" and ":" in plain):
            raise unknown(WORDS[type_], head, there[type_])
        return type_
    if len(found) > 1:
        words = " and ".join(with_article(kind) for kind in found)
        choices = " or ".join(f"--type {kind}" for kind in found)
        raise UsageError(f"{head!r} is {words}; say which with {choices}")
    if not found and ":" in plain:
        registry.model(plain)  # module:function, or why it is none
        return "model"
    if not found:
        failed = ", ".join(failure.plugin for failure in registry.failures)
        hint = f"Plugins that failed to load: {failed} (see `bench list plugins`)" if failed else ""
        allowed = [*there["model"], *there["dataset"], *registry.metrics, *there["extractor"]]
        raise unknown("model, data set, metric or extractor", head, allowed, hint)
    return found[0]


def _reason(text: str) -> tuple[str, str]:
    name, _, reason = text.partition("=")
    if not name.strip() or not reason.strip():
        raise UsageError(f"--expect {text!r} is not CHECK=REASON, as in 'nfe=adaptive solver'")
    return name.strip(), reason.strip()
