"""The model `vae` on images of 16 pixels a side and more."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from benchbench_vae.config import VaeConfig
from benchbench_vae.model import Vae
from benchbench_vae.networks import Encoder, ImageDecoder, ImageEncoder
from image_models import blobs, cell, rng, train

from benchbench.api import DataInfo, UsageError
from benchbench.metrics.flops import FlopCounter
from benchbench.runner.training import fit_model

SMALL: dict[str, Any] = {"width": 8, "encoder_depth": 1, "decoder_depth": 1, "latent_dim": 5}


def info(shape: tuple[int, ...]) -> DataInfo:
    return DataInfo("images", "image", shape, 100, levels=256)


def build(data: DataInfo, **options: Any) -> Vae:
    torch.manual_seed(0)
    return Vae(VaeConfig(**{**SMALL, **options}), data).eval()


def test_large_images_get_convolutions_and_all_else_what_it_had() -> None:
    assert isinstance(build(info((1, 16, 16))).encoder, ImageEncoder)
    assert isinstance(build(info((1, 28, 28)), network="mlp").encoder, Encoder)
    for shape in [(1, 28, 15), (1, 8, 8)]:
        assert isinstance(build(info(shape)).encoder, Encoder)
        with pytest.raises(UsageError, match="16 pixels"):
            build(info(shape), network="conv")


def test_shapes_and_ranges() -> None:
    data = blobs()
    model = build(data.info)
    x = data.to_model(data.test.raw)
    mean, std = model.encode(x)
    assert mean.shape == std.shape == (32, 5) and bool((std > 0).all())
    decoded = model.decode(10 * mean)
    assert decoded.shape == x.shape and float(decoded.detach().abs().max()) <= 1
    assert model.elbo(x, generator=rng()).shape == (32,)
    assert model.sample(1, generator=rng()).shape == (1, 1, 17, 20)


def test_no_row_depends_on_another() -> None:
    model = build(blobs().info).double()
    z = torch.randn(4, 5, dtype=torch.float64, generator=rng())
    whole = model.decode(z)
    torch.testing.assert_close(whole[2:3], model.decode(z[2:3]), rtol=1e-12, atol=1e-12)
    mean, std = model.encode(whole)
    alone = model.encode(whole[3:])
    torch.testing.assert_close((mean[3:], std[3:]), alone, rtol=1e-12, atol=1e-12)


def test_decode_has_the_gradient_of_finite_differences() -> None:
    model = build(info((1, 16, 16)), width=4).double()
    z = torch.randn(1, 5, dtype=torch.float64, generator=rng(), requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: model.decode(z).flatten(1)[:, ::37], z)


def test_flops_of_a_decoder_are_those_of_its_convolutions() -> None:
    """A linear map, a residual block, and the head, by hand."""
    model = build(info((1, 16, 16)))
    assert isinstance(model.decoder, ImageDecoder)
    w, area = 8, 64
    with FlopCounter() as counter:
        model.decode(torch.zeros(3, 5))
    assert counter.total == 3 * 2 * area * (5 * w + 2 * 9 * w * w + 9 * w * 4)


def test_compiled_training_is_uncompiled_where_flops_are_counted() -> None:
    data = blobs()
    plain, fast = build(data.info), build(data.info, compile=True)
    spent = [train(model, data, "12step").ledger.total.flop for model in (plain, fast)]
    assert spent[0] == spent[1] > 0
    state = plain.state_dict()
    assert all(torch.equal(state[key], now) for key, now in fast.state_dict().items())


def test_an_interrupted_training_ends_in_the_same_bits() -> None:
    data = blobs()
    whole = build(data.info)
    train(whole, data, "12step")
    saved: dict[str, Any] = {}

    def stop() -> None:
        if training.step == 7:
            saved.update(copy.deepcopy(training.state()))
            raise KeyboardInterrupt

    training = cell("12step", data, stop)
    model = build(data.info)
    training.attach(model)
    with pytest.raises(KeyboardInterrupt):
        fit_model(model, training)
    torch.manual_seed(1)
    resumed = Vae(VaeConfig(**SMALL), data.info)
    train(resumed, data, "12step", saved)
    state = whole.state_dict()
    assert all(torch.equal(state[key], now) for key, now in resumed.state_dict().items())


def test_training_raises_the_bound() -> None:
    data = blobs()
    model = build(data.info)
    x = data.to_model(data.validation.raw)
    model.variance.fill_(float(x.var()))
    before = model.elbo(x, generator=rng()).mean()
    train(model, data, "60step")
    assert model.eval().elbo(x, generator=rng()).mean() > before


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 64, 64)])
def test_defaults_for_colour_train_and_sample(shape: tuple[int, ...]) -> None:
    data = blobs(shape, n=16)
    torch.manual_seed(0)
    model = Vae(VaeConfig(batch_size=4), data.info)
    train(model, data, "2step")
    x = model.eval().sample(2, generator=rng())
    assert x.shape == (2, *shape) and bool(x.isfinite().all())
