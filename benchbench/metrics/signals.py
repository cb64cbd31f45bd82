"""Measures of signals that need no learned features: windows are compared as they are.

Windows x: (n, C, T), standardised, D = C·T.

    signal_fd    d²(N(m, S), N(m', S')), the squared Fréchet distance of Gaussians fitted to all D
                 coordinates: the right first two moments score 0, whatever the shapes
    signal_nn    1/n Σ_i min_j |x_i − y_j| / sqrt(D) over test windows y: near 0 only for windows
                 that could have been recorded; copies and a single good window score well
    spectrum_db  mean over channels and frequencies f >= 1 of |10 log₁₀ P(f) − 10 log₁₀ P'(f)|,
                 P the mean periodogram of Hann-windowed examples

The first asks for spread and correlations, the second for shapes: each is blind to what the other
sees, so both stand together.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.api import Score
from benchbench.metrics.counts import paired_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.moments import Moments
from benchbench.metrics.specs_signal import SignalConfig

__all__ = ["compute", "mean_nearest", "spectrum"]

ROWS = 1024
FLOOR = 1e-6
"""Power below which a frequency is silent; a standardised signal has about 1."""


def spectrum(x: Tensor) -> Tensor:
    """Mean periodogram in decibels without the constant: (n, C, T) -> (C, T // 2)."""
    window = torch.hann_window(x.shape[2], periodic=True, dtype=torch.float64, device=x.device)
    power = torch.fft.rfft(x.double() * window).abs().square().mean(dim=0)[:, 1:]
    return 10 * (power / window.square().sum()).clamp_min(FLOOR).log10()


def mean_nearest(x: Tensor, y: Tensor) -> float:
    """Mean over the rows of x (n, D) of the distance to the nearest row of y (m, D)."""
    y = y.double()
    nearest = [torch.cdist(rows.double(), y).amin(dim=1) for rows in x.split(ROWS)]
    return float(torch.cat(nearest).mean())


def compute(evaluation: SampleEvaluation, config: SignalConfig) -> list[Score]:
    """The three scores of n windows against the first n test windows."""
    n = paired_count(evaluation, config.n)
    x, y = evaluation.samples(n), evaluation.reference(n)
    flat, real = x.flatten(1), y.flatten(1)
    detail = {"features": "coordinates", "reference": f"test:{n}", **sampling_detail(evaluation)}
    distance = Moments.of(real).frechet(Moments.of(flat))
    nearest = mean_nearest(flat, real) / flat.shape[1] ** 0.5
    decibels = float((spectrum(x) - spectrum(y)).abs().mean())
    return [
        Score("signal_fd", distance, n=n, detail=detail),
        Score("signal_nn", nearest, n=n, detail=detail),
        Score("spectrum_db", decibels, n=n, detail=detail),
    ]
