"""Hook implementation: the specs of the built-in extractors, readable without torch."""

from __future__ import annotations

from benchbench.api import ExtractorSpec, Kind, hookimpl

__all__ = ["bench_extractors"]

_FEATURES = "benchbench.metrics.features"
_IMAGES: frozenset[Kind] = frozenset({"image"})


@hookimpl
def bench_extractors() -> list[ExtractorSpec]:
    """Inception, a scattering transform, and classifiers of the small grey data sets."""
    return [
        ExtractorSpec(
            name="inception",
            kinds=_IMAGES,
            implementation=f"{_FEATURES}.inception:load",
            summary="2048 features of Inception v3 as in published FIDs; any image, "
            "weights by --inception-weights FILE or --download",
            reference="Heusel et al., 'GANs Trained by a Two Time-Scale Update Rule Converge to a "
            "Local Nash Equilibrium', 2017; Obukhov et al., 'High-fidelity performance metrics "
            "for generative models in PyTorch', 2020",
        ),
        ExtractorSpec(
            name="scattering",
            kinds=_IMAGES,
            implementation=f"{_FEATURES}.scattering:load",
            summary="wavelet moduli fixed by a formula; any grey or RGB image of 8 pixels and "
            "more, nothing to download",
            reference="Bruna & Mallat, 'Invariant Scattering Convolution Networks', 2013",
        ),
        ExtractorSpec(
            name="fashion-mnist-cnn",
            kinds=_IMAGES,
            implementation=f"{_FEATURES}.grey28:load_fashion",
            summary="120 features of a classifier of fashion-mnist, 1x28x28",
        ),
        ExtractorSpec(
            name="mnist-cnn",
            kinds=_IMAGES,
            implementation=f"{_FEATURES}.grey28:load_mnist",
            summary="120 features of a classifier of mnist, 1x28x28",
        ),
        ExtractorSpec(
            name="stacked-mnist-cnn",
            kinds=_IMAGES,
            implementation=f"{_FEATURES}.grey28:load_stacked_mnist",
            summary="the features of mnist-cnn for each of three channels, 3x28x28",
        ),
        ExtractorSpec(
            name="digits-cnn",
            kinds=_IMAGES,
            implementation=f"{_FEATURES}.digits:load_single",
            summary="64 features of a classifier of scikit-learn's digits, 1x8x8",
        ),
        ExtractorSpec(
            name="stacked-digits-cnn",
            kinds=_IMAGES,
            implementation=f"{_FEATURES}.digits:load_stacked",
            summary="the features of digits-cnn for each of three channels, 3x8x8",
        ),
    ]
