"""The article's network: its equations in closed form, and what its linearity means."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from benchbench_article import ArticleConfig
from benchbench_article.model import Article

from benchbench.api.data import DataInfo, Dataset, Split
from benchbench.testing import model_checks

sys.path.append(str(Path(__file__).parent))

from image_models import rng, train

LINEAR = "the chain is linear, so its samples are one Gaussian and can't have two modes"


@pytest.mark.parametrize(
    "check", model_checks("article", expected_failures={"beats_gaussian": LINEAR})
)
def test_contract(check: Callable[[], None]) -> None:
    check()


def white_noise(n: int = 512) -> Dataset:
    """Images of independent pixels, even over 17 levels."""
    raw = torch.randint(17, (n, 1, 8, 8), generator=rng(), dtype=torch.uint8)
    split = Split(raw)
    info = DataInfo("white", "image", (1, 8, 8), n, levels=17)
    return Dataset(info=info, train=split, validation=split, test=split, digest="white")


def test_it_learns_the_best_linear_denoiser_and_not_the_identity() -> None:
    """Of white pixels with variance v the best 3 × 3 filter is v/(v + E t) in the middle, else 0.

    Compared with the noisy input, as in the article's code, the middle would be 1.
    """
    data = white_noise()
    config = ArticleConfig(levels=3, sigma_min=0.5, sigma_max=1.0, lr=0.02)
    model = Article(config, data.info)
    train(model, data, "600step")
    v = float(data.to_model(data.train.raw).var())
    t = model.sigmas(torch.device("cpu")).square().mean()
    weight = model.network.weight.detach().reshape(9)
    expected = torch.zeros(9)
    expected[4] = v / (v + t)
    torch.testing.assert_close(weight, expected, rtol=0, atol=0.05)


def test_levels_are_geometric_and_fall() -> None:
    config = ArticleConfig(levels=5, sigma_min=0.1, sigma_max=1.6)
    sigma = Article(config, white_noise(8).info).sigmas(torch.device("cpu"))
    torch.testing.assert_close(sigma, torch.tensor([1.6, 0.8, 0.4, 0.2, 0.1]))


def test_samples_are_denoised_noise() -> None:
    """With a network that only divides by 10, the noise of each level arrives in known parts."""
    data = white_noise(8)
    model = Article(ArticleConfig(levels=4, sigma_min=0.01, sigma_max=1.0), data.info)
    with torch.no_grad():
        model.network.weight.zero_()
        model.network.weight[0, 0, 1, 1] = 0.1
        model.network.bias.zero_()  # type: ignore[union-attr]
    sigma = model.sigmas(torch.device("cpu"))
    gain = 0.1 ** torch.arange(4, 0, -1)
    expected = (gain * sigma).square().sum().sqrt()
    x = model.sample(2_000, generator=rng(3))
    assert float(x.abs().max()) < 1  # nothing is clipped
    torch.testing.assert_close(x.std(), expected, rtol=0.02, atol=0)
    assert model.nfe() == 4
