"""The instrument check: which scores told the controls from real data, and which did not.

`benchbench.metrics.controls` says what the controls are. Each was drawn several times; a score
tells a control from real data where every draw of the control is worse than every draw of real
data. What a score must catch is declared in `ScoreSpec.catches`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchbench.api import CONTROLS, ScoreSpec
from benchbench.api.names import short_label
from benchbench.report.renderers.escape import markdown
from benchbench.store.files import write_text_atomic
from benchbench.store.scores import CONTROL_MODEL

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LEGEND",
    "Finding",
    "check_instruments",
    "failing",
    "instrument_lines",
    "instrument_table",
    "write_instruments",
]

_REAL = "real"
LEGEND = (
    "Each control is drawn four times. A score tells it from real data where all its draws "
    "are worse than all draws of held-out real data (by chance 1 in 70). Values are means "
    "over draws. ✓ told apart as declared; ✗ missed; (✓) told apart, not declared; "
    "· not declared and not told apart; – not measured."
)


@dataclass(frozen=True)
class Finding:
    """One score of one control on one data set.

    required: whether the score declares that it catches this control. told: whether it did; None
    where it was not measured, and `reason` says why. real, control: the value of each draw.
    """

    dataset: str
    metric: str
    control: str
    required: bool
    told: bool | None
    real: tuple[float, ...]
    values: tuple[float, ...]
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether the score missed what it must catch."""
        return self.required and self.told is False


def check_instruments(scores: pd.DataFrame, specs: Mapping[str, ScoreSpec]) -> list[Finding]:
    """Every finding of a score frame, in the order of data sets and scores; empty without controls.

    A score without a better side is checked only for what it declares, and told apart by lying
    wholly on either side; other scores without a better side are left out.
    """
    rows = scores[scores.model == CONTROL_MODEL]
    found = []
    for dataset in dict.fromkeys(rows.dataset):
        here = rows[rows.dataset == dataset]
        for name in [n for n in specs if n in set(here.metric)]:
            if specs[name].direction != "none" or specs[name].catches:
                found += _findings(here[here.metric == name], dataset, specs[name])
    return found


def _findings(rows: pd.DataFrame, dataset: str, spec: ScoreSpec) -> list[Finding]:
    def values(control: str) -> tuple[float, ...]:
        own = rows[(rows.variant == control) & (rows.status == "done")]
        return tuple(float(v) for v in own.sort_values("seed").value)

    real = values(_REAL)
    findings = []
    for control in (c for c in CONTROLS if c != _REAL):
        drawn = values(control)
        told = _told(real, drawn, spec) if real and drawn else None
        reasons = rows[(rows.variant == control) & (rows.status != "done")].reason
        reason = "" if told is not None else next(iter(reasons), "no value of real data")
        required = control in spec.catches
        findings.append(Finding(dataset, spec.name, control, required, told, real, drawn, reason))
    return findings


def _told(real: Sequence[float], drawn: Sequence[float], spec: ScoreSpec) -> bool:
    above, below = min(drawn) > max(real), max(drawn) < min(real)
    return {"min": above, "max": below, "none": above or below}[spec.direction]


def failing(findings: Sequence[Finding]) -> dict[tuple[str, str], list[str]]:
    """(data set, score) -> the controls it should have caught and did not."""
    missed: dict[tuple[str, str], list[str]] = {}
    for f in findings:
        if f.failed:
            missed.setdefault((f.dataset, f.metric), []).append(f.control)
    return missed


def instrument_lines(findings: Sequence[Finding]) -> list[str]:
    """The check in a few lines for the end of a run."""
    lines = []
    for dataset in dict.fromkeys(f.dataset for f in findings):
        required = [f for f in findings if f.dataset == dataset and f.required]
        told = sum(f.told is True for f in required)
        unmeasured = sum(f.told is None for f in required)
        more = f", {unmeasured} not measured" if unmeasured else ""
        lines.append(
            f"instruments on {short_label(dataset)}: {told} of {len(required)} controls caught "
            f"as declared{more} (instruments.md)"
        )
        lines += [
            f"  {f.metric} did not tell {f.control} from real data" for f in required if f.failed
        ]
    return lines


def instrument_table(findings: Sequence[Finding], dataset: str) -> list[list[str]]:
    """Head and rows: a row a score; in each cell a sign and the mean value of the control.

    ✓ told apart as declared, ✗ missed, (✓) told apart though not declared, · neither, – not
    measured.
    """
    controls = [c for c in CONTROLS if c != _REAL]
    table = [["score", _REAL, *controls]]
    here = [f for f in findings if f.dataset == dataset]
    for metric in dict.fromkeys(f.metric for f in here):
        row = {f.control: f for f in here if f.metric == metric}
        real = next(iter(row.values())).real
        cells = [_cell(row[c]) for c in controls]
        table.append([metric, _mean(real), *cells])
    return table


def _cell(f: Finding) -> str:
    if f.told is None:
        return "–"
    sign = {(True, True): "✓", (True, False): "✗", (False, True): "(✓)", (False, False): "·"}
    return f"{sign[f.required, f.told]} {_mean(f.values)}"


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3g}" if values else "–"


def write_instruments(findings: Sequence[Finding], folder: Path) -> None:
    """Write instruments.md and instruments.csv, or nothing where there were no controls."""
    if not findings:
        return
    parts = [LEGEND]
    for dataset in dict.fromkeys(f.dataset for f in findings):
        head, *rows = instrument_table(findings, dataset)
        rule = [":--", *["--:"] * (len(head) - 1)]
        lines = [[*map(markdown, head)], rule, *([*map(markdown, row)] for row in rows)]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(f"## {markdown(short_label(dataset))}\n\n{text}")
        missed = [f for f in findings if f.dataset == dataset and f.failed]
        parts += [f"{markdown(f.metric)} did not tell {f.control} from real data." for f in missed]
    write_text_atomic(folder / "instruments.md", "\n\n".join(parts) + "\n")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        ["dataset", "metric", "control", "required", "told", "real", "values", "reason"]
    )
    for f in findings:
        told = "" if f.told is None else f.told
        draws = (" ".join(map(repr, draws)) for draws in (f.real, f.values))
        writer.writerow([f.dataset, f.metric, f.control, f.required, told, *draws, f.reason])
    write_text_atomic(folder / "instruments.csv", buffer.getvalue())
