"""The VAE: identities of its bound and its sampler, and the contract of a model."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from benchbench_vae import bench_models
from benchbench_vae.config import Settings, VaeConfig, VaeSampling
from benchbench_vae.model import Vae, gaussian_kl
from torch import Tensor, nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from benchbench.api import DataInfo, Kind

SMALL: dict[str, Any] = {"width": 16, "encoder_depth": 1, "decoder_depth": 1}
SHAPES: dict[Kind, tuple[int, ...]] = {"points": (3,), "image": (2, 4, 5), "signal": (2, 6)}


def build(kind: Kind = "points", **options: Any) -> Vae:
    torch.manual_seed(0)
    levels = 17 if kind == "image" else None
    info = DataInfo("toy", kind, SHAPES[kind], n_train=64, levels=levels)
    return Vae(VaeConfig(**{**SMALL, **options}), info).eval()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- the bound ---------------------------------------------------------------------------------


def test_kl_is_the_closed_form() -> None:
    mean, log_std = torch.randn(50, 4, generator=generator()), torch.randn(50, 4) * 0.5
    q = Independent(Normal(mean, log_std.exp()), 1)
    p = Independent(Normal(torch.zeros(4), torch.ones(4)), 1)
    torch.testing.assert_close(gaussian_kl(mean, log_std), kl_divergence(q, p))


def test_kl_of_the_prior_is_zero() -> None:
    assert gaussian_kl(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0.0, 0.0]


class LinearEncoder(nn.Module):
    """q(z | x) = N(A (x − b), diag s²)."""

    def __init__(self, a: Tensor, b: Tensor, std: Tensor) -> None:
        super().__init__()
        self.a, self.b, self.std = a, b, std

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = (x - self.b) @ self.a.T
        return mean, self.std.log().expand_as(mean)


class LinearDecoder(nn.Module):
    """μ(z) = W z + b."""

    def __init__(self, w: Tensor, b: Tensor) -> None:
        super().__init__()
        self.w, self.b = w, b

    def forward(self, z: Tensor) -> Tensor:
        return z @ self.w.T + self.b


SIGMA = 0.3


def linear(widen: float) -> tuple[Vae, MultivariateNormal, float]:
    """A linear-Gaussian VAE of 2 latents and 3 dimensions, its exact marginal, and its gap.

    Orthogonal columns of W make the exact posterior diagonal. The encoder has its mean, and its
    standard deviations times `widen`; the gap is KL(q ‖ posterior), which depends on that alone.
    """
    w = torch.tensor([[1.0, 0.5], [1.0, -0.5], [0.0, 0.5]]) * torch.tensor([0.8, 1.2])
    assert torch.equal((w.T @ w).diagonal().diag(), w.T @ w)
    b = torch.tensor([0.3, -0.2, 0.1])
    posterior_std = (1 + (w.T @ w).diagonal() / SIGMA**2).rsqrt()
    mean_map = posterior_std.square()[:, None] * w.T / SIGMA**2
    model = build("points", latent_dim=2)
    model.encoder = LinearEncoder(mean_map, b, widen * posterior_std)  # type: ignore[assignment]
    model.decoder = LinearDecoder(w, b)  # type: ignore[assignment]
    model.variance.fill_(SIGMA**2)
    marginal = MultivariateNormal(b, w @ w.T + SIGMA**2 * torch.eye(3))
    return model, marginal, 2 * (0.5 * widen**2 - 0.5 - math.log(widen))


def average_elbo(model: Vae, x: Tensor, draws: int = 20_000) -> tuple[Tensor, Tensor]:
    """Mean over draws for each example, and its standard error: (n,), (n,)."""
    values = model.elbo(x.repeat_interleave(draws, 0), generator=generator(5)).view(-1, draws)
    return values.mean(1), values.std(1) / math.sqrt(draws)


def test_bound_is_tight_under_the_exact_posterior() -> None:
    model, marginal, _ = linear(widen=1.0)
    x = torch.randn(6, 3, generator=generator(1))
    mean, error = average_elbo(model, x)
    assert ((mean - marginal.log_prob(x)).abs() < 5 * error).all()


@pytest.mark.parametrize("widen", [0.5, 2.0])
def test_bound_is_below_log_p_by_the_divergence_from_the_posterior(widen: float) -> None:
    model, marginal, gap = linear(widen)
    x = torch.randn(6, 3, generator=generator(1))
    mean, error = average_elbo(model, x)
    exact = marginal.log_prob(x)
    assert gap > 0.1 and (mean + 5 * error < exact).all()
    assert ((exact - gap - mean).abs() < 5 * error).all()


def test_sigma_is_the_mean_squared_error_and_then_a_running_mean() -> None:
    model = build()
    for step, mse in enumerate([0.4, 0.2, 0.6]):
        model._follow(torch.tensor(mse), step)
    torch.testing.assert_close(model.variance, torch.tensor(0.4))
    model._follow(torch.tensor(1.4), step=10_000)
    torch.testing.assert_close(model.variance, torch.tensor(0.41))


def test_sigma_stays_positive_on_data_that_are_repeated_exactly() -> None:
    model = build()
    model._follow(torch.tensor(0.0), 0)
    x = model.decode(torch.zeros(2, model.latent_dim)).detach()
    assert model.variance > 0 and model.elbo(x, generator=generator()).isfinite().all()


def test_kl_weight_grows_to_one_and_stays() -> None:
    model = build(warmup=0.5)
    weights = [model._weight(p) for p in (0.0, 0.25, 0.5, 1.0)]
    assert weights[0] < 0.1 and weights == sorted(weights)
    assert weights[2:] == [1.0, 1.0]
    assert build(warmup=0.0)._weight(0.0) == 1.0


# --- sampling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["points", "signal"])
def test_noise_adds_its_variance(kind: Kind) -> None:
    model = build(kind)
    model.variance.fill_(0.49)
    n = 20_000
    mean = model.sample(n, generator=generator(), observation_noise=False)
    noisy = model.sample(n, generator=generator(), observation_noise=True)
    noise = noisy - mean  # the same latents
    assert float(noise.var()) == pytest.approx(0.49, rel=5 * math.sqrt(2 / noise.numel()))
    gained = noisy.flatten(1).var(0) - mean.flatten(1).var(0)
    torch.testing.assert_close(gained, torch.full_like(gained, 0.49), rtol=0.1, atol=0.02)


@pytest.mark.parametrize(("kind", "noisy"), [("points", True), ("signal", True), ("image", False)])
def test_default_is_the_fields_custom(kind: Kind, noisy: bool) -> None:
    model = build(kind)
    default = model.sample(4, generator=generator())
    assert torch.equal(default, model.sample(4, generator=generator(), observation_noise=noisy))
    other = model.sample(4, generator=generator(), observation_noise=not noisy)
    assert not torch.equal(default, other)


def test_noisy_images_stay_in_range() -> None:
    model = build("image")
    x = model.sample(50, generator=generator(), observation_noise=True)
    assert x.min() == -1 and x.max() == 1


@pytest.mark.parametrize("kind", list(SHAPES))
def test_sample_is_deterministic_and_leaves_the_global_state(kind: Kind) -> None:
    model = build(kind)
    before = torch.get_rng_state()
    first = model.sample(7, generator=generator(3))
    assert torch.equal(first, model.sample(7, generator=generator(3)))
    assert not torch.equal(first, model.sample(7, generator=generator(4)))
    assert torch.equal(before, torch.get_rng_state())
    assert first.shape == (7, *SHAPES[kind]) and first.dtype == torch.float32
    assert not first.requires_grad


# --- encode and decode -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(SHAPES))
def test_shapes_and_ranges(kind: Kind) -> None:
    model = build(kind)
    x = torch.randn(5, *SHAPES[kind], generator=generator()).clamp(-1, 1)
    mean, std = model.encode(x)
    assert mean.shape == std.shape == (5, model.latent_dim)
    assert (std > 0).all()
    decoded = model.decode(10 * torch.randn(5, model.latent_dim))
    assert decoded.shape == x.shape
    assert kind != "image" or float(decoded.detach().abs().max()) <= 1
    assert model.elbo(x, generator=generator()).shape == (5,)
    assert model.describe()["latent_dim"] == model.latent_dim


@pytest.mark.parametrize("kind", list(SHAPES))
def test_no_row_depends_on_another(kind: Kind) -> None:
    model = build(kind).double()
    z = torch.randn(6, model.latent_dim, dtype=torch.float64, generator=generator())
    whole = model.decode(z)
    torch.testing.assert_close(whole[2:3], model.decode(z[2:3]), rtol=1e-12, atol=1e-12)
    mean, std = model.encode(whole)
    alone = model.encode(whole[4:5])
    torch.testing.assert_close((mean[4:5], std[4:5]), alone, rtol=1e-12, atol=1e-12)


def test_decode_has_the_gradient_of_finite_differences() -> None:
    for kind in SHAPES:
        model = build(kind).double()
        z = torch.randn(2, model.latent_dim, dtype=torch.float64, generator=generator())
        assert torch.autograd.gradcheck(model.decode, z.requires_grad_())


def test_wide_inputs_stay_finite() -> None:
    model = build("points")
    mean, std = model.encode(torch.full((1, 3), 1e4))
    assert mean.isfinite().all() and std.isfinite().all() and (std > 0).all()


# --- options and registration ------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [
        {"latent_dim": 0},
        {"width": 2},
        {"lr": 0.0},
        {"warmup": 1.5},
        {"weight_decay": -0.1},
        {"input_noise": -1.0},
        {"anchors": -1},
        {"batch_size": 0},
        {"encoder_depht": 2},
    ],
)
def test_options_out_of_range_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        VaeConfig(**option)


def test_options_override_what_the_kind_chooses() -> None:
    def settings(dim: int, **options: Any) -> Settings:
        return VaeConfig(**options).settings(DataInfo("toy", "points", (dim,), n_train=9))

    chosen = settings(2, latent_dim=5, anchors=0)
    assert (chosen.latent_dim, chosen.anchors) == (5, 0)
    assert chosen.width == settings(2).width
    assert [settings(dim).latent_dim for dim in (2, 500)] == [2, 16]
    model = build("points", anchors=0, fourier=0, latent_fourier=0, encoder_depth=0)
    assert model.decode(torch.zeros(2, 3)).shape == (2, 3)


def test_spec_names_the_class_and_its_options() -> None:
    (spec,) = bench_models()
    assert spec.implementation == f"{Vae.__module__}:{Vae.__name__}"
    assert spec.config is VaeConfig and spec.sampling is VaeSampling
    assert not set(VaeConfig.model_fields) & set(VaeSampling.model_fields)
    assert all(f.description for f in VaeConfig.model_fields.values())


def test_spec_loads_without_torch() -> None:
    code = (
        "import sys, benchbench_vae; benchbench_vae.bench_models(); print('torch' in sys.modules)"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "False"
