"""The GAN: its losses and penalties against hand-computed values, its networks, the contract."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any, get_args

import pytest
import torch
from benchbench_gan import bench_models
from benchbench_gan.config import GanConfig, Loss, Penalty, Period
from benchbench_gan.losses import (
    critic_loss,
    generator_loss,
    gradient,
    one_centred,
    zero_centred,
)
from benchbench_gan.model import PENALTY_SETTLES, Gan, rate
from benchbench_gan.networks import Critic
from pydantic import ValidationError
from torch import Tensor, nn

from benchbench.api import DataInfo, Kind, UsageError

SMALL: dict[str, Any] = {"generator_width": 16, "critic_width": 16, "batch_size": 8}
SHAPES: dict[Kind, tuple[int, ...]] = {"points": (3,), "image": (2, 4, 5), "signal": (2, 6)}


def build(kind: Kind = "points", **options: Any) -> Gan:
    torch.manual_seed(0)
    levels = 17 if kind == "image" else None
    info = DataInfo("toy", kind, SHAPES[kind], n_train=64, levels=levels)
    return Gan(GanConfig(**{**SMALL, **options}), info).eval()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed))


# --- losses ------------------------------------------------------------------------------------


def softplus(u: float) -> float:
    return math.log1p(math.exp(u))


@pytest.mark.parametrize(
    ("loss", "critic", "players"),
    [
        (
            "relativistic",
            softplus(-1.5) / 2 + softplus(3) / 2,
            softplus(1.5) / 2 + softplus(-3) / 2,
        ),
        (
            "non-saturating",
            (softplus(0.5) + softplus(2)) / 2 + (softplus(-2) + softplus(1)) / 2,
            (softplus(-0.5) + softplus(-2)) / 2,
        ),
        ("hinge", (1.5 + 3) / 2 + (0 + 2) / 2, -(0.5 + 2) / 2),
        ("wasserstein", (0.5 + 2) / 2 - (2 - 1) / 2, -(0.5 + 2) / 2),
    ],
)
def test_losses_by_hand(loss: Loss, critic: float, players: float) -> None:
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 2.0])
    assert float(critic_loss(loss, real, fake)) == pytest.approx(critic, rel=1e-6)
    assert float(generator_loss(loss, real, fake)) == pytest.approx(players, rel=1e-6)


def test_relativistic_loss_is_symmetric_and_sees_differences_only() -> None:
    real, fake = draw(20), draw(20, seed=1)
    critic = critic_loss("relativistic", real, fake)
    assert torch.equal(critic, generator_loss("relativistic", fake, real))
    torch.testing.assert_close(critic, critic_loss("relativistic", real + 3, fake + 3))
    even = critic_loss("relativistic", real, real)
    assert float(even) == pytest.approx(math.log(2))


@pytest.mark.parametrize("loss", get_args(Loss))
def test_players_pull_the_fake_score_apart(loss: Loss) -> None:
    real, fake = torch.zeros(3), torch.zeros(3, requires_grad=True)
    (down,) = torch.autograd.grad(critic_loss(loss, real, fake), fake)
    (up,) = torch.autograd.grad(generator_loss(loss, real, fake), fake)
    assert bool((down > 0).all()) and bool((up < 0).all())


# --- penalties ---------------------------------------------------------------------------------


class Linear(nn.Module):
    """D(x) = w · x, summed over the m examples of a pack."""

    def __init__(self, w: Tensor, pack: int = 1) -> None:
        super().__init__()
        self.w, self.pack = nn.Parameter(w), pack

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) @ self.w).reshape(-1, self.pack).sum(dim=1)


def penalty(w: Tensor, pack: int = 1, **options: Any) -> Tensor:
    """The weighted penalty of a linear critic in the first step of training."""
    gan = build(pack=pack, **options)
    gan.critic = Linear(w, pack)  # type: ignore[assignment]
    weight = gan._penalty_weight(step=0, progress=0.0)
    return gan._critique(draw(8, 3), draw(8, 3, seed=1), weight, generator(), True)[1].detach()


@pytest.mark.parametrize(("name", "sides"), [("r1", 1), ("r1r2", 2), ("none", 0)])
@pytest.mark.parametrize("pack", [1, 4])
def test_zero_centred_penalty_of_a_linear_critic(name: Penalty, sides: int, pack: int) -> None:
    w = torch.tensor([1.0, -2.0, 0.5])
    value = penalty(w, pack, penalty=name, gamma=3.0, penalty_period=1)
    assert float(value) == pytest.approx(sides * 3.0 / 2 * pack * float(w @ w), rel=1e-6)


def test_a_lazy_penalty_weighs_as_much_on_average() -> None:
    gan = build(gamma=3.0, penalty_period=8)
    weights = [gan._penalty_weight(step, progress=0.0) for step in range(64)]
    assert sum(weights) / 64 == pytest.approx(3.0)
    assert sum(w > 0 for w in weights) == 8


def test_the_penalty_weakens_geometrically() -> None:
    gan = build(gamma=2.0, gamma_decay=0.01, penalty_period=1)
    at = [gan._penalty_weight(0, PENALTY_SETTLES * p) for p in (0.0, 0.5, 1.0, 1.1)]
    assert at == pytest.approx([2.0, 0.2, 0.02, 0.02])


def test_one_centred_penalty() -> None:
    unit = torch.tensor([0.6, 0.0, 0.8])
    assert float(penalty(unit, penalty="wgan-gp")) == pytest.approx(0.0, abs=1e-9)
    steep = penalty(3 * unit, penalty="wgan-gp", gamma=10.0, penalty_period=1)
    assert float(steep) == pytest.approx(10 * (3 - 1) ** 2, rel=1e-5)


def test_penalty_of_a_quadratic_critic_and_its_own_gradient() -> None:
    x = draw(6, 4).requires_grad_()
    a = torch.tensor(1.5, requires_grad=True)
    g = gradient(a * x.square().sum(dim=1), x)
    torch.testing.assert_close(g, 2 * a * x)
    value = zero_centred(g)  # ½ E |2 a x|², so d/da = value · 2/a
    (slope,) = torch.autograd.grad(value, a, retain_graph=True)
    torch.testing.assert_close(slope, 2 * value / a)
    torch.testing.assert_close(one_centred(g), ((2 * a * x).norm(dim=1) - 1).square().mean())


@pytest.mark.parametrize("loss", get_args(Loss))
@pytest.mark.parametrize("pack", [1, 2])
def test_one_pass_gives_the_gradient_of_a_generator_step_of_its_own(loss: Loss, pack: int) -> None:
    gan = build(loss=loss, pack=pack)
    real, fake = draw(8, 3), draw(8, 3, seed=1)
    _, _, push = gan._critique(real.clone(), fake.clone(), 0.3, generator(), True)
    fake.requires_grad_()
    alone = generator_loss(loss, gan.critic(real).detach(), gan.critic(fake))
    torch.testing.assert_close(push, torch.autograd.grad(alone, fake)[0])


# --- networks and options ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("pack", [1, 2, 4])
def test_packs_are_neighbours_and_do_not_mix(kind: Kind, pack: int) -> None:
    gan = build(kind, pack=pack)
    x = draw(8, *SHAPES[kind])
    scores = gan.critic(x)
    assert scores.shape == (8 // pack,)
    changed = x.clone()
    changed[-1] += 1
    moved = gan.critic(changed) != scores
    assert moved.tolist() == [False] * (8 // pack - 1) + [True]


def test_points_have_fourier_features_and_images_do_not() -> None:
    assert build("points").critic.features is not None
    assert build("image").critic.features is None
    assert build("points", fourier=0, latent_fourier=0).generator.features is None
    assert isinstance(build("image", fourier=8).critic, Critic)


@pytest.mark.parametrize("field", ["penalty_period", "critic_steps"])
def test_periods_divide_64(field: str) -> None:
    assert all(64 % k == 0 for k in get_args(Period))
    with pytest.raises(ValidationError):
        GanConfig(**{field: 5})


@pytest.mark.parametrize(
    "bad",
    [
        {"loss": "least-squares"},
        {"penalty": "r3"},
        {"gamma": -1.0},
        {"gamma_decay": 0.0},
        {"pack": 0},
        {"latent_dim": 0},
        {"ema_decay": 1.0},
        {"lr_critic": 0.0},
        {"widht": 3},
    ],
)
def test_options_out_of_bounds_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GanConfig(**bad)


def test_every_option_is_described_and_resolved() -> None:
    assert all(f.description for f in GanConfig.model_fields.values())
    for kind, shape in (
        ("points", (2,)),
        ("image", (3, 8, 8)),
        ("image", (1, 28, 28)),
        ("image", (3, 64, 64)),
        ("signal", (2, 64)),
    ):
        settings = GanConfig().settings(kind, shape)  # type: ignore[arg-type]
        assert all(getattr(settings, name) is not None for name in GanConfig.model_fields)
        assert 64 % settings.penalty_period == 0


def test_given_options_win() -> None:
    settings = GanConfig(gamma=0.0, fourier=0, latent_dim=7).settings("points", (2,))
    assert (settings.gamma, settings.fourier, settings.latent_dim) == (0.0, 0, 7)


def test_one_centred_penalty_has_the_weight_of_its_paper() -> None:
    settings = GanConfig(penalty="wgan-gp").settings("image", (3, 8, 8))
    assert (settings.gamma, settings.gamma_decay) == (10.0, 1.0)


def test_a_pack_larger_than_a_batch_is_a_usage_error() -> None:
    assert build(pack=3)._batch_size() == 6
    with pytest.raises(UsageError, match=r"pack = 16"):
        build(pack=16)._batch_size()


def test_rate_stays_in_its_bounds() -> None:
    rates = [rate(p / 1000) for p in range(1001)]
    assert max(rates) == 1.0 and min(rates) > 0
    assert rates[-1] == pytest.approx(0.02)


# --- the contract ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SHAPES)
def test_sample_is_deterministic_and_leaves_global_state_alone(kind: Kind) -> None:
    gan = build(kind)
    before = torch.get_rng_state()
    a, b = (gan.sample(5, generator=generator(3)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(a, b)
    assert a.shape == (5, *SHAPES[kind]) and a.dtype == torch.float32
    assert kind != "image" or float(a.abs().max()) <= 1


@pytest.mark.parametrize("kind", SHAPES)
def test_decode_is_differentiable_row_by_row(kind: Kind) -> None:
    gan = build(kind)
    z = draw(6, gan.latent_dim).requires_grad_()
    x = gan.decode(z)
    assert x.shape == (6, *SHAPES[kind])
    (g,) = torch.autograd.grad(x[2].sum(), z)
    assert bool(g[2].any()) and not bool(g[[0, 1, 3, 4, 5]].any())
    torch.testing.assert_close(gan.decode(z[2:3]), x[2:3])


def test_the_average_samples_not_the_trained_generator() -> None:
    gan = build()
    before = gan.sample(4, generator=generator())
    with torch.no_grad():
        for p in gan.generator.parameters():
            p.add_(1.0)
    assert torch.equal(before, gan.sample(4, generator=generator()))
    gan.average.update(gan.generator)
    assert not torch.equal(before, gan.sample(4, generator=generator()))


def test_describe() -> None:
    told = build("image", pack=2).describe()
    assert told["latent_dim"] == 32 and told["prior"] == "N(0, I)" and told["pack"] == 2
    assert "relativistic" in told["loss"]


def test_spec() -> None:
    spec = bench_models()[0]
    assert (spec.name, spec.config) == ("gan", GanConfig)
    assert spec.capabilities == {"decode", "standard_prior"}


def test_the_spec_loads_without_torch() -> None:
    code = (
        "import sys, benchbench_gan; benchbench_gan.bench_models(); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
