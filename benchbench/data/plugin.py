"""Hook implementation: the specs of the built-in data sets, readable without torch."""

from __future__ import annotations

from benchbench.api import DatasetSpec, hookimpl

__all__ = ["bench_datasets"]


@hookimpl
def bench_datasets() -> list[DatasetSpec]:
    """ring8, grid25, digits and stacked-digits."""
    return [
        DatasetSpec(
            name="ring8",
            kind="points",
            shape=(2,),
            implementation="benchbench.data.gaussians:load_ring8",
            samples=2_500,
            summary="8 Gaussians, sigma 0.01, on a circle of radius 1",
            reference="Srivastava et al., VEEGAN, 2017",
        ),
        DatasetSpec(
            name="grid25",
            kind="points",
            shape=(2,),
            implementation="benchbench.data.gaussians:load_grid25",
            samples=2_500,
            summary="25 Gaussians, sigma 0.05, means on the grid {-4, -2, 0, 2, 4}^2",
            reference="Srivastava et al., VEEGAN, 2017",
        ),
        DatasetSpec(
            name="digits",
            kind="image",
            shape=(1, 8, 8),
            implementation="benchbench.data.digits:load_digits",
            extractor="digits-cnn",
            samples=10_000,
            summary="scikit-learn's handwritten digits, 8x8, 17 grey levels, 10 classes",
            reference="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, 1998",
        ),
        DatasetSpec(
            name="stacked-digits",
            kind="image",
            shape=(3, 8, 8),
            implementation="benchbench.data.digits:load_stacked",
            extractor="stacked-digits-cnn",
            samples=26_000,
            summary="three digits as colour channels, 1000 modes; splits share no digit image",
            reference="Metz et al., Unrolled GAN, 2017; Lin et al., PacGAN, 2018 (protocol)",
        ),
    ]
