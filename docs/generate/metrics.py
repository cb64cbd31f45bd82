"""The built-in metrics and their scores, and what each score made of the controls."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from benchbench.api import MetricSpec, ScoreSpec
from benchbench.report.instruments import LEGEND, Finding, instrument_table
from benchbench.runner.scoring import SPEND_SPECS, all_specs
from generate.options import registry
from generate.text import code, plain, sentence, table

__all__ = ["control_legend", "control_table", "metric", "metric_index", "score"]

FINDINGS = Path(__file__).parents[2] / "results" / "default" / "instruments.csv"
_BETTER = {"max": "higher", "min": "lower", "none": "neither"}


def metric_index() -> str:
    """A table of all scores by metric."""
    rows = [
        (
            f"[{code(s.name)}](#score-{s.name})",
            f"[{code(m.name)}](#metric-{m.name})",
            _unit(s),
            _BETTER[s.direction],
            "yes" if s.table else "–",
        )
        for m in _specs().values()
        for s in m.scores
    ]
    return table(["score", "metric", "unit", "better", "in the table"], rows)


def metric(name: str) -> str:
    """Heading and facts of one metric, a group of scores that are computed together."""
    spec = _specs()[name]
    asks = "samples alone" if spec.needs == "samples" else "the trained model"
    asks += "; features of an extractor, for points the coordinates" if spec.features else ""
    once = "each way of sampling" if spec.scope == "variant" else "a trained model"
    facts = [
        ("kinds of data", ", ".join(sorted(spec.kinds))),
        ("needs", asks),
        ("computed once for", once),
        ("scores", ", ".join(f"[{code(s.name)}](#score-{s.name})" for s in spec.scores)),
    ]
    if spec.reference:
        facts.append(("source", plain(spec.reference)))
    if isinstance(spec.implementation, str):
        facts.append(("implementation", code(spec.implementation)))
    lines = "\n".join(f"* **{what}**: {said}" for what, said in facts)
    return f"## {code(name)} {{ #metric-{name} }}\n\n{sentence(spec.summary)}\n\n{lines}"


def score(name: str) -> str:
    """Heading and definition of one score."""
    spec = _scores()[name]
    facts = [f"unit {_unit(spec)}", f"better: {_BETTER[spec.direction]}"]
    facts.append(f"head of the column: {plain(spec.label or name)}" if spec.table else
                 "in scores.csv alone")  # fmt: skip
    return (
        f"### {code(name)} {{ #score-{name} }}\n\n*{'; '.join(facts)}*\n\n"
        f"**Definition.** {sentence(spec.summary)}"
    )


def control_table(name: str) -> str:
    """What a score must catch, and what it made of the controls in results/default."""
    spec = _scores()[name]
    rows = []
    for dataset in dict.fromkeys(f.dataset for f in _findings()):
        head, *lines = instrument_table(_findings(), dataset)
        for line in lines:
            if line[0] == name and any(cell != "–" for cell in line[1:]):
                rows.append([code(dataset), *line[1:]])
    must = f"It must catch: {', '.join(spec.catches)}." if spec.catches else "It declares none."
    said = f"**Controls.** {must}"
    if not rows:
        return f"{said} {_unmeasured(spec)}"
    return f"{said}\n\n{table(['data set', *head[1:]], rows)}"


def _unmeasured(spec: ScoreSpec) -> str:
    """Why no control of the committed run has this score."""
    if spec.name in SPEND_SPECS:
        return "It is of a training; controls are samples alone."
    owner = next(m for m in _specs().values() if spec in m.scores)
    if not owner.of_samples:
        return "It asks the trained model; controls are samples alone."
    if spec.direction == "none" and not spec.catches:
        return "Neither side is better, so nothing can be caught."
    return (
        f"It serves {' and '.join(sorted(owner.kinds))}, which the default suite lacks: run "
        "`--controls` on a data set of yours."
    )


def _unit(spec: ScoreSpec) -> str:
    return "1 (a pure number)" if spec.unit == "1" else plain(spec.unit)


@cache
def _specs() -> dict[str, MetricSpec]:
    return {name: entry.spec for name, entry in registry().metrics.items()}


@cache
def _scores() -> dict[str, ScoreSpec]:
    return all_specs(registry())


@cache
def _findings() -> tuple[Finding, ...]:
    with FINDINGS.open(encoding="utf-8", newline="") as file:
        return tuple(
            Finding(
                row["dataset"],
                row["metric"],
                row["control"],
                required=row["required"] == "True",
                told=None if not row["told"] else row["told"] == "True",
                real=tuple(map(float, row["real"].split())),
                values=tuple(map(float, row["values"].split())),
                reason=row["reason"],
            )
            for row in csv.DictReader(file)
        )


def control_legend() -> str:
    """What the marks of a control table mean."""
    return plain(LEGEND)
