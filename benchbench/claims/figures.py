"""Figures of judged claims: each claim on its data sets, and all claims in units of delta."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchbench.api.names import short_label
from benchbench.claims.verdicts import Comparison, Judged
from benchbench.report.canvas import publish
from benchbench.report.effects import Effect, claim_figure, overview_figure

__all__ = ["draw_all", "draw_claim", "has_figure"]

_CHARACTERS = 100


def has_figure(judged: Judged) -> bool:
    """Whether a claim has an effect that can be drawn."""
    return any(effect.drawable for effect in _effects(judged))


def draw_claim(judged: Judged, path: Path) -> None:
    """Draw the data sets of a claim that have an effect; at least one must."""
    effects = [e for e in _effects(judged) if e.drawable]
    text = judged.claim.hypothesis
    short = text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1].rstrip() + "…"
    title = f"{judged.claim.id}: {judged.verdict}"
    publish(claim_figure(effects, title=title, text=short), path)


def draw_all(judged: Sequence[Judged], path: Path) -> None:
    """Draw every claim on every data set in units of delta; nothing where none has an effect."""
    effects = [effect for one in judged for effect in _effects(one)]
    title = "Effects with intervals that hold together with probability 95 %"
    figure = overview_figure(effects, title=title)
    if figure is not None:
        publish(figure, path)


def _effects(judged: Judged) -> list[Effect]:
    return [_effect(c) for c in judged.comparisons if c.effect is not None]


def _effect(c: Comparison) -> Effect:
    effect, low, high, delta = (c.shown(v) for v in (c.effect, c.low, c.high, c.delta))
    return Effect(
        claim=c.claim.id,
        dataset=short_label(c.dataset),
        verdict=c.verdict,
        effect=effect,
        low=low,
        high=high,
        delta=delta,
        factor=c.claim.factor,
        equal=c.claim.direction == "equal",
        what=f"{c.claim.metric or 'failed runs'} ({c.claim.statistic})",
    )
