"""What measures runs in full float32, whatever the process was set to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from evaluation_cases import IMAGES, on_images
from torch import Tensor

from benchbench.api.data import Dataset
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.features.classifier import ClassifierExtractor
from benchbench.metrics.features.digits import load_single
from benchbench.metrics.kid import kernel_distance
from benchbench.metrics.moments import Moments
from benchbench.metrics.prdc import prdc
from benchbench.metrics.precision import full_float32
from benchbench.metrics.vendi import vendi_score


@pytest.fixture(autouse=True)
def coarse() -> Iterator[None]:
    """What a plugin may set for the whole process."""
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision("highest")


class Spy(ClassifierExtractor):
    """An extractor that remembers how precise products were when it was called."""

    def __init__(self) -> None:
        super().__init__(load_single().net, "spy")
        self.seen: list[tuple[str, bool]] = []

    def _read(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        state = (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32)
        self.seen.append(state)
        return super()._read(x)


def test_features_and_modes_are_read_in_full_precision(images: Dataset) -> None:
    spy = Spy()
    with torch.backends.cudnn.flags(allow_tf32=True):
        row = on_images(images)
        row._extractor = row._reader = spy
        row.features("reference", 100)
        row.modes("samples", 100)
    assert spy.seen == [("highest", False)] * 2


def test_the_setting_comes_back_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="here"), full_float32():
        raise RuntimeError("here")
    assert torch.get_float32_matmul_precision() == "medium"


def measures(x: Tensor, y: Tensor) -> list[float]:
    """Of two sets of features."""
    found = prdc(x, y, k=5)
    values = [found.precision, found.recall, found.density, found.coverage]
    values.append(Moments.of(x).frechet(Moments.of(y)))
    return [*values, kernel_distance(x, y).value, vendi_score(y)]


@pytest.mark.gpu
@pytest.mark.parametrize("features", [8, 64, 600])
def test_measures_on_a_gpu_are_those_of_the_processor(features: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(3_000, features, generator=generator) for _ in range(2))
    y = 0.9 * y + 0.05
    assert measures(x.cuda(), y.cuda()) == pytest.approx(measures(x, y), rel=1e-9)


@pytest.mark.gpu
def test_features_on_a_gpu_are_those_of_the_processor(images: Dataset) -> None:
    def row(device: str) -> SampleEvaluation:
        x = images.to_model(images.validation.raw)
        return SampleEvaluation(images, IMAGES, samples=x, extractor=load_single(), device=device)

    here, there = (row(device).features("samples", 300).cpu() for device in ("cpu", "cuda"))
    torch.testing.assert_close(there, here, rtol=1e-4, atol=1e-5)
