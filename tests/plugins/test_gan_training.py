"""The GAN trained for a moment: it learns two modes, repeats its bits, and resumes."""

from __future__ import annotations

import copy
from typing import Any, get_args

import pytest
import torch
from benchbench_gan.config import GanConfig, Loss, Penalty
from benchbench_gan.model import Gan
from torch import Tensor

from benchbench.api import Budget, DataInfo, Dataset, Kind, Split
from benchbench.runner.training import CellTraining, fit_model

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {"generator_width": 32, "critic_width": 32, "batch_size": 64}
WIDE: dict[str, Any] = {"gamma": 1.0}
"""A stronger penalty than the default: these modes are far wider against their distance than those
the default is chosen on, and training is a tenth as long.
"""


def data_set(kind: Kind, train: Tensor, levels: int | None = None) -> Dataset:
    return Dataset(
        info=DataInfo("toy", kind, tuple(train.shape[1:]), n_train=len(train), levels=levels),
        train=Split(train),
        validation=Split(train),
        test=Split(train),
        digest="toy",
        mean=torch.zeros(train.shape[1:]),
        std=torch.ones(train.shape[1:]),
    )


def two_modes() -> Dataset:
    """Standardised points at ±(0.98, 0.98), each mode 0.2 wide."""
    generator = torch.Generator().manual_seed(0)
    sign = torch.randint(2, (4_000, 1), generator=generator) * 2 - 1
    return data_set("points", 0.98 * sign + 0.2 * torch.randn(4_000, 2, generator=generator))


def images() -> Dataset:
    """Levels of 4 × 4 pixels: a bright half, left or right, with noise."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randint(2, (400, 1, 1, 1), generator=generator)
    column = torch.arange(4).view(1, 1, 1, 4) < 2
    raw = 14 * (column == left.bool()) + torch.randint(3, (400, 1, 4, 4), generator=generator)
    return data_set("image", raw.to(torch.uint8), levels=17)


def train(dataset: Dataset, steps: int, **options: Any) -> tuple[Gan, CellTraining]:
    torch.manual_seed(0)
    model = Gan(GanConfig(**{**SMALL, **options}), dataset.info)
    training = CellTraining(dataset, Budget.parse(f"{steps}step"), device=CPU, seed=0)
    training.attach(model)
    fit_model(model, training)
    return model, training


def near_a_mode(x: Tensor) -> float:
    """Share of (n, 2) within 4 widths of a mode of `two_modes`."""
    centres = 0.98 * torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    return float((torch.cdist(x, centres).amin(dim=1) < 4 * 0.2).float().mean())


def test_beats_a_moment_matched_gaussian_on_two_modes() -> None:
    dataset = two_modes()
    model, _ = train(dataset, 1_000, **WIDE)
    x = model.sample(4_000, generator=torch.Generator().manual_seed(2))
    data = dataset.train.raw
    moments = torch.distributions.MultivariateNormal(data.mean(0), torch.cov(data.T))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        gaussian = moments.sample((4_000,))
    assert near_a_mode(gaussian) < 0.7
    assert near_a_mode(x) > 0.9
    upper = (x.sum(dim=1) > 0).float().mean()
    assert abs(float(upper) - 0.5) < 0.15


def test_images_of_both_kinds_are_drawn() -> None:
    model, training = train(images(), 400, latent_dim=4, **WIDE)
    x = model.sample(500, generator=torch.Generator().manual_seed(2))
    assert float(x.abs().max()) <= 1
    left, right = x[..., :2].mean(dim=(1, 2, 3)), x[..., 2:].mean(dim=(1, 2, 3))
    clear = (left - right).abs() > 1
    assert float(clear.float().mean()) > 0.8
    assert 0.2 < float((left > right).float().mean()) < 0.8
    assert training.spend["gan"].step == 400


@pytest.mark.parametrize("loss", get_args(Loss))
@pytest.mark.parametrize("penalty", get_args(Penalty))
def test_every_loss_trains_with_every_penalty(loss: Loss, penalty: Penalty) -> None:
    model, _ = train(two_modes(), 8, loss=loss, penalty=penalty, pack=2, critic_steps=2)
    assert bool(model.sample(4, generator=torch.Generator().manual_seed(0)).isfinite().all())
    assert int(model.average.step) == 4  # a generator step for every two critic steps


def test_each_critic_step_is_charged_a_batch_and_its_work() -> None:
    _, one = train(two_modes(), 64, critic_steps=1)
    _, four = train(two_modes(), 64, critic_steps=4)
    assert one.spend["gan"].img == four.spend["gan"].img == 64 * 64
    assert one.spend["gan"].flop > four.spend["gan"].flop > 0.4 * one.spend["gan"].flop


@pytest.mark.parametrize("dataset", [two_modes, images])
def test_same_seed_same_bits(dataset: Any) -> None:
    first, second = (train(dataset(), 20)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_resumed_training_ends_in_the_same_bits() -> None:
    dataset, options = two_modes(), {**SMALL, "critic_steps": 2, "instance_noise": 0.1}
    whole, _ = train(dataset, 40, **options)

    torch.manual_seed(0)
    model = Gan(GanConfig(**options), dataset.info)
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
    resumed = Gan(GanConfig(**options), dataset.info)
    training = CellTraining(dataset, Budget.parse("40step"), device=CPU, seed=0)
    training.attach(resumed)
    training.restore(saved)
    fit_model(resumed, training)
    expected, got = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_fewer_examples_than_a_batch() -> None:
    x = torch.randn(10, 1, 3, generator=torch.Generator().manual_seed(0))
    _, training = train(data_set("signal", x), 3, pack=4)
    assert training.spend["gan"].img == 24
