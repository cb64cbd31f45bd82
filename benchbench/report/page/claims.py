"""Verdicts of claims, from the claims.csv of the result folders.

A row without a data set has the claim's verdict; the rows after it one for each data set. Columns
that are not shown here are in claims.csv.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchbench.api.names import short_label
from benchbench.report.page.charts import Grid
from benchbench.report.page.sources import Result

__all__ = ["claims_grid"]

_SIGNS = {"supported": "✓", "refuted": "✗", "inconclusive": "?", "untestable": "–"}


def claims_grid(results: Sequence[Result]) -> Grid | None:
    """The verdicts of every folder that has some, or None."""
    rows = [(result.name, claim) for result in results for claim in result.claims]
    if not rows:
        return None
    several = len({name for name, _ in rows}) > 1
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
        _effect(claim),
        _number(claim.get("delta", "")),
        claim.get("n", ""),
        said,
    )


def _effect(claim: Mapping[str, str]) -> str:
    effect = _number(claim.get("effect", ""))
    low, high = (_number(claim.get(name, "")) for name in ("ci_low", "ci_high"))
    return f"{effect} [{low}, {high}]" if effect and low and high else effect


def _number(text: str) -> str:
    """A number with four digits; other text as it is."""
    try:
        return f"{float(text):.4g}".replace("-", "−")
    except ValueError:
        return text
