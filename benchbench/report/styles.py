"""One colour and one marker for each row label, the same in every figure of a result.

Colours: Okabe and Ito, "Color Universal Design", 2008, told apart with any colour vision. Held-out
data is black. Past seven labels the colours repeat with other markers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["COLOURS", "MISSED", "REAL", "REAL_LABEL", "REAL_MUTED", "Style", "model_styles"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F5F00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True)
class Style:
    """colour: as `#rrggbb`; marker: matplotlib's letter for it."""

    colour: str
    marker: str


REAL = Style("#000000", "o")
REAL_MUTED = Style("#808080", "o")
"""Held-out data where black would not be seen: on dark ground, or under black lines."""
REAL_LABEL = "real (held out)"
MISSED = "#C00000"
"""Modes and classes without a sample."""


def model_styles(labels: Iterable[str]) -> dict[str, Style]:
    """A style for each label, by its place among the distinct labels in the order given.

    Give the labels of the whole result, not those of one data set, so that a label looks the
    same in every figure. The 56 combinations of seven colours and eight markers are all distinct.
    """
    distinct = list(dict.fromkeys(labels))
    return {
        label: Style(COLOURS[i % len(COLOURS)], _MARKERS[i % len(_MARKERS)])
        for i, label in enumerate(distinct)
    }
