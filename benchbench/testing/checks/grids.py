"""Integrals over the line, and whether rows are independent of one another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchbench.testing.outcomes import ensure
from benchbench.testing.subject import settled

__all__ = ["STEP", "grid", "integral", "rows_alone"]

REACH, STEP = 10.0, 0.01
"""In standard deviations of the data."""
FAR = 25.0
"""Reach of an adaptive integral: a prior may be wide before it is trained."""
PIECES, HALVINGS = 250, 7
SLACK = 5e-3


def grid() -> Tensor:
    """(m, 1) float32, from −REACH to REACH."""
    return torch.arange(-REACH, REACH + STEP / 2, STEP).unsqueeze(1)


def integral(log_density: Callable[[Tensor], Tensor]) -> float:
    """∫ exp(log density) from −FAR to FAR by Simpson's rule, halving pieces where it is rough.

    log_density: (m, 1) float32 -> (m,) nats. A piece is done when Simpson's rule on its halves
    moves it by less than its part of SLACK, or after HALVINGS.

    >>> round(integral(lambda x: torch.distributions.Normal(0, 0.01).log_prob(x)[:, 0]), 3)
    1.0
    """

    def density(x: Tensor) -> Tensor:
        return log_density(x.float().unsqueeze(1)).double().exp()

    points = torch.linspace(-FAR, FAR, 2 * PIECES + 1, dtype=torch.float64)
    values = density(points)
    left, right = points[:-1:2], points[2::2]
    ends, middle = torch.stack([values[:-1:2], values[2::2]]), values[1::2]
    total = 0.0
    for depth in range(HALVINGS + 1):
        width = right - left
        whole = width / 6 * (ends[0] + 4 * middle + ends[1])
        quarters = torch.cat([left + width / 4, left + 3 * width / 4])
        first, second = density(quarters).chunk(2)
        halves = width / 12 * (ends[0] + 4 * first + 2 * middle + 4 * second + ends[1])
        rough = (halves - whole).abs() > SLACK / PIECES
        if depth == HALVINGS:
            rough = torch.zeros_like(rough)
        total += float(halves[~rough].sum())
        if not rough.any():
            break
        centre = ((left + right) / 2)[rough]
        left, right = torch.cat([left[rough], centre]), torch.cat([centre, right[rough]])
        ends = torch.stack(
            [
                torch.cat([ends[0][rough], middle[rough]]),
                torch.cat([middle[rough], ends[1][rough]]),
            ]
        )
        middle = torch.cat([first[rough], second[rough]])
    return total


def rows_alone(call: Callable[[Tensor], Tensor], rows: Tensor, what: str) -> None:
    """Raise Breach where a row's result depends on the rows beside it.

    Up to rounding: a matrix product may sum in another order for another batch size.
    """
    with settled(), torch.no_grad():
        together = call(rows)
        alone = torch.cat([call(rows[:1]), call(rows[1:])])
    ensure(
        tuple(alone.shape) == tuple(together.shape),
        f"{what} gives shape {tuple(alone.shape)} in two calls, {tuple(together.shape)} in one",
    )
    gap = float((together - alone).abs().max())
    scale = max(1.0, float(alone.abs().max()))
    ensure(
        gap <= 1e-3 * scale,
        f"{what} gives a row another value beside other rows: the difference is up to {gap:.3g} "
        f"where values reach {scale:.3g}; no row may depend on another",
    )
