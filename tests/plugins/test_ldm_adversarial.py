"""The patch critic of the ldm's first stage: gradients against autograd, place in training."""

from __future__ import annotations

import math

import pytest
import torch
from benchbench_ldm.adversarial import FEATURES, PERIOD, PatchCritic, duel, scaled
from benchbench_ldm.config import LDMConfig
from benchbench_ldm.model import LatentDiffusion
from image_models import blobs, rng, train
from torch import Tensor
from torch.nn.functional import softplus

from benchbench.api import UsageError
from benchbench.api.data import DataInfo

SHAPE = (1, 17, 20)
SMALL = {"width": 16, "depth": 1, "ae_width": 8, "latent_dim": 4, "ae_batch_size": 16}


def critic() -> PatchCritic:
    torch.manual_seed(0)
    return PatchCritic(SHAPE, width=4)


def pair() -> tuple[Tensor, Tensor]:
    x = torch.rand(6, *SHAPE, generator=rng()) * 2 - 1
    return x, x + 0.2 * torch.randn(x.shape, generator=rng(1))


def test_the_push_is_scaled_to_the_squared_error_s_gradient() -> None:
    x, rebuilt = pair()
    rebuilt.requires_grad_()
    (own,) = torch.autograd.grad((x - rebuilt).square().flatten(1).sum(dim=1).mean(), rebuilt)
    push = scaled(torch.randn(x.shape, generator=rng(2)), x, rebuilt, 3.0)
    torch.testing.assert_close(push.norm(), 3 * own.norm())


@pytest.mark.parametrize("step", [1, PERIOD])
def test_the_push_is_the_gradient_of_what_fools_the_critic(step: int) -> None:
    judge, (x, rebuilt) = critic(), pair()
    _, push = duel(judge, x, rebuilt, step=step)
    shown = rebuilt.clone().requires_grad_()
    (real, wanted), (fake, found) = judge(x), judge(shown.clamp(-1, 1))
    distance = sum((a - b).abs().mean() for a, b in zip(wanted, found, strict=True))
    (expected,) = torch.autograd.grad(softplus(real - fake).mean() + FEATURES * distance, shown)
    torch.testing.assert_close(push, expected)


def test_a_perfect_reconstruction_leaves_the_critic_at_chance() -> None:
    x, _ = pair()
    loss, _ = duel(critic(), x, x.clone(), step=1)
    assert float(loss.detach()) == pytest.approx(math.log(2))


def test_the_penalty_comes_every_so_many_steps_and_raises_the_loss() -> None:
    judge, (x, rebuilt) = critic(), pair()
    plain, penalised = (float(duel(judge, x, rebuilt, step=s)[0].detach()) for s in (1, 2 * PERIOD))
    assert penalised > plain
    assert 64 % PERIOD == 0  # FLOPs are counted in blocks of 64 steps


def test_training_moves_the_critic_and_leaves_it_out_where_its_weight_is_zero() -> None:
    data = blobs(SHAPE)
    torch.manual_seed(0)
    model = LatentDiffusion(LDMConfig(**SMALL, ae_adversarial=4), data.info)
    assert model.critic is not None
    before = model.critic.head.weight.clone()
    train(model, data, "30step")
    assert not torch.equal(before, model.critic.head.weight)
    assert bool(model.sample(8, generator=rng(), steps=2).isfinite().all())
    assert LatentDiffusion(LDMConfig(**SMALL, ae_adversarial=0), data.info).critic is None


@pytest.mark.parametrize("shape", [(1, 8, 8), (2,)])
def test_other_data_refuse_a_critic(shape: tuple[int, ...]) -> None:
    info = DataInfo("small", "image" if len(shape) == 3 else "points", shape, 10)
    with pytest.raises(UsageError, match="ae_adversarial"):
        LatentDiffusion(LDMConfig(ae_adversarial=1), info)
