"""The autoencoder: its density of codes against closed forms, and what its budget pays for."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from benchbench_ae.config import AeConfig
from benchbench_ae.mixture import GaussianMixture
from benchbench_ae.model import Autoencoder
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from benchbench.api import Kind
from benchbench.api.data import DataInfo, Dataset, Split
from benchbench.testing import model_checks

sys.path.append(str(Path(__file__).parent))

from image_models import blobs, rng, train

MEANS = torch.tensor([[-2.0, 0.0], [2.0, 1.0]], dtype=torch.float64)
COVARIANCES = torch.tensor([[[0.5, 0.3], [0.3, 0.4]], [[0.1, 0.0], [0.0, 0.6]]]).double()
SHARES = torch.tensor([0.3, 0.7], dtype=torch.float64)


def mixture() -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(SHARES), MultivariateNormal(MEANS, COVARIANCES))


def drawn(n: int) -> Tensor:
    """Points of the mixture, (n, 2)."""
    k = torch.multinomial(SHARES, n, replacement=True, generator=rng(1))
    noise = torch.randn(n, 2, 1, generator=rng(2), dtype=torch.float64)
    return MEANS[k] + (torch.linalg.cholesky(COVARIANCES)[k] @ noise).squeeze(2)


def known() -> GaussianMixture:
    """A density set to the mixture's parameters."""
    density = GaussianMixture(2, 2)
    density.shares.copy_(SHARES)
    density.means.copy_(MEANS)
    density.covariances.copy_(COVARIANCES)
    return density


def fitted(z: Tensor, components: int, steps: int) -> GaussianMixture:
    density = GaussianMixture(z.shape[1], components)
    density.start(z, generator=rng(3))
    order = rng(4)
    for step in range(steps):
        rows = torch.randint(len(z), (500,), generator=order)
        density.follow(z[rows], step)
    return density


def points(n: int = 512) -> Dataset:
    raw = drawn(n).float()
    split = Split(raw)
    info = DataInfo("toy", "points", (2,), n_train=n)
    ends = {"train": split, "validation": split, "test": split, "digest": "toy"}
    return Dataset(info=info, mean=torch.zeros(2), std=torch.ones(2), **ends)


@pytest.mark.parametrize("check", model_checks("ae"))
def test_contract(check: Callable[[], None]) -> None:
    check()


def test_log_density_is_that_of_torch() -> None:
    z = drawn(50)
    torch.testing.assert_close(known().log_prob(z), mixture().log_prob(z))


def test_a_fresh_density_is_standard_normal() -> None:
    z = drawn(20)
    expected = -0.5 * z.square().sum(dim=1) - math.log(2 * math.pi)
    torch.testing.assert_close(GaussianMixture(2, 5).log_prob(z), expected)


def test_samples_have_the_moments_of_the_mixture() -> None:
    z = known().sample(20_000, generator=rng(5))
    truth = mixture()
    error = (truth.variance / len(z)).sqrt()
    assert bool(((z.mean(dim=0) - truth.mean).abs() < 5 * error).all())
    torch.testing.assert_close(z.var(dim=0), truth.variance, rtol=0.05, atol=0)


def test_online_em_finds_the_mixture() -> None:
    density = fitted(drawn(5_000), components=2, steps=300)
    order = density.means[:, 0].argsort()
    torch.testing.assert_close(density.means[order], MEANS, rtol=0, atol=0.1)
    torch.testing.assert_close(density.covariances[order], COVARIANCES, rtol=0, atol=0.08)
    torch.testing.assert_close(density.shares[order], SHARES, rtol=0, atol=0.03)


def test_one_component_is_the_moments_of_the_codes() -> None:
    z = drawn(500)
    density = GaussianMixture(2, 1)
    density.start(z, generator=rng(3))
    for step in range(2_000):
        density.follow(z, step)
    torch.testing.assert_close(density.means[0], z.mean(dim=0), rtol=0, atol=1e-3)
    # The first covariance keeps a weight of 1e-4, and 1e-6 is added to each variance.
    torch.testing.assert_close(
        density.covariances[0], torch.cov(z.T, correction=0), rtol=0, atol=5e-3
    )


def test_more_components_than_distinct_codes() -> None:
    z = drawn(3).repeat(10, 1)
    density = fitted(z, components=8, steps=50)
    assert bool(density.log_prob(z).isfinite().all())
    assert bool(density.sample(100, generator=rng()).isfinite().all())
    assert math.isclose(float(density.shares.sum()), 1, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("points", (2,)), ("image", (1, 8, 8)), ("image", (1, 17, 20)), ("signal", (1, 30))],
)
def test_shapes_of_every_kind(kind: Kind, shape: tuple[int, ...]) -> None:
    info = DataInfo("toy", kind, shape, 100, levels=16 if kind == "image" else None)
    model = Autoencoder(AeConfig(components=3), info)
    x = model.sample(5, generator=rng())
    assert x.shape == (5, *shape) and x.dtype == torch.float32
    assert kind != "image" or float(x.abs().max()) <= 1
    assert model.settings.conv == (shape == (1, 17, 20))
    assert model.prior_log_prob(torch.zeros(4, model.latent_dim)).shape == (4,)


def test_the_budget_pays_for_the_density() -> None:
    model = Autoencoder(AeConfig(components=4, width=16), points().info)
    spend = train(model, points(), "2e8flop").spend
    assert spend["density"].flop > 0
    assert sum(phase.flop for phase in spend.values()) < 1.02 * 2e8
    # 30 passes over 512 codes in batches of 512.
    assert spend["density"].step <= 30


def test_samples_resemble_the_data() -> None:
    """Likelier under the mixture that made the data than a Gaussian of the same moments is."""
    data = points(1024)
    model = Autoencoder(AeConfig(components=4, width=48, batch_size=128), data.info)
    train(model, data, "600step")
    x = model.sample(2_000, generator=rng(7)).double()
    noise = torch.randn(2_000, 2, generator=rng(8), dtype=torch.float64)
    flat = mixture().mean + noise @ torch.linalg.cholesky(torch.cov(drawn(5_000).T)).T
    assert mixture().log_prob(x).mean() > mixture().log_prob(flat).mean()


def test_codes_are_standardised() -> None:
    data = blobs((1, 16, 16), n=64)
    model = Autoencoder(AeConfig(components=2, width=8, latent_dim=4), data.info)
    train(model, data, "20step")
    codes = model._code(data.to_model(data.train.raw))
    codes = (codes - model.shift) / model.scale
    torch.testing.assert_close(codes.mean(dim=0), torch.zeros(4), rtol=0, atol=1e-4)
    torch.testing.assert_close(codes.std(dim=0, correction=0), torch.ones(4), rtol=0, atol=1e-4)
