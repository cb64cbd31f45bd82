"""`bench check`: what a model promises, checked one line at a time."""

from __future__ import annotations

import click

from benchbench.api import UsageError
from benchbench.api.errors import unknown
from benchbench.registry import Registry

__all__ = ["check"]


@click.command()
@click.argument("model")
@click.option("--plugin", help="The plugin file that holds it.")
@click.option("--only", help="Checks to run (default: all), as in: resume,samples.")
@click.option(
    "--steps",
    type=click.IntRange(1, 1_000_000),
    default=800,
    show_default=True,
    help="Steps of the training that has to beat a Gaussian.",
)
@click.option(
    "--expect",
    "expected",
    multiple=True,
    help="A failure that is known, with its reason: 'nfe=adaptive solver'. Repeatable.",
)
def check(
    model: str, plugin: str | None, only: str | None, steps: int, expected: tuple[str, ...]
) -> int:
    """Check MODEL against the contract: one line a check, in about half a minute.

    Exit code 0 where every check passed, was skipped or failed as expected; 1 otherwise.
    """
    spec = Registry.load([plugin] if plugin else []).model(model).spec
    if spec.external:
        raise UsageError(f"{model!r} was trained elsewhere; only models that train can be checked")
    reasons = dict(_reason(text) for text in expected)

    from benchbench.testing import MODEL_CHECKS, model_kit

    names = [name.strip() for name in (only or "").split(",") if name.strip()]
    for name in (*names, *reasons):
        if name not in {c.name for c in MODEL_CHECKS}:
            raise unknown("check", name, (c.name for c in MODEL_CHECKS))
    if only is not None and not names:
        raise UsageError(f"--only is {only!r}; name at least one check")

    import torch

    torch.set_num_threads(1)  # small networks: more threads only wait for one another
    kit = model_kit(spec.name, plugin=plugin, steps=steps, expected_failures=reasons)
    width = max(len(name) for name in kit.checks)
    counts = {"passed": 0, "failed": 0, "skipped": 0, "expected": 0}
    for outcome in kit.outcomes(names):
        counts[outcome.status] += 1
        told = outcome.reason or kit.check(outcome.check).summary
        click.echo(f"{outcome.status:8}  {outcome.check:{width}}  {told}")
    total = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    click.echo(f"{spec.name}: {total}")
    return 1 if counts["failed"] else 0


def _reason(text: str) -> tuple[str, str]:
    name, _, reason = text.partition("=")
    if not name.strip() or not reason.strip():
        raise UsageError(f"--expect {text!r} is not CHECK=REASON, as in 'nfe=adaptive solver'")
    return name.strip(), reason.strip()
