"""What a metric is handed: the same bits whoever asks first, and breaches named in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchbench.api.config import Config
from benchbench.api.data import DataInfo, Dataset
from benchbench.api.errors import BenchError, NotAvailable, PluginError
from benchbench.api.model import Model
from benchbench.api.specs import DatasetSpec
from benchbench.data.digits import load_digits
from benchbench.data.gaussians import mixture
from benchbench.metrics import (
    classes,
    fid_infinity,
    frechet,
    kid,
    memorisation,
    modes,
    ndb,
    prdc,
    vendi,
)
from benchbench.metrics.evaluation import SampleEvaluation, block_rows, check_samples
from benchbench.metrics.features.digits import load_single
from benchbench.metrics.plugin import bench_metrics
from benchbench.metrics.specs_distribution import (
    BinsConfig,
    ClassesConfig,
    ExtrapolationConfig,
    KernelConfig,
    MemorisationConfig,
    VendiConfig,
)
from benchbench.metrics.specs_quality import FrechetConfig, ModesConfig, PrdcConfig

POINTS = DatasetSpec("pair", "points", (2,), implementation="", samples=2_500)
IMAGES = DatasetSpec("digits", "image", (1, 8, 8), implementation="", samples=1_200)


class Sampler(Model):
    """A model made of one function (n, generator) -> samples."""

    def __init__(self, data: DataInfo, make: Callable[..., Tensor]) -> None:
        super().__init__(Config(), data)
        self.make, self.calls = make, 0

    def fit(self, training: Any) -> None:
        raise NotImplementedError

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        self.calls += 1
        return self.make(n, generator, **sampling)

    def nfe(self, **sampling: Any) -> int:
        return sampling.get("steps", 1)


@pytest.fixture(scope="module")
def points() -> Dataset:
    return mixture(POINTS, torch.tensor([[0.0, 0.0], [4.0, 1.0]]).double(), 0.1, seed=1)


@pytest.fixture(scope="module")
def images() -> Dataset:
    return load_digits(IMAGES)


def normal(n: int, generator: torch.Generator, **_: Any) -> Tensor:
    return torch.randn(n, 2, generator=generator)


def grey(n: int, generator: torch.Generator, **_: Any) -> Tensor:
    return 2 * torch.rand(n, 1, 8, 8, generator=generator) - 1


def on_points(data: Dataset, make: Callable[..., Tensor] = normal, **more: Any) -> SampleEvaluation:
    return SampleEvaluation(data, POINTS, model=Sampler(data.info, make), **more)


def on_images(data: Dataset, make: Callable[..., Tensor] = grey, **more: Any) -> SampleEvaluation:
    model = Sampler(data.info, make)
    return SampleEvaluation(data, IMAGES, model=model, extractor=load_single(), **more)


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
    for n in (10, 2000, 1500, 2001):
        evaluation.samples(n)
        evaluation.features("samples", n)
    assert evaluation.model.calls == 3


def test_seeds_tell_rows_apart_and_repeat(points: Dataset) -> None:
    one, same, other = (on_points(points, seed=s).samples(50) for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    blocks = on_points(points).samples(2000).split(1000)
    assert not torch.equal(blocks[0], blocks[1])
    evaluation = on_points(points, seed=1)
    draws = [torch.rand(3, generator=evaluation.generator(name)) for name in ("a", "a", "b")]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_blocks_depend_on_the_shape_alone() -> None:
    assert [block_rows(d) for d in (2, 192, 12_288, 10**8)] == [1000, 1000, 325, 1]


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


def test_metrics_count_as_their_protocols_say(points: Dataset, images: Dataset) -> None:
    """n of the config, of the protocol, or of what held-out data has."""
    on_grid, on_digits = on_points(points), on_images(images)
    assert {s.n for s in prdc.compute(on_grid, PrdcConfig(n=300))} == {300}
    assert {s.n for s in modes.compute(on_grid, ModesConfig()) if s.n} == {2500}
    assert {s.n for s in modes.compute(on_digits, ModesConfig()) if s.n} == {1200}
    assert {s.n for s in modes.compute(on_digits, ModesConfig(n=40)) if s.n} == {40}
    held_out = images.to_model(images.validation.raw)
    real = SampleEvaluation(images, IMAGES, samples=held_out, extractor=load_single())
    for row in (on_digits, real):
        (score,) = frechet.compute(row, FrechetConfig())
        assert (score.n, score.detail["reference"]) == (359, "test:359")
        assert score.detail["extractor_hash"] == load_single().digest
        assert {s.n for s in prdc.compute(row, PrdcConfig())} == {359}


def test_real_digits_beat_noise_on_every_score(images: Dataset) -> None:
    held_out = images.to_model(images.validation.raw)
    real = SampleEvaluation(images, IMAGES, samples=held_out, extractor=load_single())
    scores = [
        {
            s.metric: s.value
            for found in (
                frechet.compute(row, FrechetConfig()),
                prdc.compute(row, PrdcConfig()),
                modes.compute(row, ModesConfig(n=359)),
            )
            for s in found
        }
        for row in (real, on_images(images))
    ]
    good, bad = scores
    assert good["fid"] < bad["fid"] / 10
    for name in ("precision", "recall", "density", "coverage"):
        assert good[name] > 0.8 > bad[name]
    # Precision is lenient: a ball around an outlier holds much. What noise lacks is variety.
    assert max(bad["recall"], bad["coverage"]) < 0.1
    assert good["mode_kl"] < bad["mode_kl"]
    assert good["class_confidence"] > bad["class_confidence"]


def test_too_few_samples_are_not_available(images: Dataset) -> None:
    few = images.to_model(images.validation.raw[:5])
    row = SampleEvaluation(images, IMAGES, samples=few, extractor=load_single())
    with pytest.raises(NotAvailable, match="5 samples are too few for 5 neighbours"):
        prdc.compute(row, PrdcConfig())
    one = SampleEvaluation(images, IMAGES, samples=few[:1], extractor=load_single())
    with pytest.raises(NotAvailable, match="at least 2 samples"):
        frechet.compute(one, FrechetConfig())


def test_every_score_is_declared_and_every_declared_one_computed(
    points: Dataset, images: Dataset
) -> None:
    specs = {spec.name: spec for spec in bench_metrics()}
    computed = {
        "fid": frechet.compute(on_images(images), FrechetConfig()),
        "prdc": prdc.compute(on_points(points), PrdcConfig(n=100)),
        "modes": modes.compute(on_points(points), ModesConfig(n=100)),
    }
    for name, scores in computed.items():
        assert [s.metric for s in scores] == [s.name for s in specs[name].scores]
        assert all(s.digits is not None and s.summary and s.label for s in specs[name].scores)


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


def test_more_measures_tell_real_digits_copies_and_noise_apart(images: Dataset) -> None:
    """Each as its module says: held-out data pass, copies are caught, noise is far."""
    runs = {
        "kid": (kid.compute, KernelConfig()),
        "fid_infinity": (fid_infinity.compute, ExtrapolationConfig()),
        "vendi": (vendi.compute, VendiConfig()),
        "ndb": (ndb.compute, BinsConfig(bins=20)),
        "classes": (classes.compute, ClassesConfig(n=359)),
        "memorisation": (memorisation.compute, MemorisationConfig()),
    }
    specs = {spec.name: spec for spec in bench_metrics()}
    given = {
        "real": images.to_model(images.validation.raw),
        "copies": images.to_model(images.train.raw[:359]),
        "noise": torch.rand(359, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1,
    }
    found: dict[str, dict[str, Any]] = {}
    for who, x in given.items():
        row = SampleEvaluation(images, IMAGES, samples=x, extractor=load_single())
        found[who] = {}
        for name, (compute, config) in runs.items():
            scores = compute(row, config)
            assert [s.metric for s in scores] == [s.name for s in specs[name].scores]
            found[who] |= {s.metric: s for s in scores}
    value = {who: {k: s.value for k, s in scores.items()} for who, scores in found.items()}
    real, copies, noise = (value[who] for who in ("real", "copies", "noise"))
    assert found["real"]["kid"].ci_low < real["kid"] < found["real"]["kid"].ci_high
    assert noise["kid"] > 10 * abs(real["kid"])
    assert real["fid_infinity"] < noise["fid_infinity"] / 20
    assert real["ndb_holm"] <= 0.05 < noise["ndb_holm"]
    assert real["class_kl"] < 0.03 < noise["class_kl"]
    assert real["rarest_class_share"] > 0.7 > noise["rarest_class_share"]
    assert sum(found["real"]["class_kl"].detail["shares"]) == pytest.approx(100, abs=0.01)
    assert copies["auth_pct"] == 0 < real["auth_pct"]
    assert copies["ct"] < -10 < -3 < real["ct"] < 3 < noise["ct"]


def test_fid_has_an_interval_where_asked_for(images: Dataset) -> None:
    (score,) = frechet.compute(on_images(images), FrechetConfig(n=300, resamplings=10))
    assert score.ci_low < score.value < score.ci_high
    (plain,) = frechet.compute(on_images(images), FrechetConfig(n=300))
    assert (plain.value, plain.ci_low) == (score.value, None)


def test_kid_of_stratified_splits_is_below_zero_and_of_random_ones_zero(images: Dataset) -> None:
    """Equal class shares on both sides are nearer to each other than independent draws are."""
    held_out = images.to_model(images.validation.raw)
    row = SampleEvaluation(images, IMAGES, samples=held_out, extractor=load_single())
    x, y = row.features("samples", 359), row.features("reference", 359)
    stratified = kid.kernel_distance(x, y)
    both, shuffle = torch.cat([x, y]), torch.Generator().manual_seed(0)
    found = []
    for _ in range(40):
        rows = torch.randperm(718, generator=shuffle)
        found.append(kid.kernel_distance(both[rows[:359]], both[rows[359:]]).value)
    values = torch.tensor(found)
    assert abs(float(values.mean())) < 4 * float(values.std()) / 40**0.5
    assert stratified.value < -float(values.std())
