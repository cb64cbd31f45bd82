"""torch-fidelity's own pipeline as an option, and our scores against it on the same images.

What is compared: two sets of 16 images (scikit-learn's digits, and noise), the same randomly
initialised Inception weights, at one thread. Our features go through our Fréchet
distance, and through the unbiased MMD² over all samples; torch-fidelity makes features, FID and
KID by itself. Its KID with one subset as large as the set is that same estimator. It sums kernels
in float32, which leaves an error of about 1e-7 of the kernel's size: KID has to be large beside
that, hence noise, for the two to agree to 1e-5. Its formula on the same features in float64 agrees
to 1e-9 whatever the images.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from inception_cases import noise, random_tensors

from benchbench.api import DatasetSpec, NotAvailable
from benchbench.api.data import Dataset, Split
from benchbench.data.digits import load_digits
from benchbench.metrics import frechet, kid
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.features.digits import load_single
from benchbench.metrics.features.fidelity import PIPELINE, peer_detail, peer_scores
from benchbench.metrics.features.inception import InceptionExtractor
from benchbench.metrics.features.inception_weights import Weights
from benchbench.metrics.kid import kernel_distance
from benchbench.metrics.specs_distribution import KernelConfig
from benchbench.metrics.specs_quality import FrechetConfig

SPEC = DatasetSpec("digits", "image", (1, 8, 8), implementation="", samples=1_000)
N = 16


def few() -> Dataset:
    """The digits with N test examples: features are made a block at a time."""
    data = load_digits(SPEC)
    return replace(data, test=Split(data.test.raw[:N]))


@pytest.fixture(scope="module")
def evaluation() -> SampleEvaluation:
    extractor = InceptionExtractor(Weights(random_tensors(), published=False))
    return SampleEvaluation(few(), SPEC, samples=noise(N), extractor=extractor)


@pytest.fixture(scope="module")
def theirs(evaluation: SampleEvaluation) -> dict[str, float]:
    before = torch.get_rng_state()
    found = peer_scores(evaluation, N, fid=True, kid=True, kid_subsets=1, kid_subset_size=N)
    assert torch.equal(torch.get_rng_state(), before)
    return found


def test_fid_equals_torch_fidelitys(evaluation: SampleEvaluation, theirs: dict[str, float]) -> None:
    (score,) = frechet.compute(evaluation, FrechetConfig(n=N))
    assert score.value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-5)
    assert score.detail["extractor"] == "inception-v3-compat (unknown weights)"
    assert "pipeline" not in score.detail


def test_kid_equals_torch_fidelitys(evaluation: SampleEvaluation, theirs: dict[str, float]) -> None:
    (score,) = kid.compute(evaluation, KernelConfig(n=N))
    assert score.value == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-5)
    assert "pipeline" not in score.detail


def test_kid_equals_torch_fidelitys_formula_in_float64(evaluation: SampleEvaluation) -> None:
    from torch_fidelity.metric_kid import kid_features_to_metric

    x, y = evaluation.features("samples", N), evaluation.features("reference", N)
    found = kid_features_to_metric(x, y, kid_subsets=1, kid_subset_size=N, verbose=False)
    assert kernel_distance(x, y).value == pytest.approx(
        found["kernel_inception_distance_mean"], rel=1e-9
    )


def test_the_option_hands_the_same_images_and_weights_over(
    evaluation: SampleEvaluation, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = {}

    def calculate_metrics(**options: object) -> dict[str, float]:
        asked.update(options)
        path = Path(str(options["feature_extractor_weights_path"]))
        asked["weights"] = torch.load(path, weights_only=True)
        return {
            "frechet_inception_distance": 7.0,
            "kernel_inception_distance_mean": 0.5,
            "kernel_inception_distance_std": 0.1,
        }

    monkeypatch.setattr("torch_fidelity.calculate_metrics", calculate_metrics)
    (score,) = frechet.compute(evaluation, FrechetConfig(n=N, pipeline=PIPELINE))
    assert score.value == 7.0
    assert score.detail["pipeline"] == peer_detail()["pipeline"] == "torch-fidelity 0.4.0"
    assert score.detail["reference"] == f"test:{N}"
    assert (asked["cuda"], asked["cache"], asked["verbose"]) == (False, False, False)
    assert asked["datasets_download"] is False
    assert asked["weights"].keys() == random_tensors().keys()
    for first, x in (("input1", evaluation.samples(N)), ("input2", evaluation.reference(N))):
        item = asked[first][N - 1]
        assert item.dtype == torch.uint8
        assert torch.equal(item.float(), ((x[-1] + 1) * 127.5).round().expand(3, -1, -1))
    (score,) = kid.compute(evaluation, KernelConfig(n=N, pipeline=PIPELINE))
    assert (score.value, asked["kid_subsets"], asked["kid_subset_size"]) == (0.5, 100, N)
    assert score.detail["estimator"] == f"100 subsets of {N}"
    assert score.detail["standard_error"] == pytest.approx(0.01)
    assert score.detail["pipeline"] == peer_detail()["pipeline"]
    assert capfd.readouterr() == ("", "")


def test_other_extractors_have_no_such_pipeline() -> None:
    row = SampleEvaluation(few(), SPEC, samples=noise(N), extractor=load_single())
    with pytest.raises(NotAvailable, match="digits-cnn-64; give --extractor inception"):
        frechet.compute(row, FrechetConfig(n=N, pipeline=PIPELINE))
    with pytest.raises(NotAvailable, match="digits-cnn-64; give --extractor inception"):
        kid.compute(row, KernelConfig(n=N, pipeline=PIPELINE))
