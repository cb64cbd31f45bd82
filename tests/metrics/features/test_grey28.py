"""The 28×28 classifiers: what they read, and whether their features may carry a FID.

On fashion-mnist's and mnist's own files, where a machine has them; the full table, at the n of the
metric, is printed by `python -m benchbench.metrics.features.check`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from benchbench.api import Assets, NotAvailable, UsageError
from benchbench.api.data import Split
from benchbench.api.evaluation import Extractor
from benchbench.metrics.features import grey28, scattering
from benchbench.metrics.features.check import Check, rises
from benchbench.metrics.features.classifier import ClassifierExtractor
from benchbench.metrics.features.train import RECIPES, accuracy, images, mirrored, shifted

N = 1_000
TEST_ACCURACY = {"fashion-mnist": 0.92, "mnist": 0.99}
LOADERS: dict[str, tuple[Callable[[Assets], Extractor], str, int]] = {
    "fashion-mnist-cnn": (grey28.load_fashion, "fashion-mnist", 1),
    "mnist-cnn": (grey28.load_mnist, "mnist", 1),
    "stacked-mnist-cnn": (grey28.load_stacked_mnist, "mnist", 3),
    "scattering": (scattering.load, "fashion-mnist", 1),
}
LADDERS = ["blur", "noise", "dropped", "rank", "shift"]


@cache
def splits(data: str) -> dict[str, Split] | str:
    """The data set's splits, or why it can't be had."""
    try:
        return RECIPES[data].splits(Assets.of_user())
    except UsageError as error:
        return str(error)


def held_out(data: str) -> dict[str, Split]:
    found = splits(data)
    if isinstance(found, str):
        pytest.skip(found)
    return found


@cache
def check(name: str) -> Check:
    load, data, channels = LOADERS[name]
    held_out(data)
    return Check(load(Assets()), data, Assets.of_user(), N, channels)


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("ladder", LADDERS)
def test_each_corruption_raises_fid_rung_by_rung(name: str, ladder: str) -> None:
    if (name, ladder) == ("scattering", "dropped"):
        pytest.skip("the next test drops one class at a time")
    scores = check(name).ladder(ladder)
    assert rises(scores), scores


def test_each_single_class_is_missed_by_scattering() -> None:
    """Several left out one after another need not raise it: what remains can be nearer again."""
    found = check("scattering")
    whole = found.fid(found.x)
    without = [found.fid(found.x[found.labels != label]) for label in range(10)]
    assert min(without) > whole, without


@pytest.mark.parametrize("name", LOADERS)
def test_samples_from_a_latent_score_no_better_than_its_reconstructions(name: str) -> None:
    for k, (drawn, reconstructed) in check(name).drawn_over_reconstructed().items():
        assert drawn > reconstructed, k


@pytest.mark.parametrize("data", TEST_ACCURACY)
def test_weights_say_how_they_were_made_and_how_well_they_read(data: str) -> None:
    recipe, net = RECIPES[data], _net(data)
    made = facts(recipe.weights)
    assert made["n"] == {"train": 50_000, "validation": 10_000, "test": 10_000}
    assert (made["steps"], made["seed"]) == (recipe.steps, 0)
    assert made["accuracy"]["test"] >= TEST_ACCURACY[data]
    found = held_out(data)
    for split in ("validation", "test"):
        share = accuracy(net, found[split], recipe.levels)
        # Another processor may round a logit to the other side of a tie.
        assert share == pytest.approx(made["accuracy"][split], abs=4e-4)


def _net(data: str) -> grey28.Grey28Net:
    load = grey28.load_fashion if data == "fashion-mnist" else grey28.load_mnist
    net = load().net
    assert isinstance(net, grey28.Grey28Net)
    return net


def facts(file: Path) -> dict[str, dict[str, float]]:
    with safe_open(file, framework="pt") as weights:
        found: dict[str, dict[str, float]] = json.loads(weights.metadata()["training"])
    assert file.stat().st_size < 1_000_000
    return found


def noise(n: int, channels: int = 1) -> torch.Tensor:
    return 2 * torch.rand(n, channels, 28, 28, generator=torch.Generator().manual_seed(0)) - 1


def test_stacked_features_are_the_channels_side_by_side() -> None:
    x = noise(6, channels=3)
    single, stacked = grey28.load_mnist(), grey28.load_stacked_mnist()
    assert stacked.features(x).shape == (6, 360)
    flat = single.features(x.reshape(18, 1, 28, 28))
    torch.testing.assert_close(stacked.features(x), flat.view(6, 360), rtol=1e-4, atol=1e-4)
    digit, sure = single.modes(x.reshape(18, 1, 28, 28))
    read, confidence = stacked.modes(x)
    assert torch.equal(read, digit.view(6, 3) @ torch.tensor([100, 10, 1]))
    torch.testing.assert_close(confidence, sure.view(6, 3).prod(1))


def test_rows_do_not_depend_on_the_batch() -> None:
    x, extractor = noise(505), grey28.load_fashion()
    torch.testing.assert_close(
        extractor.features(x)[-7:], extractor.features(x[-7:]), rtol=1e-4, atol=1e-4
    )


def test_other_shapes_are_refused_in_one_line() -> None:
    with pytest.raises(NotAvailable, match=r"fashion-mnist-cnn-120 reads \(n, 1, 28, 28\)"):
        grey28.load_fashion().features(torch.zeros(2, 3, 32, 32))


def test_loading_leaves_the_global_generator_alone_and_networks_apart() -> None:
    before = torch.get_rng_state()
    fashion, mnist = grey28.load_fashion(), grey28.load_mnist()
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(fashion, ClassifierExtractor)
    assert fashion.digest != mnist.digest
    assert mnist.digest == grey28.load_stacked_mnist().digest


@pytest.mark.parametrize("augment", [shifted, mirrored])
def test_augmentation_moves_pixels_and_makes_none_up(augment: Callable[..., torch.Tensor]) -> None:
    x = images(
        Split(torch.arange(1, 50).to(torch.uint8).view(1, 1, 7, 7).repeat(200, 1, 1, 1)), 256
    )
    moved = augment(x, torch.Generator().manual_seed(0))
    assert moved.shape == x.shape
    assert set(moved.unique().tolist()) <= {-1.0, *x.unique().tolist()}
    assert any(torch.equal(m, x[0]) for m in moved)
    assert len({tuple(m.flatten().tolist()) for m in moved}) == (9 if augment is shifted else 18)


def test_rises_is_strict() -> None:
    assert rises({"a": 1.0, "b": 2.0})
    assert not rises({"a": 1.0, "b": 1.0})
