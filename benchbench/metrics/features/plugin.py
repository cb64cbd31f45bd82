"""Hook implementation: the specs of the built-in extractors, readable without torch."""

from __future__ import annotations

from benchbench.api import ExtractorSpec, hookimpl

__all__ = ["bench_extractors"]

_FEATURES = "benchbench.metrics.features"


@hookimpl
def bench_extractors() -> list[ExtractorSpec]:
    """Classifiers of the digit data sets."""
    return [
        ExtractorSpec(
            name="digits-cnn",
            kinds=frozenset({"image"}),
            implementation=f"{_FEATURES}.digits:load_single",
            summary="64 features of a classifier of scikit-learn's digits, 1x8x8",
        ),
        ExtractorSpec(
            name="stacked-digits-cnn",
            kinds=frozenset({"image"}),
            implementation=f"{_FEATURES}.digits:load_stacked",
            summary="the features of digits-cnn for each of three channels, 3x8x8",
        ),
    ]
