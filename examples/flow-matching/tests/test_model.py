"""The model: its loss, times, denoiser and dequantisation where the answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from benchbench.api import DataInfo, NotAvailable
from torch import Tensor

from benchbench_flow_matching.config import FlowMatchingConfig
from benchbench_flow_matching.model import FlowMatching
from small_models import untrained


def gaussian(n: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def test_times_are_stratified_and_logit_normal() -> None:
    model, n = untrained(2, time_mean=0.5, time_std=1.5), 4096
    t = model._times(n, torch.Generator().manual_seed(0)).double()
    logit = torch.logit(t)
    assert float(logit.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(logit.std()) == pytest.approx(1.5, abs=0.01)
    slices = (torch.special.ndtr((logit - 0.5) / 1.5) * n + 1e-3).long()
    assert int((slices == torch.arange(n)).sum()) > 0.99 * n


def test_loss_of_a_zero_network_on_a_standard_normal() -> None:
    """F = 0 is the best there is, and leaves Var(X_1 − X_0 | X_t) = 1/s² at every t."""
    model, n = untrained(4), 40_000
    found = model.loss(gaussian(n, 4), generator=torch.Generator().manual_seed(1))
    t = model._times(n, torch.Generator().manual_seed(2))
    expected = (1 / (t.square() + (1 - t).square())).mean()
    assert float(found.detach()) == pytest.approx(float(expected), rel=0.02)


def test_denoiser_of_a_zero_network_is_the_posterior_mean() -> None:
    """For Z ~ N(m, c² I) and X = Z + sqrt(t) ε: E[Z | X] = m + c²/(c² + t) (X − m)."""
    model, mean, scale = untrained(3), 0.7, 0.5
    model.shift.fill_(mean)
    model.scale.fill_(scale)
    x, t = gaussian(6, 3), torch.tensor([0.0, 1e-4, 0.01, 0.25, 1.0, 9.0])
    expected = mean + (scale**2 / (scale**2 + t))[:, None] * (x - mean)
    torch.testing.assert_close(model.denoise(x, t), expected, rtol=1e-4, atol=1e-5)


def test_denoising_needs_independent_noise() -> None:
    with pytest.raises(NotAvailable, match="no denoiser"):
        untrained(2, coupling="minibatch-ot").denoise(torch.zeros(1, 2), torch.ones(1))


def test_samples_of_a_zero_network_are_the_noise_itself() -> None:
    x = untrained(2).sample(50, generator=torch.Generator().manual_seed(5), steps=60)
    torch.testing.assert_close(x, gaussian(50, 2, seed=5), rtol=0, atol=1e-2)


def test_dequantised_images_round_to_themselves() -> None:
    levels = 17
    info = DataInfo("toy", "image", (1, 2, 2), 1000, levels=levels)
    model = FlowMatching(FlowMatchingConfig(width=16, depth=1), info)
    x = torch.randint(levels, (400, 1, 2, 2), generator=torch.Generator().manual_seed(6))
    x = 2 * x / (levels - 1) - 1
    model._look(x.flatten(1))
    z = model._standardised(x, torch.Generator().manual_seed(7))
    noisy = z * model.scale + model.shift
    half = 1 / (levels - 1)
    apart = (noisy - x.flatten(1)).abs()
    assert 0.9 * half < float(apart.max()) <= half * (1 + 1e-4)
    assert float(z.mean(0).abs().max()) < 0.01
    assert math.sqrt(float(z.square().mean())) == pytest.approx(1, abs=0.02)


def test_options_left_open_follow_the_length_of_an_example() -> None:
    points, images = DataInfo("p", "points", (2,), 9), DataInfo("i", "image", (1, 8, 8), 9, 17)
    few, many = (FlowMatchingConfig().settings(info) for info in (points, images))
    assert few.fourier > 0
    assert many.fourier == 0
    given = FlowMatchingConfig(width=40, fourier=0).settings(points)
    assert (given.width, given.fourier, given.depth) == (40, 0, few.depth)
