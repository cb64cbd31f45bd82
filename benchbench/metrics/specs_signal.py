"""Scores and options of measures for signals, readable without torch."""

from __future__ import annotations

from pydantic import Field

from benchbench.api import Config, MetricSpec, ScoreSpec
from benchbench.metrics.specs_quality import COMPARED

__all__ = ["SIGNAL_SPECS", "SignalConfig"]


class SignalConfig(Config):
    """How many windows are compared."""

    n: int = Field(10_000, ge=2, description=COMPARED)


SIGNAL_SPECS: list[MetricSpec] = [
    MetricSpec(
        name="signals",
        kinds=frozenset({"signal"}),
        implementation="benchbench.metrics.signals:compute",
        scores=(
            ScoreSpec(
                "signal_fd",
                "1",
                "min",
                label="Fréchet",
                digits=3,
                summary="squared Fréchet distance of Gaussians fitted to the windows themselves; "
                "sees means and covariances, nothing else",
                catches=("collapsed", "noise", "blur"),
            ),
            ScoreSpec(
                "signal_nn",
                "1",
                "min",
                label="nearest",
                digits=4,
                summary="mean distance from a generated window to the nearest test window, over "
                "sqrt(numbers in a window); sees shapes, not diversity",
                catches=("noise",),
            ),
            ScoreSpec(
                "spectrum_db",
                "dB",
                "min",
                label="spectrum",
                digits=2,
                summary="mean absolute difference of the two mean power spectra, in decibels",
                catches=("noise", "blur"),
            ),
        ),
        config=SignalConfig,
        summary="Covariances, shapes and spectrum of generated windows against test windows.",
    )
]
