"""Every measure through an evaluation: how much it counts, and what it says of known rows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from evaluation_cases import IMAGES, on_images, on_points

from benchbench.api.data import Dataset
from benchbench.api.errors import NotAvailable
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
from benchbench.metrics.evaluation import SampleEvaluation
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
