"""What a metric is handed: the same bits whoever asks first, and breaches named in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from evaluation_cases import IMAGES, POINTS, Sampler, grey, normal, on_images, on_points
from torch import Tensor

from benchbench.api.data import Dataset
from benchbench.api.errors import BenchError, NotAvailable, PluginError
from benchbench.metrics import (
    frechet,
    prdc,
)
from benchbench.metrics.evaluation import SampleEvaluation, block_rows, check_samples
from benchbench.metrics.features.digits import load_single
from benchbench.metrics.specs_quality import FrechetConfig, PrdcConfig


def test_samples_do_not_depend_on_who_asks_first(images: Dataset) -> None:
    some, all_at_once = on_images(images, seed=3), on_images(images, seed=3)
    some.features("samples", 7)
    some.samples(1001)
    some.modes("samples", 1500)
    x = all_at_once.samples(2500)
    assert torch.equal(some.samples(2500), x)
    assert torch.equal(some.features("samples", 2500), all_at_once.features("samples", 2500))
    read, sure = all_at_once.modes("samples", 2500)
    again, as_sure = some.modes("samples", 2500)
    assert torch.equal(read, again)
    assert torch.equal(sure, as_sure)
    assert torch.equal(some.samples(7), x[:7])


def test_nothing_is_made_twice(points: Dataset) -> None:
    evaluation = on_points(points)
    first = evaluation.samples(10).clone()
    for n in (10, 5000, 3500, 5001):
        evaluation.samples(n)
        evaluation.features("samples", n)
    assert evaluation.model.calls == 3
    assert torch.equal(evaluation.samples(10), first)


def test_samples_that_were_made_with_gradients_are_taken(points: Dataset) -> None:
    def guided(n: int, generator: torch.Generator) -> Tensor:
        with torch.enable_grad():
            return 2 * normal(n, generator).requires_grad_()

    assert not on_points(points, guided).samples(30).requires_grad


def test_seeds_tell_rows_apart_and_repeat(points: Dataset) -> None:
    one, same, other = (on_points(points, seed=s).samples(50) for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    blocks = on_points(points).samples(5000).split(2500)
    assert not torch.equal(blocks[0], blocks[1])
    evaluation = on_points(points, seed=1)
    draws = [torch.rand(3, generator=evaluation.generator(name)) for name in ("a", "a", "b")]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_blocks_depend_on_the_shape_alone() -> None:
    assert [block_rows(d) for d in (2, 16, 17, 192, 12_288, 10**8)] == [
        *(2500, 2500, 1000, 1000, 325, 1)
    ]
    assert block_rows(2, "cuda") == 10_000


def test_sampling_options_reach_the_model(points: Dataset) -> None:
    seen: list[dict[str, Any]] = []

    def make(n: int, generator: torch.Generator, **options: Any) -> Tensor:
        seen.append(options)
        return normal(n, generator)

    evaluation = on_points(points, make, sampling={"steps": 8})
    evaluation.samples(5)
    assert evaluation.draw(4, generator=torch.Generator()).shape == (4, 2)
    assert seen == [{"steps": 8}, {"steps": 8}]
    scores = prdc.compute(evaluation, PrdcConfig(n=100))
    assert all((s.detail["nfe"], s.detail["sampling"]) == (8, {"steps": 8}) for s in scores)


def test_images_are_rounded_to_grey_levels(images: Dataset) -> None:
    evaluation = on_images(images)
    levels = (evaluation.samples(100) + 1) * 8
    assert torch.equal(levels, levels.round())
    x = evaluation.draw(10, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(x, images.quantise(x))


def test_points_are_their_own_features(points: Dataset) -> None:
    evaluation = on_points(points)
    found = evaluation.features("samples", 1200)
    assert found.dtype == torch.float64
    assert torch.equal(found, evaluation.samples(1200).double())
    assert torch.equal(evaluation.features("reference"), points.to_model(points.test.raw).double())
    assert evaluation.extractor_detail() == {"extractor": "coordinates"}
    with pytest.raises(NotAvailable, match="pair has no extractor"):
        evaluation.modes("samples", 10)


def test_reference_is_the_head_of_the_test_split(images: Dataset) -> None:
    evaluation = on_images(images)
    expected = images.to_model(images.test.raw)
    assert torch.equal(evaluation.reference(), expected)
    assert torch.equal(evaluation.reference(17), expected[:17])
    features = load_single().features(expected).double()
    torch.testing.assert_close(evaluation.features("reference"), features)
    read, _ = evaluation.modes("reference", 360)
    assert torch.equal(read, load_single().modes(expected)[0])
    for ask in (evaluation.reference, lambda n: evaluation.features("reference", n)):
        with pytest.raises(NotAvailable, match="361 test examples needed, there are 360"):
            ask(361)


def test_images_without_an_extractor_have_no_features(images: Dataset) -> None:
    evaluation = SampleEvaluation(images, IMAGES, model=Sampler(images.info, grey))
    for ask in (evaluation.extractor_detail, lambda: evaluation.features("samples", 5)):
        with pytest.raises(NotAvailable, match="digits has no extractor"):
            ask()


def test_given_samples(images: Dataset) -> None:
    """Held-out data or a file: no model, no draw, no more samples than there are."""
    x = images.to_model(images.validation.raw)
    row = SampleEvaluation(images, IMAGES, samples=x, extractor=load_single())
    assert torch.equal(row.samples(359), x)
    assert torch.equal(row.features("samples", 20), row.features("samples")[:20])
    assert row.available == 359
    with pytest.raises(NotAvailable, match="without a model"):
        _ = row.model
    with pytest.raises(NotAvailable, match="without a model"):
        row.draw(5, generator=torch.Generator())
    for ask in (row.samples, lambda n: row.modes("samples", n)):
        with pytest.raises(NotAvailable, match="360 samples needed, there are 359"):
            ask(360)


def test_a_row_is_a_model_or_samples(points: Dataset) -> None:
    with pytest.raises(ValueError, match="either a model or samples"):
        SampleEvaluation(points, POINTS)


def put(value: float) -> Callable[..., Tensor]:
    """Images of zeros but for one value in the third."""

    def make(n: int, generator: torch.Generator, **_: Any) -> Tensor:
        x = torch.zeros(n, 1, 8, 8)
        x[2, 0, 4, 4] = value
        return x

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (put(float("nan")), "1 of 1000 samples that are not finite"),
        (put(float("inf")), "1 of 1000 samples that are not finite"),
        (put(1.5), r"images in \[0, 1.5\]; the contract says \[-1, 1\]"),
        (put(-1.01), r"images in \[-1.01, 0\]; the contract says \[-1, 1\]"),
        (lambda n, g: torch.zeros(n, 8, 8), r"shape \(1000, 8, 8\); digits needs \(1000, 1, 8, 8"),
        (lambda n, g: torch.zeros(7, 1, 8, 8), r"shape \(7, 1, 8, 8\); digits needs \(1000, 1"),
        (lambda n, g: torch.zeros(()), r"shape \(\); digits needs \(1000, 1, 8, 8\)"),
        (lambda n, g: torch.zeros(n, 1, 8, 8).double(), "torch.float64; the contract says"),
        (lambda n, g: None, "returned NoneType, not a torch.Tensor"),
    ],
)
def test_breaches_name_the_model_and_what_it_gave(
    images: Dataset, make: Callable[..., Tensor], message: str
) -> None:
    with pytest.raises(PluginError, match=message) as caught:
        on_images(images, make).samples(5)
    assert str(caught.value).startswith("Sampler.sample returned")
    assert "\n" not in str(caught.value)


def test_a_rounding_error_beyond_the_range_is_no_breach(images: Dataset) -> None:
    assert on_images(images, put(1.0009)).samples(3).max() == 1


def test_given_samples_are_checked(images: Dataset) -> None:
    with pytest.raises(PluginError, match=r"samples returned shape \(4, 2\); digits needs \(n, 1"):
        SampleEvaluation(images, IMAGES, samples=torch.zeros(4, 2))
    assert check_samples(torch.zeros(0, 1, 8, 8), images, "a file").shape[0] == 0


def test_real_statistics_are_kept_and_read_back(images: Dataset, tmp_path: Path) -> None:
    """The same bits from the cache, without asking the extractor; the samples are never kept."""
    fresh = on_images(images, cache=None)
    expected = fresh.features("reference", 50), frechet.compute(fresh, FrechetConfig())
    on_images(images, cache=tmp_path).features("reference", 50)
    frechet.compute(on_images(images, cache=tmp_path), FrechetConfig())
    files = sorted((tmp_path / "statistics").iterdir())
    assert len(files) == 2
    again = on_images(images, cache=tmp_path)
    made = []
    again.extractor.features = lambda x: made.append(len(x)) or load_single().features(x)
    assert torch.equal(again.features("reference", 50), expected[0])
    assert made == []
    assert frechet.compute(again, FrechetConfig()) == expected[1]
    assert made == [1000]  # the samples
    assert sorted((tmp_path / "statistics").iterdir()) == files


def test_features_that_are_not_finite_name_the_extractor(images: Dataset) -> None:
    row = on_images(images)
    row.extractor.features = lambda x: torch.full((len(x), 64), float("nan"))
    with pytest.raises(BenchError, match=r"digits-cnn-64' gave 360 of 360 rows of"):
        prdc.compute(row, PrdcConfig())
