"""The model `ldm` on images of 16 pixels a side and more."""

from __future__ import annotations

import copy
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from benchbench_ldm.config import LDMConfig
from benchbench_ldm.images import latent_grid
from benchbench_ldm.model import LatentDiffusion
from benchbench_ldm.sizes import Sizes
from image_models import blobs, cell, rng, train
from pydantic import ValidationError

from benchbench.api import DataInfo, NotAvailable, UsageError
from benchbench.metrics.flops import FlopCounter
from benchbench.runner.training import fit_model

SMALL: dict[str, Any] = {
    "width": 32, "depth": 1, "ae_width": 8, "ae_depth": 1, "latent_dim": 6, "ae_batch_size": 16
}  # fmt: skip
GRID = DataInfo("grid", "image", (3, 32, 32), 64, levels=256)
needs_diffusers = pytest.mark.skipif(find_spec("diffusers") is None, reason="needs diffusers")


def info(shape: tuple[int, ...]) -> DataInfo:
    return DataInfo("images", "image", shape, 100, levels=256)


def build(data: DataInfo, **options: Any) -> LatentDiffusion:
    torch.manual_seed(0)
    return LatentDiffusion(LDMConfig(**{**SMALL, **options}), data).eval()


# --- what is chosen ----------------------------------------------------------------------------


def test_large_images_get_convolutions_and_all_else_what_it_had() -> None:
    large = Sizes.choose(LDMConfig(), info((1, 16, 16)))
    assert large.autoencoder == "conv" and large.ae_adversarial > 0
    for data in (info((1, 28, 15)), info((1, 8, 8)), DataInfo("s", "signal", (3, 400), 9)):
        sizes = Sizes.choose(LDMConfig(), data)
        assert sizes.autoencoder == "mlp" and sizes.ae_adversarial == 0
    assert Sizes.choose(LDMConfig(autoencoder="mlp"), info((1, 28, 28))).autoencoder == "mlp"


def test_latents_stay_within_the_exact_trace() -> None:
    for shape in [(1, 28, 28), (3, 32, 32), (3, 64, 64)]:
        sizes = Sizes.choose(LDMConfig(), info(shape))
        assert not sizes.no_trace and sizes.denoiser == "mlp"


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 15)])
@pytest.mark.parametrize("kind", ["conv", "diffusers"])
def test_networks_for_images_refuse_small_ones(shape: tuple[int, ...], kind: str) -> None:
    if kind == "diffusers" and find_spec("diffusers") is None:
        pytest.skip("needs diffusers")
    with pytest.raises(UsageError, match="16 pixels"):
        build(info(shape), autoencoder=kind)


def test_without_diffusers_its_options_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchbench_ldm.config.find_spec", lambda name: None)
    for options in ({"autoencoder": "diffusers"}, {"denoiser": "unet"}):
        with pytest.raises(ValidationError, match=r"benchbench\[diffusers\]"):
            LDMConfig(**options)


@needs_diffusers
def test_a_u_net_needs_a_grid() -> None:
    with pytest.raises(ValidationError, match="autoencoder=diffusers"):
        LDMConfig(denoiser="unet")
    with pytest.raises(ValidationError, match="autoencoder=diffusers"):
        LDMConfig(denoiser="unet", autoencoder="conv")


def test_grids_that_do_not_fit_are_refused() -> None:
    assert latent_grid((3, 32, 32), None) == (4, 8, 8)
    assert latent_grid((1, 28, 28), 98) == (2, 7, 7)
    with pytest.raises(UsageError, match="halves the sides"):
        latent_grid((1, 30, 30), None)
    with pytest.raises(UsageError, match="multiple of 64"):
        latent_grid((3, 32, 32), 100)


# --- identities --------------------------------------------------------------------------------


def test_capabilities_have_their_shapes() -> None:
    data = blobs()
    model = build(data.info)
    x = data.to_model(data.test.raw)
    mean, std = model.encode(x)
    assert mean.shape == std.shape == (32, 6) and bool((std > 0).all())
    assert model.decode(mean).shape == x.shape
    assert model.prior_log_prob(mean[:2]).shape == (2,)
    assert model.sample(1, generator=rng(), steps=2).shape == (1, 1, 17, 20)
    assert float(model.sample(5, generator=rng(), steps=2).abs().max()) <= 1


def test_rows_are_independent_and_differentiable() -> None:
    model = build(blobs().info)
    z = torch.randn(4, 6, generator=rng(), requires_grad=True)
    x = model.decode(z)
    torch.testing.assert_close(model.decode(z[2:3]), x[2:3])
    (gradient,) = torch.autograd.grad(x[1].sum(), z)
    assert bool((gradient[1] != 0).any()) and not bool(gradient[[0, 2, 3]].any())
    mean, std = model.encode(x.detach())
    alone = model.encode(x.detach()[3:])
    torch.testing.assert_close((mean[3:], std[3:]), alone)


