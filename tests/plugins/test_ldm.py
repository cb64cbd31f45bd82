"""The model `ldm`: contract, determinism, options, and a small training."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from benchbench_ldm import bench_models
from benchbench_ldm.autoencoder import Autoencoder
from benchbench_ldm.config import LDMConfig, LDMSampling
from benchbench_ldm.likelihood import ode_log_prob
from benchbench_ldm.model import LatentDiffusion
from benchbench_ldm.sizes import Sizes
from pydantic import ValidationError
from torch import Tensor

from benchbench.api import Budget, NotAvailable
from benchbench.api.data import DataInfo, Dataset, Split
from benchbench.runner.training import CellTraining, fit_model

POINTS = DataInfo("points", "points", (2,), 1000)
IMAGES = DataInfo("images", "image", (3, 4, 4), 1000, levels=17)
SIGNALS = DataInfo("signals", "signal", (2, 16), 1000)
SMALL: dict[str, Any] = {"width": 48, "depth": 2, "ae_width": 24}


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build(data: DataInfo, **options: Any) -> LatentDiffusion:
    torch.manual_seed(0)
    return LatentDiffusion(LDMConfig(**{**SMALL, **options}), data).eval()


def two_lines(n: int, seed: int) -> Tensor:
    """Points (n, 2) on two vertical strokes at x = ±1, width 0.1."""
    side = torch.randint(2, (n, 1), generator=rng(seed)) * 2.0 - 1
    x = side + 0.1 * torch.randn(n, 1, generator=rng(seed + 1))
    return torch.cat([x, torch.randn(n, 1, generator=rng(seed + 2))], dim=1)


def dataset(n: int = 20_000) -> Dataset:
    train = two_lines(n, 0)
    return Dataset(
        info=DataInfo("lines", "points", (2,), n),
        train=Split(train),
        validation=Split(two_lines(500, 10)),
        test=Split(two_lines(500, 20)),
        digest="lines",
        mean=train.mean(dim=0),
        std=train.std(dim=0),
    )


def cell(budget: str, data: Dataset, on_step: Callable[[], None] | None = None) -> CellTraining:
    device = torch.device("cpu")
    return CellTraining(data, Budget.parse(budget), device=device, seed=0, on_step=on_step)


def trained(budget: str, data: Dataset, **options: Any) -> LatentDiffusion:
    training = cell(budget, data)
    model = build(data.info, **options)
    training.attach(model)
    fit_model(model, training)
    return model


@pytest.fixture(scope="module")
def lines() -> Dataset:
    return dataset()


@pytest.fixture(scope="module")
def model(lines: Dataset) -> LatentDiffusion:
    return trained("1000step", lines, fourier=0)


def test_the_spec_loads_no_torch() -> None:
    code = (
        "import sys, benchbench_ldm; benchbench_ldm.bench_models(); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_options_have_descriptions_and_share_no_key() -> None:
    for spec in bench_models():
        assert not set(spec.config.model_fields) & set(spec.sampling.model_fields)
        for options in (spec.config, spec.sampling):
            assert all(field.description for field in options.model_fields.values())


@pytest.mark.parametrize(
    "bad",
    [{"weighting": "plain"}, {"width": 1}, {"ema_decay": 1.0}, {"kl_weight": 0}, {"ae_share": 1}],
)
def test_training_options_are_bounded(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LDMConfig(**bad)


@pytest.mark.parametrize(
    "bad", [{"steps": 0}, {"sampler": "rk4"}, {"schedule": "even"}, {"churn": 0}, {"rho": 0.5}]
)
def test_sampling_options_are_bounded(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LDMSampling(**bad)


@pytest.mark.parametrize("data", [POINTS, IMAGES, SIGNALS], ids=lambda data: data.kind)
def test_capabilities_have_their_shapes(data: DataInfo) -> None:
    model = build(data)
    x = torch.rand(5, *data.shape, generator=rng()) * 2 - 1
    mean, std = model.encode(x)
    d = model.latent_dim
    assert mean.shape == std.shape == (5, d) and bool((std > 0).all())
    assert model.decode(mean).shape == x.shape
    t = torch.full((5,), 0.25)
    assert model.add_noise(mean, t, generator=rng()).shape == (5, d)
    assert model.denoise(mean, t).shape == (5, d)
    assert model.prior_log_prob(mean).shape == (5,)
    sample = model.sample(7, generator=rng(), steps=3)
    assert sample.shape == (7, *data.shape) and sample.dtype == torch.float32
    assert model.sample(0, generator=rng(), steps=2).shape == (0, *data.shape)
    if data.kind == "image":
        assert float(sample.abs().max()) <= 1


def test_denoising_at_time_zero_returns_its_input() -> None:
    model = build(POINTS)
    x = torch.randn(4, 2, generator=rng())
    torch.testing.assert_close(model.denoise(x, torch.zeros(4)), x)


def test_decoding_is_row_by_row_and_differentiable() -> None:
    model = build(IMAGES)
    z = torch.randn(4, model.latent_dim, generator=rng(), requires_grad=True)
    x = model.decode(z)
    torch.testing.assert_close(model.decode(z[2:3]), x[2:3])
    (gradient,) = torch.autograd.grad(x[1].sum(), z)
    assert bool((gradient[1] != 0).any()) and not bool(gradient[[0, 2, 3]].any())


def test_standardised_latents_have_unit_variance_and_invert() -> None:
    torch.manual_seed(0)
    autoencoder = Autoencoder(6, 6, width=16, depth=1)
    x = 3 + 2 * torch.randn(500, 6, generator=rng())
    mean, std = autoencoder.standardise(x.split(64))
    total = mean.var(dim=0, correction=0) + std.square().mean(dim=0)
    torch.testing.assert_close(total, torch.ones(6), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(mean.mean(dim=0), torch.zeros(6), rtol=0, atol=1e-5)
    torch.testing.assert_close(autoencoder.encode(x)[0], mean, rtol=1e-5, atol=1e-5)
    # It begins as the identity, and undoes its own standardisation.
    torch.testing.assert_close(autoencoder.decode(mean), x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp-2m", "ab2", "stochastic"])
def test_sampling_is_deterministic_and_leaves_global_state_alone(sampler: str) -> None:
    model = build(POINTS)
    before = torch.get_rng_state()
    first, again, other = (
        model.sample(50, generator=rng(seed), sampler=sampler, steps=5) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "options",
    [{}, {"steps": 4}, {"sampler": "stochastic", "steps": 3}, {"sampler": "dpmpp-2m", "steps": 5}],
)
def test_nfe_counts_the_network_s_calls(options: dict[str, Any]) -> None:
    model = build(POINTS)
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    model.diffusion.ema.module.register_forward_hook(count)
    model.sample(8, generator=rng(), **options)
    assert calls == model.nfe(**options)


def test_prior_of_many_dimensions_is_not_available() -> None:
    data = DataInfo("signals", "signal", (1, 100), 10)
    with pytest.raises(NotAvailable, match="64"):
        build(data, latent_dim=65).prior_log_prob(torch.zeros(1, 65))


def test_sizes_follow_the_data_and_the_config() -> None:
    def sizes(dim: int, **options: Any) -> Sizes:
        return Sizes.choose(LDMConfig(**options), DataInfo("toy", "points", (dim,), 10))

    assert [sizes(dim).latent_dim for dim in (2, 16, 192)] == [2, 16, 24]
    assert sizes(192, latent_dim=5, width=99).latent_dim == 5
    assert sizes(192, latent_dim=5, width=99).width == 99
    assert sizes(2).fourier > 0 and sizes(2, fourier=0).fourier == 0


def test_a_small_training_beats_a_moment_matched_gaussian(
    model: LatentDiffusion, lines: Dataset
) -> None:
    """The gap between the strokes: a Gaussian puts two thirds of its mass there, the data none."""
    for options in ({}, {"sampler": "stochastic"}):
        sample = lines.to_raw(model.sample(2000, generator=rng(), **options))
        near = ((sample[:, 0].abs() - 1).abs() < 0.3).float().mean()
        assert near > 0.9
        assert 0.4 < float((sample[:, 0] > 0).float().mean()) < 0.6


def test_both_samplers_draw_from_one_distribution(model: LatentDiffusion) -> None:
    fine = {"steps": 32}
    one = model.sample(4000, generator=rng(1), sampler="heun", **fine)
    two = model.sample(4000, generator=rng(2), sampler="stochastic", **fine)
    torch.testing.assert_close(one.mean(dim=0), two.mean(dim=0), rtol=0, atol=0.12)
    torch.testing.assert_close(one.std(dim=0), two.std(dim=0), rtol=0.12, atol=0)


def test_trained_likelihood_is_converged_and_beats_a_gaussian(
    model: LatentDiffusion, lines: Dataset
) -> None:
    z = model.encode(lines.to_model(lines.test.raw))[0]
    value = model.prior_log_prob(z)
    denoiser, diffusion = model.diffusion.ema.module, model.diffusion
    fine = ode_log_prob(
        denoiser,
        z,
        sigma_min=float(diffusion.sigma_min),
        sigma_max=diffusion.sigma_max,
        covariance=diffusion.covariance,
        trace=denoiser.trace,
        refine=2.0,
    )
    assert abs(float((value - fine).mean())) < 0.01
    assert float((value - fine).abs().quantile(0.95)) < 0.05
    gaussian = torch.distributions.MultivariateNormal(z.mean(dim=0), z.T.cov())
    assert value.mean() > gaussian.log_prob(z).mean() + 0.5


def test_the_prior_integrates_to_one(model: LatentDiffusion) -> None:
    across, along = torch.linspace(-2, 2, 81), torch.linspace(-4.5, 4.5, 31)
    z = torch.cartesian_prod(across, along)
    mass = model.prior_log_prob(z).double().exp().sum() * 0.05 * 0.3
    assert float(mass) == pytest.approx(1, abs=0.003)


@pytest.mark.parametrize("weighting", ["none", "likelihood"])
def test_every_weighting_trains(weighting: str, lines: Dataset) -> None:
    model = trained("60step", lines, weighting=weighting)
    assert bool(model.sample(100, generator=rng()).isfinite().all())
    assert weighting in model.describe()["loss"]


def test_training_repeats_bit_for_bit(lines: Dataset) -> None:
    one, two = (trained("40step", lines).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("interrupted", [1, 25], ids=["autoencoder", "prior"])
def test_an_interrupted_training_ends_in_the_same_bits(interrupted: int, lines: Dataset) -> None:
    whole = trained("40step", lines).state_dict()
    saved: dict[str, Any] = {}

    def stop() -> None:
        steps = sum(phase.step for phase in training.spend.values())
        if steps == interrupted:
            saved.update(copy.deepcopy(training.state()))
            raise KeyboardInterrupt

    training = cell("40step", lines, stop)
    model = build(lines.info)
    training.attach(model)
    with pytest.raises(KeyboardInterrupt):
        fit_model(model, training)
    torch.manual_seed(1)
    resumed = LatentDiffusion(LDMConfig(**SMALL), lines.info)
    training = cell("40step", lines)
    training.attach(resumed)
    training.restore(saved)
    fit_model(resumed, training)
    assert all(torch.equal(whole[key], now) for key, now in resumed.state_dict().items())
