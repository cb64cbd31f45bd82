"""The digit extractor: what it reads, and whether its features may carry a FID.

Graded corruptions of held-out digits must raise the FID at every step: blur, noise, dropped
classes, reconstructions from fewer and fewer principal components. And samples drawn in those
components must not score better than reconstructions from them, which hold all they can know.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from benchbench.api import NotAvailable
from benchbench.data.digits import LEVELS, digit_splits
from benchbench.metrics.features import train
from benchbench.metrics.features.classifier import ClassifierExtractor
from benchbench.metrics.features.corruptions import Components, ladders, quantised
from benchbench.metrics.features.digits import WEIGHTS, DigitNet, load_single, load_stacked
from benchbench.metrics.moments import Moments

CHANNELS = [1, 3]
TRIPLES = 5_000


def extractor(channels: int) -> ClassifierExtractor:
    return load_single() if channels == 1 else load_stacked()


@cache
def digits(split: str) -> tuple[Tensor, Tensor]:
    """Images (n, 1, 8, 8) in model space and labels (n,)."""
    found = digit_splits()[split]
    assert found.labels is not None
    return train.images(found, LEVELS), found.labels


@cache
def components() -> Components:
    return Components.of(*digits("train"))


@cache
def corrupted() -> dict[str, dict[str, Tensor]]:
    return ladders(*digits("validation"), components())


def stacked(x: Tensor, channels: int, seed: int = 0) -> Tensor:
    """Single digits as they are, or triples of them."""
    if channels == 1:
        return x
    rows = torch.randint(len(x), (TRIPLES, 3), generator=torch.Generator().manual_seed(seed))
    return x[rows].squeeze(2)


@cache
def reference(channels: int) -> Moments:
    return Moments.of(extractor(channels).features(stacked(digits("test")[0], channels, seed=1)))


def fid(x: Tensor, channels: int) -> float:
    """FID of single digits (n, 1, 8, 8), stacked where there are three channels."""
    real = reference(channels)
    images = stacked(quantised(x, LEVELS), channels)
    fake = Moments.of(extractor(channels).features(images))
    return fake.frechet(real)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("ladder", ["blur", "noise", "dropped", "rank", "shift"])
def test_each_corruption_raises_fid_rung_by_rung(channels: int, ladder: str) -> None:
    scores = [fid(x, channels) for x in corrupted()[ladder].values()]
    assert all(a < b for a, b in pairwise(scores)), scores


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("k", [32, 24, 16, 12, 8])
def test_samples_from_a_latent_score_no_better_than_its_reconstructions(
    channels: int, k: int
) -> None:
    x, labels = digits("validation")
    drawn = components().drawn(k, torch.bincount(labels))
    assert fid(drawn, channels) > fid(components().reconstructed(x, k), channels)


def test_reads_held_out_digits() -> None:
    x, labels = digits("test")
    read, confidence = load_single().modes(x)
    assert read.dtype == torch.int64
    assert float((read == labels).double().mean()) >= 0.97
    assert confidence.shape == (360,)
    assert 0.85 < float(confidence.mean()) <= 1


def test_reads_the_number_that_three_digits_spell() -> None:
    x, labels = digits("test")
    rows = torch.arange(360).view(-1, 3)
    images = x[rows].squeeze(2)
    read, confidence = load_stacked().modes(images)
    single, sure = load_single().modes(x)
    place = torch.tensor([100, 10, 1])
    assert torch.equal(read, single[rows] @ place)
    assert float((read == labels[rows] @ place).double().mean()) >= 0.97**3
    torch.testing.assert_close(confidence, sure[rows].prod(1))


def test_stacked_features_are_the_channels_side_by_side() -> None:
    x = digits("test")[0]
    images = x[torch.arange(360).view(-1, 3)].squeeze(2)
    features = load_stacked().features(images)
    assert (features.shape, features.dtype) == ((120, 192), torch.float32)
    torch.testing.assert_close(features, load_single().features(x).view(120, 192))


def test_features_are_near_standard() -> None:
    """No unit is dead or outweighs the others, which a Fréchet distance would suffer from."""
    std = load_single().features(digits("train")[0]).std(0)
    assert float(std.min()) > 0.5
    assert float(std.max()) < 2


def test_large_inputs_pass_in_batches() -> None:
    x = digits("test")[0].repeat(1 + DigitNet.batch // 360, 1, 1, 1)
    assert len(x) > DigitNet.batch
    read, _ = load_single().modes(x)
    torch.testing.assert_close(load_single().features(x)[-5:], load_single().features(x[-5:]))
    assert torch.equal(read[-5:], load_single().modes(x[-5:])[0])


def test_loading_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    load_stacked()
    assert torch.equal(torch.get_rng_state(), before)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(NotAvailable, match=r"reads \(n, 3, 8, 8\), not \(2, 1, 8, 8\)"):
        load_stacked().features(torch.zeros(2, 1, 8, 8))


def test_digest_follows_the_weights() -> None:
    first, other = load_single(), load_single()
    assert first.digest == load_stacked().digest
    with torch.no_grad():
        next(other.net.parameters()).add_(1e-3)
    assert ClassifierExtractor(other.net, "digits-cnn").digest != first.digest


def facts(file: Path) -> dict[str, object]:
    with safe_open(file, framework="pt") as weights:
        return json.loads(weights.metadata()["training"])


def test_weights_say_how_they_were_made_and_how_well_they_read() -> None:
    made = facts(WEIGHTS)
    assert made["n"] == {"train": 1078, "validation": 359, "test": 360}
    assert made["seed"] == 0
    for split, stated in made["accuracy"].items():
        x, labels = digits(split)
        share = float((load_single().modes(x)[0] == labels).double().mean())
        assert share == pytest.approx(stated, abs=5e-5)


def test_training_is_deterministic_and_writes_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for file in files:
        train.main(["digits", "--out", str(file), "--steps", "20", "--seed", "5"])
    assert files[0].read_bytes() == files[1].read_bytes()
    assert facts(files[0])["seed"] == 5
