"""Hook implementation: the specs of the built-in data sets, readable without torch."""

from __future__ import annotations

from benchbench.api import DatasetSpec, hookimpl
from benchbench.data.folder_spec import FolderOptions

__all__ = ["bench_datasets"]

_BUILT_IN = (
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
)
"""Data that come with the bench."""

_FROM_FILES = (
    DatasetSpec(
        name="mnist",
        kind="image",
        shape=(1, 28, 28),
        implementation="benchbench.data.mnist:load_mnist",
        where="benchbench.data.idx:where_mnist",
        extractor="mnist-cnn",
        summary="handwritten digits, 28x28, 10 classes",
        reference="LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998",
    ),
    DatasetSpec(
        name="fashion-mnist",
        kind="image",
        shape=(1, 28, 28),
        implementation="benchbench.data.mnist:load_fashion_mnist",
        where="benchbench.data.idx:where_fashion",
        extractor="fashion-mnist-cnn",
        summary="clothes, 28x28, 10 classes",
        reference="Xiao et al., Fashion-MNIST, 2017",
    ),
    DatasetSpec(
        name="stacked-mnist",
        kind="image",
        shape=(3, 28, 28),
        implementation="benchbench.data.mnist:load_stacked_mnist",
        where="benchbench.data.idx:where_mnist",
        extractor="stacked-mnist-cnn",
        samples=26_000,
        summary="three of MNIST's digits as colour channels, 1000 modes",
        reference="Metz et al., Unrolled GAN, 2017; Lin et al., PacGAN, 2018 (protocol)",
    ),
    DatasetSpec(
        name="cifar10",
        kind="image",
        shape=(3, 32, 32),
        implementation="benchbench.data.cifar:load_cifar10",
        where="benchbench.data.cifar_files:where_cifar10",
        extractor="inception",
        summary="photographs of animals and vehicles, 32x32, 10 classes",
        reference="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    ),
    DatasetSpec(
        name="pulse",
        kind="signal",
        shape=(1, 64),
        implementation="benchbench.data.pulse:load_pulse",
        where="benchbench.data.pulse_file:where_pulse",
        summary="windows of 1.28 s of a recorded pulse at 50 Hz; splits share no value",
        reference="van Gent et al., HeartPy, 2019 (LICENSE: MIT, metadata: GPL)",
    ),
    DatasetSpec(
        name="folder",
        kind="image",
        shape=(3, 32, 32),
        implementation="benchbench.data.folder:load_folder",
        argument="PATH",
        options=FolderOptions,
        instance="benchbench.data.folder_spec:folder_instance",
        extractor="inception",
        summary="any images of a folder, resized and cropped to a square",
    ),
)
"""Data whose files are found or fetched."""


@hookimpl
def bench_datasets() -> list[DatasetSpec]:
    """Mixtures of Gaussians, digits that come with scikit-learn, real images and a signal."""
    return [*_BUILT_IN, *_FROM_FILES]