def test_trained_latents_are_standardised() -> None:
    data = blobs()
    model = build(data.info)
    train(model, data, "40step")
    mean, std = model.eval().encode(data.to_model(data.train.raw))
    total = mean.var(dim=0, correction=0) + std.square().mean(dim=0)
    torch.testing.assert_close(total, torch.ones(6), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(mean.mean(dim=0), torch.zeros(6), rtol=0, atol=1e-4)
    torch.testing.assert_close(model.diffusion.covariance.diagonal(), total, rtol=1e-3, atol=1e-3)


def test_the_gaussian_prior_has_the_latents_covariance_and_costs_no_evaluation() -> None:
    model = build(blobs().info)
    root = torch.randn(6, 6, generator=rng(3))
    model.diffusion.covariance.copy_(root @ root.T + torch.eye(6))
    z = model.diffusion.draw_gaussian(40_000, generator=rng(1))
    scale = float(model.diffusion.covariance.diagonal().max())
    torch.testing.assert_close(z.T.cov(), model.diffusion.covariance, rtol=0, atol=0.05 * scale)
    calls: list[int] = []
    model.diffusion.ema.module.register_forward_hook(lambda *_: calls.append(1))
    x = model.sample(9, generator=rng(1), prior="gaussian")
    expected = model.decode(model.diffusion.draw_gaussian(9, generator=rng(1))).clamp(-1, 1)
    assert torch.equal(x, expected)
    assert model.nfe(prior="gaussian") == len(calls) == 0


def test_flops_of_a_step_are_those_of_its_matrices() -> None:
    """One convolution to half the sides, one linear map, and their mirror images, by hand."""
    data = info((1, 16, 16))
    model = build(data, ae_depth=0, latent_dim=6, ae_width=8)
    n, w, area = 4, 8, 64
    stem, linear = 2 * 25 * w * area, 2 * w * area * 12
    enter, head = 2 * 6 * w * area, 2 * 9 * w * 4 * area
    x = torch.randn(n, 256, generator=rng())
    with FlopCounter() as forward:
        model.autoencoder.loss(x, kl_weight=0.1, generator=rng())
    assert forward.total == n * (stem + linear + enter + head)
    with FlopCounter() as step:
        model.autoencoder.loss(x, kl_weight=0.1, generator=rng()).backward()
    # Each is done twice more on the way back, but the stem, whose input wants no gradient.
    assert step.total == n * (2 * stem + 3 * (linear + enter + head))


def test_compiled_training_is_uncompiled_where_flops_are_counted() -> None:
    """The first 64 steps of a phase are counted, and so is all between phases."""
    data = blobs()
    plain, fast = build(data.info), build(data.info, compile=True)
    spent = [train(model, data, "20step").ledger.total.flop for model in (plain, fast)]
    assert spent[0] == spent[1] > 0
    state = plain.state_dict()
    assert all(torch.equal(state[key], now) for key, now in fast.state_dict().items())
    assert "forward" not in vars(fast.autoencoder.decoder)


@pytest.mark.parametrize("interrupted", [3, 25], ids=["autoencoder", "prior"])
def test_an_interrupted_training_ends_in_the_same_bits(interrupted: int) -> None:
    data = blobs()
    whole = build(data.info)
    train(whole, data, "40step")
    saved: dict[str, Any] = {}

    def stop() -> None:
        if sum(phase.step for phase in training.spend.values()) == interrupted:
            saved.update(copy.deepcopy(training.state()))
            raise KeyboardInterrupt

    training = cell("40step", data, stop)
    model = build(data.info)
    training.attach(model)
    with pytest.raises(KeyboardInterrupt):
        fit_model(model, training)
    torch.manual_seed(1)
    resumed = LatentDiffusion(LDMConfig(**SMALL), data.info)
    train(resumed, data, "40step", saved)
    state = whole.state_dict()
    assert all(torch.equal(state[key], now) for key, now in resumed.state_dict().items())


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 64, 64)])
def test_defaults_for_colour_train_and_sample(shape: tuple[int, ...]) -> None:
    data = blobs(shape, n=256)
    torch.manual_seed(0)
    model = LatentDiffusion(LDMConfig(ae_batch_size=4), data.info)
    train(model, data, "4step")
    x = model.eval().sample(2, generator=rng(), steps=2)
    assert x.shape == (2, *shape) and bool(x.isfinite().all())


# --- diffusers ---------------------------------------------------------------------------------


@needs_diffusers
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_latents_on_a_grid_train_and_sample(shape: tuple[int, ...]) -> None:
    data = blobs(shape, n=64)
    torch.manual_seed(0)
    options = {"width": 16, "depth": 1, "ae_width": 8, "ae_batch_size": 4, "batch_size": 8}
    model = LatentDiffusion(LDMConfig(autoencoder="diffusers", **options), data.info)
    train(model, data, "6step")
    model.eval()
    side = halved = shape[1] // 4
    assert model.latent_dim == 4 * side * halved and model.sizes.denoiser == "unet"
    x = model.sample(3, generator=rng(), steps=2)
    assert x.shape == (3, *shape) and bool(x.isfinite().all())
    mean, std = model.encode(x)
    assert mean.shape == std.shape == (3, model.latent_dim)
    torch.testing.assert_close(model.decode(mean)[1:2], model.decode(mean[1:2]))
    with pytest.raises(NotAvailable, match="U-Net"):
        model.prior_log_prob(mean)


@needs_diffusers
def test_a_grid_may_have_a_residual_mlp() -> None:
    model = build(GRID, autoencoder="diffusers", denoiser="mlp", latent_dim=64)
    assert model.sizes.denoiser == "mlp"
    assert model.prior_log_prob(torch.zeros(1, 64)).shape == (1,)
