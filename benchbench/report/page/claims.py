"""Verdicts of claims, from the claims.csv of the result folders, each with its figure.

A row without a data set has the claim's verdict; the rows after it one for each data set. Columns
that are not shown here are in claims.csv.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchbench.api.names import short_label
from benchbench.report.effects import Effect, claim_figure, overview_figure
from benchbench.report.page.charts import Charts, Grid, Picture
from benchbench.report.page.sources import Result

__all__ = ["ClaimView", "ClaimsView", "claims_view"]

_SIGNS = {"supported": "✓", "refuted": "✗", "inconclusive": "?", "untestable": "–"}
_WIDTH = 520
"""Pixels of a figure, so that its letters can be read on a phone."""


@dataclass(frozen=True)
class ClaimView:
    """A claim: its verdict with a sign, what it says, why, and its figure where it has effects.

    run: the folder, where several have claims.
    """

    name: str
    verdict: str
    sign: str
    hypothesis: str
    reason: str
    source: str
    run: str
    figure: Picture | None


@dataclass(frozen=True)
class ClaimsView:
    """All claims. counts: verdicts in words; overview: every effect in units of its delta."""

    counts: str
    claims: tuple[ClaimView, ...]
    overview: Picture | None
    grid: Grid


def claims_view(results: Sequence[Result], charts: Charts) -> ClaimsView | None:
    """The verdicts of every folder that has some, or None."""
    rows = [(result.name, claim) for result in results for claim in result.claims]
    if not rows:
        return None
    several = len({name for name, _ in rows}) > 1
    groups: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for name, row in rows:
        groups.setdefault((name, row.get("id", "")), []).append(row)
    views = [_view(group, name if several else "", charts) for (name, _), group in groups.items()]
    effects = [effect for _, row in rows if (effect := _effect_of(row)) is not None]
    return ClaimsView(
        _counted([view.verdict for view in views]),
        tuple(views),
        _overview(effects, charts) if len(groups) > 1 else None,
        _grid(rows, several),
    )


def _counted(verdicts: Sequence[str]) -> str:
    """`3 supported, 1 refuted.`"""
    found = Counter(verdicts)
    order = [*_SIGNS, *sorted(set(found) - set(_SIGNS))]
    return ", ".join(f"{found[v]} {v}" for v in order if found[v]) + "."


def _view(rows: Sequence[Mapping[str, str]], run: str, charts: Charts) -> ClaimView:
    whole = next((row for row in rows if not row.get("dataset")), rows[0])
    known = [(row, e) for row in rows if (e := _effect_of(row)) is not None]
    effects = [e for _, e in known if e.drawable]
    verdict, name = whole.get("verdict", ""), whole.get("id", "")
    figure = None
    if effects:
        said = "; ".join(f"{e.dataset}: {_said(row)}, {e.verdict}" for row, e in known)
        label = f"Effect of {name} with its interval. {said}"
        figure = charts.picture(claim_figure(effects, _WIDTH), "", label)
    return ClaimView(
        name,
        verdict,
        _SIGNS.get(verdict, ""),
        whole.get("hypothesis", ""),
        whole.get("reason", ""),
        whole.get("source", ""),
        run,
        figure,
    )


def _overview(effects: Sequence[Effect], charts: Charts) -> Picture | None:
    figure = overview_figure(effects, 560)
    if figure is None:
        return None
    return charts.picture(
        figure, "", "All claims: effects in units of δ; the table has the numbers"
    )


def _effect_of(row: Mapping[str, str]) -> Effect | None:
    """The effect of a data set's row; None for the claim's own row and where there is no number."""
    names = ("effect", "ci_low", "ci_high", "delta")
    effect, low, high, delta = (_float(row.get(name, "")) for name in names)
    if not row.get("dataset") or any(math.isnan(v) for v in (effect, low, high, delta)):
        return None
    metric, statistic = row.get("metric", ""), row.get("statistic", "")
    return Effect(
        row.get("id", ""),
        short_label(row["dataset"]),
        row.get("verdict", ""),
        effect,
        low,
        high,
        delta,
        factor=row.get("scale") == "factor",
        equal=row.get("direction") == "equal",
        what=f"{metric} ({statistic})" if metric and statistic else metric,
    )


def _grid(rows: Sequence[tuple[str, Mapping[str, str]]], several: bool) -> Grid:
    head = ("claim", "verdict", "data set", "effect [interval]", "δ", "seeds", "what, and why")
    lines = [(*_line(claim), *((name,) if several else ())) for name, claim in rows]
    caption = "Verdicts, and effects with their intervals"
    return Grid(caption, (*head, "run") if several else head, tuple(lines))


def _line(claim: Mapping[str, str]) -> tuple[str, ...]:
    verdict = claim.get("verdict", "")
    sign = _SIGNS.get(verdict, "")
    dataset = claim.get("dataset", "")
    whole = claim.get("hypothesis", "") if not dataset else ""
    said = ". ".join(text.rstrip(".") for text in (whole, claim.get("reason", "")) if text)
    return (
        claim.get("id", ""),
        f"{sign} {verdict}".strip(),
        short_label(dataset) if dataset else "",
        _said(claim),
        _delta(claim),
        _seeds(claim),
        said,
    )


def _said(claim: Mapping[str, str]) -> str:
    """`0.51 [0.41, 0.61]`, `×3.2 [2.1, 4.9]`."""
    times = "×" if claim.get("scale") == "factor" else ""
    effect = _number(claim.get("effect", ""))
    low, high = (_number(claim.get(name, "")) for name in ("ci_low", "ci_high"))
    effect = f"{times}{effect}" if effect else ""
    return f"{effect} [{low}, {high}]" if effect and low and high else effect


def _delta(claim: Mapping[str, str]) -> str:
    delta = _number(claim.get("delta", ""))
    equal, factor = claim.get("direction") == "equal", claim.get("scale") == "factor"
    sign = ("×÷" if equal else "×") if factor else ("±" if equal else "")
    return f"{sign}{delta}" if delta else ""


def _seeds(claim: Mapping[str, str]) -> str:
    return " / ".join(n for n in (claim.get("n", ""), claim.get("n_against", "")) if n)


def _number(text: str) -> str:
    """A number with four digits; other text as it is."""
    value = _float(text)
    return text if math.isnan(value) else f"{value:.4g}".replace("-", "−")


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
