"""The GAN on images of 16 pixels a side and more: convolutions, penalties, the contract."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from benchbench_gan.config import Augment, GanConfig, Penalty
from benchbench_gan.convolutional import ConvCritic, ConvGenerator
from benchbench_gan.losses import generator_loss, gradient, zero_centred
from benchbench_gan.model import Gan
from benchbench_gan.networks import Critic, Generator
from torch import Tensor, nn

from benchbench.api import Budget, DataInfo, Dataset, Kind, Split, UsageError
from benchbench.runner.training import CellTraining, fit_model

SMALL: dict[str, Any] = {
    "generator_width": 8,
    "critic_width": 4,
    "latent_dim": 6,
    "batch_size": 8,
    "generator_depth": 1,
    "critic_depth": 1,
}
SHAPES = [(1, 28, 28), (3, 32, 32), (3, 64, 64), (1, 16, 16), (2, 17, 40)]


def info(shape: tuple[int, ...], kind: Kind = "image") -> DataInfo:
    levels = 256 if kind == "image" else None
    return DataInfo("toy", kind, shape, n_train=64, levels=levels)


def build(shape: tuple[int, ...] = (1, 16, 16), **options: Any) -> Gan:
    torch.manual_seed(0)
    return Gan(GanConfig(**{**SMALL, **options}), info(shape)).eval()


def critic(gan: Gan) -> ConvCritic:
    assert isinstance(gan.critic, ConvCritic)
    return gan.critic


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed))


def images(shape: tuple[int, ...] = (1, 16, 16)) -> Dataset:
    """Noise: 64 images."""
    raw = torch.randint(256, (64, *shape), generator=generator(), dtype=torch.uint8)
    split = Split(raw)
    return Dataset(info(shape), train=split, validation=split, test=split, digest="toy")


def train(dataset: Dataset, steps: int, **options: Any) -> tuple[Gan, CellTraining]:
    precision, device = options.pop("precision", "float32"), options.pop("device", "cpu")
    model = build(dataset.info.shape, **options)
    budget = Budget.parse(f"{steps}step")
    training = CellTraining(dataset, budget, device=torch.device(device), seed=0)
    training.attach(model)
    fit_model(model, training, precision=precision)
    return model, training


# --- networks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape: tuple[int, ...]) -> None:
    gan = build(shape)
    assert isinstance(gan.generator, ConvGenerator)
    before = torch.get_rng_state()
    one, again = (gan.sample(1, generator=generator(3)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert one.shape == (1, *shape) and one.dtype == torch.float32
    assert torch.equal(one, again) and float(one.abs().max()) <= 1
    assert gan.critic(gan.sample(5, generator=generator())).shape == (5,)


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 64, 64)])
def test_defaults_for_colour_images_train(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    dataset = images(shape)
    model = Gan(GanConfig(batch_size=2), dataset.info)
    training = CellTraining(dataset, Budget.parse("2step"), device=torch.device("cpu"), seed=0)
    training.attach(model)
    fit_model(model, training)
    assert bool(model.sample(2, generator=generator()).isfinite().all())
    assert (
        model.settings.generator_width > GanConfig().settings("image", (1, 28, 28)).generator_width
    )


def test_initial_variance_passes_through() -> None:
    """No layer shrinks or blows up what it is given."""
    gan = build((1, 28, 28), generator_width=32, critic_width=32)
    assert 0.1 < float(gan.generator(draw(64, 6)).detach().std()) < 0.9
    trunk = critic(gan).trunk(draw(64, 1, 28, 28))
    assert 0.3 < float(trunk.detach().square().mean().sqrt()) < 3


@pytest.mark.parametrize("shape", [(1, 28, 28), (2, 17, 40)])
def test_decode_is_differentiable_row_by_row(shape: tuple[int, ...]) -> None:
    gan = build(shape)
    z = draw(4, gan.latent_dim).requires_grad_()
    x = gan.decode(z)
    (g,) = torch.autograd.grad(x[2].sum(), z)
    assert bool(g[2].any()) and not bool(g[[0, 1, 3]].any())
    torch.testing.assert_close(gan.decode(z[2:3]), x[2:3])


@pytest.mark.parametrize(
    ("kind", "shape"), [("points", (2,)), ("signal", (2, 64)), ("image", (3, 8, 8))]
)
def test_all_else_keeps_its_networks_and_initial_bits(kind: Kind, shape: tuple[int, ...]) -> None:
    data = info(shape, kind)
    torch.manual_seed(5)
    gan = Gan(GanConfig(), data)
    torch.manual_seed(5)
    s = GanConfig().settings(kind, shape)
    for built, expected in (
        (gan.generator, Generator(shape, s, bounded=kind == "image")),
        (gan.critic, Critic(data.dim, s)),
    ):
        state = built.state_dict()
        assert state.keys() == expected.state_dict().keys()
        assert all(torch.equal(state[k], v) for k, v in expected.state_dict().items())


def test_fourier_features_are_refused() -> None:
    with pytest.raises(UsageError, match=r"gan.fourier = 8 .* allowed here: 0"):
        build(fourier=8)


# --- packs and penalties -----------------------------------------------------------------------


@pytest.mark.parametrize("pack", [1, 2, 4])
def test_packs_are_neighbours_and_do_not_mix(pack: int) -> None:
    gan = build(pack=pack)
    x = draw(8, 1, 16, 16)
    scores = gan.critic(x)
    changed = x.clone()
    changed[-1] += 1
    moved = gan.critic(changed) != scores
    assert moved.tolist() == [False] * (8 // pack - 1) + [True]


def test_a_pack_is_an_image_of_more_channels() -> None:
    packed, joined = build(pack=3), build((3, 16, 16))
    x = draw(6, 1, 16, 16)
    joined.critic.load_state_dict(packed.critic.state_dict())
    torch.testing.assert_close(packed.critic(x), joined.critic(x.view(2, 3, 16, 16)))


@pytest.mark.parametrize(("name", "sides"), [("r1", 1), ("r1r2", 2)])
@pytest.mark.parametrize("pack", [1, 2])
def test_penalty_of_convolutions_without_kinks(name: Penalty, sides: int, pack: int) -> None:
    """D(x) = w · x + b without its leaky ReLUs, so the penalty is γ/2 |w|² a side, whatever x."""
    gan = build(pack=pack, penalty=name, gamma=3.0, penalty_period=1, critic_depth=0)
    trunk = critic(gan).trunk
    for i, layer in enumerate(trunk):
        if isinstance(layer, nn.LeakyReLU):
            trunk[i] = nn.Identity()
    basis = torch.eye(pack * 256).view(-1, 1, 16, 16)
    w = (gan.critic(basis) - gan.critic(torch.zeros(pack, 1, 16, 16))).detach()
    real, fake = draw(8, 1, 16, 16), draw(8, 1, 16, 16, seed=1)
    value = gan._critique(real, fake, gan._penalty_weight(0, 0.0), generator(), True)[1]
    expected = sides * 3.0 / 2 * float(w @ w)
    assert float(value.detach()) == pytest.approx(expected, rel=1e-4)


def test_the_penalty_s_own_gradient_against_differences() -> None:
    """d/dθ of ½ E |∇ₓ D|² in float64: autograd's double backward against central differences."""
    net = build((1, 28, 28)).critic.double()
    x = draw(3, 1, 28, 28).double()

    def value() -> Tensor:
        point = x.clone().requires_grad_()
        return zero_centred(gradient(net(point), point))

    weights = [p for p in net.parameters() if p.dim() > 1]
    slopes = torch.autograd.grad(value(), weights)
    for p, slope in zip(weights, slopes, strict=True):
        way = torch.randn(p.shape, generator=generator(), dtype=torch.float64)
        values = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                p.add_(step * way)
            values.append(float(value().detach()))
            with torch.no_grad():
                p.sub_(step * way)
        slope_there = (values[0] - values[1]) / 2e-6
        assert slope_there == pytest.approx(float((slope * way).sum()), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("pack", [1, 2])
def test_one_pass_gives_the_gradient_of_a_generator_step_of_its_own(pack: int) -> None:
    gan = build(pack=pack)
    real, fake = draw(8, 1, 16, 16), draw(8, 1, 16, 16, seed=1)
    _, _, push = gan._critique(real.clone(), fake.clone(), 0.3, generator(), True)
    fake.requires_grad_()
    alone = generator_loss("relativistic", gan.critic(real).detach(), gan.critic(fake))
    torch.testing.assert_close(push, torch.autograd.grad(alone, fake)[0])


# --- training ----------------------------------------------------------------------------------


def test_flops_of_a_step_by_hand() -> None:
    """A forward product of weights costs f; so does its gradient in the weights and in the input.

    Generator: f thrice, but no gradient in the latents. Critic: real and fake forward, both
    gradients in the weights and in the input of every layer but the first, and the push, in all.
    """
    n, d, g, c = 8, 6, 8, 4
    enter = 2 * n * d * (g * 8 * 8)
    up = 2 * n * (8 * 8) * 16 * g * 1
    first = 2 * n * (8 * 8) * 16 * 1 * c
    second = 2 * n * (4 * 4) * 16 * c * (2 * c)
    head = 2 * n * (2 * c * 4 * 4)
    ours = 2 * enter + 3 * up
    theirs = 2 * 3 * (first + second + head) - 2 * first + (first + second + head)
    options: dict[str, Any] = {"generator_depth": 0, "critic_depth": 0, "penalty": "none"}
    _, training = train(images(), 1, **options)
    assert training.spend["gan"].flop == ours + theirs


@pytest.mark.parametrize(("penalty", "policy"), [("r1r2", "all"), ("wgan-gp", "none")])
def test_resumed_training_ends_in_the_same_bits(penalty: Penalty, policy: Augment) -> None:
    options: dict[str, Any] = {
        "penalty": penalty,
        "critic_steps": 2,
        "penalty_period": 2,
        "pack": 2,
    }
    options |= {"augment": policy}
    dataset, budget = images(), Budget.parse("12step")
    whole, _ = train(dataset, 12, **options)
    saved: dict[str, Any] = {}

    def stop() -> None:
        if training.step == 7:
            saved.update(copy.deepcopy(training.state()))
            raise KeyboardInterrupt

    model = build(**options)
    training = CellTraining(dataset, budget, device=torch.device("cpu"), seed=0, on_step=stop)
    training.attach(model)
    with pytest.raises(KeyboardInterrupt):
        fit_model(model, training)
    resumed = build(**options)
    training = CellTraining(dataset, budget, device=torch.device("cpu"), seed=0)
    training.attach(resumed)
    training.restore(saved)
    fit_model(resumed, training)
    expected, got = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_bfloat16_autocast_leaves_the_penalty_in_float32() -> None:
    gan = build(penalty_period=2)
    seen: list[torch.dtype] = []
    layer = critic(gan).trunk[0]
    hook = layer.register_forward_hook(lambda _, __, h: seen.append(h.dtype))
    training = CellTraining(images(), Budget.parse("2step"), device=torch.device("cpu"), seed=0)
    training.attach(gan)
    fit_model(gan, training, precision="bfloat16")
    hook.remove()
    # Real and generated of a step with a penalty, then of one without.
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2
    assert bool(gan.sample(2, generator=generator()).isfinite().all())


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_channels_last_on_cuda(precision: str) -> None:
    gan, _ = train(images((3, 32, 32)), 20, device="cuda", precision=precision)
    convolutions = [m for m in critic(gan).modules() if isinstance(m, nn.Conv2d)]
    weights = [m.weight for m in convolutions if m.weight.shape[1] > 1]
    assert weights
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
    x = gan.sample(4, generator=torch.Generator("cuda").manual_seed(0))
    assert x.shape == (4, 3, 32, 32) and bool(x.isfinite().all())
