"""The model `ddpm`: before training its denoiser is that of a standard normal, so all it does has a
closed form."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from benchbench_ldm.config import DDPMConfig
from benchbench_ldm.data_space import DataDiffusion
from image_models import blobs, rng, train

from benchbench.api import NotAvailable
from benchbench.api.data import DataInfo

POINTS = DataInfo("points", "points", (2,), 1000)
IMAGES = DataInfo("images", "image", (1, 4, 4), 1000, levels=17)
SMALL: dict[str, Any] = {"width": 32, "depth": 1}


def build(data: DataInfo, scale: float = 1.0, shift: float = 0.0) -> DataDiffusion:
    torch.manual_seed(0)
    model = DataDiffusion(DDPMConfig(**SMALL), data).eval()
    model.scale.fill_(scale)
    model.shift.fill_(shift)
    return model


@pytest.mark.parametrize(
    ("data", "scale", "shift"), [(POINTS, 1.0, 0.0), (IMAGES, 0.3, -0.5)], ids=["points", "images"]
)
def test_log_prob_of_a_normal_is_its_closed_form(
    data: DataInfo, scale: float, shift: float
) -> None:
    model = build(data, scale, shift)
    x = shift + scale * torch.randn(5, *data.shape, generator=rng())
    z = (x.flatten(1) - shift) / scale
    normal = -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=1) - data.dim * math.log(scale)
    torch.testing.assert_close(model.log_prob(x), normal, rtol=1e-3, atol=5e-3)


def test_the_process_runs_in_model_space() -> None:
    """E[Z | X] of N(m, k²) under noise of variance t is m + k²/(k² + t) (X − m)."""
    model = build(IMAGES, 0.3, -0.5)
    x, t = torch.randn(6, 16, generator=rng()), torch.rand(6, generator=rng(1))
    gain = (0.09 / (0.09 + t))[:, None]
    torch.testing.assert_close(model.denoise(x, t), -0.5 + gain * (x + 0.5), rtol=1e-4, atol=1e-5)
    noised = model.add_noise(x.new_zeros(40_000, 16), t.new_full((40_000,), 2.0), generator=rng())
    assert float(noised.var()) == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("options", [{}, {"sampler": "heun", "steps": 24}])
def test_samples_of_a_normal_have_its_moments(options: dict[str, Any]) -> None:
    model = build(IMAGES, 0.2, -0.1)
    x = model.sample(4000, generator=rng(), **options)
    assert x.shape == (4000, 1, 4, 4) and float(x.abs().max()) <= 1
    assert float(x.mean()) == pytest.approx(-0.1, abs=0.01)
    assert float(x.std()) == pytest.approx(0.2, rel=0.03)


def test_images_are_standardised_with_their_dequantisation() -> None:
    data = blobs((1, 8, 8))
    model = DataDiffusion(DDPMConfig(**SMALL), data.info)
    train(model, data, "4step")
    x = data.to_model(data.train.raw)
    z = model._standardised(x, rng())
    assert float(z.var(dim=0, correction=0).mean()) == pytest.approx(1, rel=0.01)
    assert float(z.mean(dim=0).abs().max()) < 0.02
    back = z * model.scale + model.shift - x.flatten(1)
    assert float(back.abs().max()) <= 1 / 255 + 1e-6


def test_points_keep_their_standardisation() -> None:
    model = build(POINTS)
    x = torch.randn(50, 2, generator=rng())
    model._look(x)
    assert torch.equal(model._standardised(x, rng()), x)
    torch.testing.assert_close(model.diffusion.covariance, x.T.cov(correction=0))


def test_density_of_many_dimensions_is_not_available() -> None:
    with pytest.raises(NotAvailable, match="64"):
        build(DataInfo("signals", "signal", (1, 65), 10)).log_prob(torch.zeros(1, 1, 65))


@pytest.mark.parametrize(
    ("options", "nfe"),
    [({}, 32), ({"sampler": "euler", "steps": 5}, 5), ({"sampler": "dpmpp-2m", "steps": 8}, 8)],
)
def test_nfe(options: dict[str, Any], nfe: int) -> None:
    assert build(POINTS).nfe(**options) == nfe
