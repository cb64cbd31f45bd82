"""Copies are caught, fresh samples are not, and the statistics have their null distribution."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import mannwhitneyu
from torch import Tensor

from benchbench.metrics.memorisation import authentic_share, copying_score
from benchbench.metrics.neighbours import nearest
from benchbench.metrics.tiles import Cloud, shared_frame


def normal(n: int, f: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, f, generator=generator, dtype=torch.float64)


def distances(x: Tensor, train: Tensor) -> Tensor:
    return (x[:, None] - train[None]).square().sum(-1).min(dim=1).values


@pytest.mark.parametrize("f", [2, 40, 300])
def test_nearest_is_brute_force(f: int) -> None:
    x, y = normal(70, f, 0), normal(90, f, 1)
    frame = shared_frame(x, y)
    squared = (x[:, None] - y[None]).square().sum(-1)
    found, which = nearest(Cloud.of(x, frame), Cloud.of(y, frame))
    torch.testing.assert_close(found, squared.min(1).values, rtol=1e-12, atol=0)
    assert torch.equal(which, squared.argmin(1))
    squared[torch.arange(70), which] = torch.inf
    found, second = nearest(Cloud.of(x, frame), Cloud.of(y, frame), own=which)
    torch.testing.assert_close(found, squared.min(1).values, rtol=1e-12, atol=0)
    assert torch.equal(second, squared.argmin(1))


def test_nearest_among_those_that_float32_cannot_tell_apart() -> None:
    y = 1e3 * normal(1, 64, 2) + 1e-4 * normal(200, 64, 3)
    y = torch.cat([y, -y])
    x = y[:200] + 1e-5 * normal(200, 64, 4)
    frame = shared_frame(y, x, dtype=torch.float32)
    _, which = nearest(Cloud.of(x, frame), Cloud.of(y, frame))
    assert torch.equal(which, torch.arange(200))


def test_authentic_share_by_hand() -> None:
    """Training points 0, 1, 10. 0.4 is nearer to 0 than 1 is; 4 is farther from 1 than 0 is."""
    train = torch.tensor([[0.0], [1.0], [10.0]])
    assert authentic_share(train, torch.tensor([[0.4], [4.0]])) == 50
    assert authentic_share(train, torch.tensor([[5.4], [18.9]])) == 50  # of 1: 4.4 > 1; 8.9 < 9


def test_copies_are_not_authentic_and_noise_is() -> None:
    train = normal(400, 20, 5)
    assert authentic_share(train, train[:100]) == 0
    assert authentic_share(train, train[:100] + 1e-3 * normal(100, 20, 6)) == 0
    assert authentic_share(train, 10 * normal(100, 20, 7)) == 100
    fresh = authentic_share(train, normal(400, 20, 8))
    assert 30 < fresh < 80


def test_copying_score_is_the_u_statistic() -> None:
    a, b = normal(50, 1, 9)[:, 0], normal(70, 1, 10)[:, 0] + 0.3
    u = mannwhitneyu(a.numpy(), b.numpy()).statistic
    expected = (u - 50 * 70 / 2) / (50 * 70 * 121 / 12) ** 0.5
    assert copying_score(a, b) == pytest.approx(expected, rel=1e-12)
    assert copying_score(a, a) == 0
    assert copying_score(torch.zeros(40), b.abs() + 1) < -8  # as far down as it goes


def test_copying_score_of_fresh_samples_is_standard_normal_and_of_copies_far_below() -> None:
    """Over 60 training sets; sets of 2,000 make neighbours of samples nearly independent."""
    found = []
    for i in range(60):
        train, fresh, held_out = (normal(2000 if j == 0 else 150, 2, 3 * i + j) for j in range(3))
        found.append(copying_score(distances(fresh, train), distances(held_out, train)))
    z = torch.tensor(found)
    assert abs(float(z.mean())) < 4 / 60**0.5
    assert 0.7 < float(z.std()) < 1.4
    copies = train[:150] + 1e-3 * normal(150, 2, 999)
    assert copying_score(distances(copies, train), distances(held_out, train)) < -10
    wide = 3 * normal(150, 2, 998)
    assert copying_score(distances(wide, train), distances(held_out, train)) > 3
