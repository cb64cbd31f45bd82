"""Likelihoods: finite, row by row, and labelled rightly.

∫ exp(log_prob(x)) dx = 1            an exact density
E elbo(x) <= log p(x)                a bound, so by Jensen's inequality ∫ exp(E elbo(x)) dx <= 1
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchbench.api.model import Model
from benchbench.testing.checks.grids import STEP, grid, integral, rows_alone
from benchbench.testing.outcomes import ensure
from benchbench.testing.subject import Subject, settled

__all__ = ["density_of_samples", "density_total", "elbo", "log_prob"]

ROWS = 32
DRAWS = 64
"""Of z for each x, over which a bound is averaged."""
TOLERANCE = 0.02
MANY = 4000
CRITICAL = 2.0
"""Kolmogorov's statistic sqrt(n)·D; a true density passes it with probability 1 − 7e-4."""


def log_prob(subject: Subject) -> None:
    """log_prob(x) is finite, (n,), and the same whichever rows stand beside x"""
    subject.need("log_prob")
    for case in subject.cases:
        model, x = subject.trained(case), case.held_out(ROWS)
        value = _log_prob(model, x)
        _finite(value, f"{case.name}: log_prob")
        rows_alone(partial(_log_prob, model), x, f"{case.name}: log_prob")


def density_total(subject: Subject) -> None:
    """in one dimension exp(log_prob) integrates to one"""
    subject.need("log_prob")
    model = subject.trained(subject.line("log_prob"))
    total = integral(partial(_log_prob, model))
    ensure(
        abs(total - 1) <= TOLERANCE,
        f"line: exp(log_prob) integrates to {total:.4g}, not to 1: it is not the exact log density "
        "(a bound belongs in `elbo`)",
    )


def density_of_samples(subject: Subject) -> None:
    """in one dimension log_prob is the density of what sample draws (Kolmogorov–Smirnov)"""
    subject.need("log_prob")
    model = subject.trained(subject.line("log_prob"))
    x = grid()
    density = _log_prob(model, x).double().exp()
    # The trapezoidal rule at each point of the grid, and straight lines between: a sum of columns
    # would lie one step to the side, which a narrow mode does not forgive.
    below = (density.cumsum(0) - 0.5 * density) * STEP
    drawn = subject.sample(model, MANY).flatten().double().sort().values
    under = torch.from_numpy(np.interp(drawn.cpu(), x.flatten().double(), below.cpu()))
    ranks = (torch.arange(MANY, dtype=torch.float64) + 0.5) / MANY
    statistic = float((under - ranks).abs().max()) * math.sqrt(MANY)
    ensure(
        statistic <= CRITICAL,
        f"line: {MANY} samples do not follow exp(log_prob): Kolmogorov's statistic is "
        f"{statistic:.3g}, beyond {CRITICAL}",
    )


def elbo(subject: Subject) -> None:
    """elbo(x) is finite, (n,), and a lower bound: on log_prob, and below a total mass of one"""
    subject.need("elbo")
    for case in subject.cases:
        model, x = subject.trained(case), case.held_out(ROWS)
        mean, error = _mean_elbo(model, x)
        _finite(mean, f"{case.name}: elbo")
        if subject.can("log_prob"):
            over = float(((mean - _log_prob(model, x).double()) / error).max())
            ensure(
                over <= 6,
                f"{case.name}: elbo lies above log_prob by {over:.1f} standard errors; "
                "a lower bound can't",
            )
    if "points" in subject.spec.kinds:
        mean, _ = _mean_elbo(subject.trained(subject.case("line")), grid())
        total = float(mean.exp().sum() * STEP)
        ensure(
            total <= 1 + TOLERANCE,
            f"line: exp(elbo) integrates to {total:.4g}; a lower bound on a log density stays at "
            "or below 1",
        )


def _log_prob(model: Model, x: Tensor) -> Tensor:
    with settled(), torch.no_grad():
        return model.log_prob(x)


def _mean_elbo(model: Model, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over draws of z and its standard error: (n,) float64 each."""
    generator = torch.Generator().manual_seed(9)
    with settled(), torch.no_grad():
        draws = [model.elbo(x, generator=generator) for _ in range(DRAWS)]
    for value in draws[:1]:
        ensure(
            tuple(value.shape) == (len(x),),
            f"elbo returned shape {tuple(value.shape)} for {len(x)} rows, not ({len(x)},)",
        )
    stacked = torch.stack(draws).double()
    return stacked.mean(0), stacked.std(0) / math.sqrt(DRAWS) + 1e-6


def _finite(value: Tensor, what: str) -> None:
    ensure(tuple(value.shape) == (ROWS,), f"{what} has shape {tuple(value.shape)}, not ({ROWS},)")
    bad = int((~value.isfinite()).sum())
    ensure(bad == 0, f"{what} is not finite at {bad} of {ROWS} held-out examples")
