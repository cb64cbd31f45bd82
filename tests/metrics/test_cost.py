"""Parameters of a trained model: what counts, and what counts once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchbench.api import Config, DataInfo, DatasetSpec, Model
from benchbench.data.gaussians import load_ring8
from benchbench.metrics.cost import compute, count_parameters
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.nn import EMA, FourierFeatures, ResidualMLP

RING8 = DatasetSpec(name="ring8", kind="points", shape=(2,), implementation=load_ring8)


class Sized(Model):
    """Holds what it is given and draws zeros."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__(Config(), DataInfo("ring8", "points", (2,), n_train=1))
        for name, part in parts.items():
            self.add_module(name, part)

    def fit(self, training: Any) -> None:
        raise NotImplementedError

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        return torch.zeros(n, 2)


def test_every_part_counts_encoder_and_critic_included() -> None:
    model = Sized(decoder=nn.Linear(3, 5), encoder=nn.Linear(7, 2, bias=False))
    assert count_parameters(model)["parameters"] == 3 * 5 + 5 + 7 * 2


def test_frozen_parameters_count() -> None:
    model = Sized(decoder=nn.Linear(3, 5).requires_grad_(False))
    assert count_parameters(model)["parameters"] == 20


def test_shared_weights_count_once() -> None:
    shared = nn.Linear(3, 5)
    assert count_parameters(Sized(a=shared, b=shared))["parameters"] == 20


def test_buffers_are_reported_beside() -> None:
    counts = count_parameters(Sized(features=FourierFeatures(2, 16)))
    assert counts == {"parameters": 0, "averaged_copies": 0, "buffers": 32}


def test_a_moving_average_is_a_copy() -> None:
    net = ResidualMLP(2, 2, width=8, depth=1)
    alone = count_parameters(Sized(net=net))["parameters"]
    counts = count_parameters(Sized(net=net, average=EMA(net, 0.9)))
    assert counts["parameters"] == counts["averaged_copies"] == alone


def test_an_average_on_its_own_counts() -> None:
    net = nn.Linear(3, 5)
    counts = count_parameters(Sized(average=EMA(net, 0.9)))
    assert counts["parameters"] == 20 and counts["averaged_copies"] == 0


def test_score_is_exact() -> None:
    model = Sized(decoder=nn.Linear(3, 5))
    evaluation = SampleEvaluation(load_ring8(RING8), RING8, model=model)
    (score,) = compute(evaluation, Config())
    assert (score.metric, score.value, score.bound) == ("parameters", 20.0, "exact")
    assert score.detail == {"averaged_copies": 0, "buffers": 0}


@pytest.mark.parametrize("width", [4, 9])
def test_closed_form_of_a_residual_mlp(width: int) -> None:
    model = Sized(net=ResidualMLP(3, 2, width=width, depth=2, norm=False))
    enter, block, leave = 3 * width + width, 2 * (width**2 + width), width * 2 + 2
    assert count_parameters(model)["parameters"] == enter + 2 * block + leave
