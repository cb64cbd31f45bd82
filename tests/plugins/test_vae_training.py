"""The VAE trained for a moment: it learns two modes, repeats its bits, and resumes."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from benchbench_vae.config import VaeConfig
from benchbench_vae.model import Vae
from torch import Tensor

from benchbench.api import Budget, DataInfo, Dataset, Kind, Split
from benchbench.runner.training import CellTraining, fit_model

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {"width": 32, "encoder_depth": 1, "decoder_depth": 1, "batch_size": 64}


def data_set(kind: Kind, train: Tensor, test: Tensor, levels: int | None = None) -> Dataset:
    return Dataset(
        info=DataInfo("toy", kind, tuple(train.shape[1:]), n_train=len(train), levels=levels),
        train=Split(train),
        validation=Split(test),
        test=Split(test),
        digest="toy",
        mean=torch.zeros(train.shape[1:]),
        std=torch.ones(train.shape[1:]),
    )


def two_modes() -> Dataset:
    """Standardised points at (±0.98, ±0.98), each mode 0.2 wide."""
    generator = torch.Generator().manual_seed(0)
    sign = torch.randint(2, (6_000, 1), generator=generator) * 2 - 1
    x = 0.98 * sign + 0.2 * torch.randn(6_000, 2, generator=generator)
    return data_set("points", x[:4_000].float(), x[4_000:].float())


def images() -> Dataset:
    """Levels of 4 × 4 pixels: a bright half, left or right, with noise."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randint(2, (600, 1, 1, 1), generator=generator)
    column = torch.arange(4).view(1, 1, 1, 4) < 2
    raw = 14 * (column == left.bool()) + torch.randint(3, (600, 1, 4, 4), generator=generator)
    raw = raw.to(torch.uint8)
    return data_set("image", raw[:400], raw[400:], levels=17)


def train(dataset: Dataset, steps: int, **options: Any) -> tuple[Vae, CellTraining]:
    torch.manual_seed(0)
    model = Vae(VaeConfig(**{**SMALL, **options}), dataset.info)
    training = CellTraining(dataset, Budget.parse(f"{steps}step"), device=CPU, seed=0)
    training.attach(model)
    fit_model(model, training)
    return model, training


def gaussian_fit(train: Tensor, test: Tensor) -> float:
    """Mean log-likelihood of test rows under the Gaussian of the training rows' moments."""
    moments = torch.distributions.MultivariateNormal(train.mean(0), torch.cov(train.T))
    return float(moments.log_prob(test).mean())


def test_beats_a_moment_matched_gaussian_on_two_modes() -> None:
    dataset = two_modes()
    model, _ = train(dataset, 1_000)
    test = dataset.to_model(dataset.test.raw)
    bound = model.elbo(test, generator=torch.Generator().manual_seed(1)).mean()
    assert float(bound) > gaussian_fit(dataset.to_model(dataset.train.raw), test)

    x = model.sample(4_000, generator=torch.Generator().manual_seed(2))
    upper = (x.sum(1) > 0).float().mean()
    near = ((x.abs() - 0.98).norm(dim=1) < 4 * 0.2) & (x.prod(1) > 0)
    assert abs(float(upper) - 0.5) < 0.15
    assert float(near.float().mean()) > 0.9  # the Gaussian: 0.54


def test_sigma_is_learned() -> None:
    dataset = two_modes()
    model, _ = train(dataset, 600)
    x = dataset.to_model(dataset.test.raw)
    with torch.no_grad():
        squared, _ = model._terms(x, torch.Generator().manual_seed(3))
    mse = float(squared.mean()) / 2
    assert model.describe()["sigma"] == pytest.approx(math.sqrt(mse), rel=0.15)


def test_images_are_reconstructed() -> None:
    dataset = images()
    model, training = train(dataset, 300, latent_dim=2)
    x = dataset.to_model(dataset.test.raw)
    mean, _ = model.encode(x)
    error = (model.decode(mean) - x).detach().square().mean()
    assert float(error) < 0.25 * float((x - x.mean(0)).square().mean())
    assert training.spend["vae"].step == 300


@pytest.mark.parametrize("dataset", [two_modes, images])
def test_same_seed_same_bits(dataset: Any) -> None:
    first, second = (train(dataset(), 20)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_resumed_training_ends_in_the_same_bits() -> None:
    dataset = two_modes()
    whole, _ = train(dataset, 40)

    torch.manual_seed(0)
    model = Vae(VaeConfig(**SMALL), dataset.info)
    saved: dict[str, Any] = {}

    def stop() -> None:
        if training.step == 25:
            saved.update(copy.deepcopy(training.state()))
            raise KeyboardInterrupt

    training = CellTraining(dataset, Budget.parse("40step"), device=CPU, seed=0, on_step=stop)
    training.attach(model)
    with pytest.raises(KeyboardInterrupt):
        fit_model(model, training)

    torch.manual_seed(1)
    resumed = Vae(VaeConfig(**SMALL), dataset.info)
    training = CellTraining(dataset, Budget.parse("40step"), device=CPU, seed=0)
    training.attach(resumed)
    training.restore(saved)
    fit_model(resumed, training)
    expected, got = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_fewer_examples_than_a_batch() -> None:
    x = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    _, training = train(data_set("signal", x[:, None], x[:, None]), 3)
    assert training.spend["vae"].img == 30


def test_input_noise_is_for_training_alone() -> None:
    model, _ = train(images(), 5, latent_dim=2, input_noise=0.5)
    x = images().to_model(images().test.raw[:8])
    first = model.elbo(x, generator=torch.Generator().manual_seed(0))
    clean = Vae(VaeConfig(**SMALL, latent_dim=2, input_noise=0.0), model.data)
    clean.load_state_dict(model.state_dict())
    assert torch.equal(first, clean.elbo(x, generator=torch.Generator().manual_seed(0)))
    without, _ = train(images(), 5, latent_dim=2, input_noise=0.0)
    assert not torch.equal(without.variance, model.variance)


def test_weight_decay_shrinks_the_weights() -> None:
    def size(decay: float) -> float:
        model, _ = train(images(), 30, weight_decay=decay)
        return sum(float(p.detach().square().sum()) for p in model.encoder.parameters())

    assert size(5.0) < size(0.0)
