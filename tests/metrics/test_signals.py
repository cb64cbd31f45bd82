"""Measures of signals on cases whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch

from benchbench.api import CONTROL_DRAWS, Assets
from benchbench.metrics.controls import control_samples
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.signals import compute, mean_nearest, spectrum
from benchbench.metrics.specs_signal import SIGNAL_SPECS, SignalConfig
from benchbench.registry import Registry


def test_the_spectrum_of_a_sine_peaks_at_its_frequency() -> None:
    time = torch.arange(64) / 64
    x = torch.sin(2 * math.pi * 5 * time).view(1, 1, 64)
    found = spectrum(x)
    assert found.shape == (1, 32)
    assert int(found.argmax()) == 4  # frequency 5; the constant is left out
    louder = spectrum(10 * x)
    near = slice(3, 6)  # Hann's window spreads a line over three frequencies; the rest is silent
    assert (louder - found)[0, near].tolist() == pytest.approx([20.0] * 3)


def test_white_noise_has_its_variance_at_every_frequency() -> None:
    x = 3 * torch.randn(20_000, 1, 64, generator=torch.Generator().manual_seed(0))
    expected = torch.full((1, 31), 10 * math.log10(9.0)).double()
    torch.testing.assert_close(spectrum(x)[:, :-1], expected, atol=0.1, rtol=0)


def test_nearest_neighbours_by_hand() -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    y = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    assert mean_nearest(x, y) == pytest.approx((0 + math.hypot(3, 3)) / 2)


def test_controls_are_caught_as_declared() -> None:
    """Every draw of a control scores worse than every draw of held-out data."""
    registry = Registry.load()
    pulse, spec = registry.load_dataset("pulse", Assets()), registry.dataset("pulse").spec

    def values(control: str) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for draw in range(CONTROL_DRAWS):
            row = SampleEvaluation(pulse, spec, samples=control_samples(control, pulse, draw))
            for score in compute(row, SignalConfig()):
                assert score.value is not None
                found.setdefault(score.metric, []).append(score.value)
        return found

    real = values("real")
    for score in SIGNAL_SPECS[0].scores:
        for control in score.catches:
            assert min(values(control)[score.name]) > max(real[score.name]), (score.name, control)
