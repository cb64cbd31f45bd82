"""Shared blocks: the identities their docstrings state."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from benchbench.nn import EMA, FourierFeatures, ResidualMLP


def test_fourier_features_are_a_point_on_circles() -> None:
    torch.manual_seed(0)
    block = FourierFeatures(2, 5, scale=3.0)
    x = torch.randn(7, 2)
    out = block(x)
    assert out.shape == (7, block.out_features) == (7, 12)
    assert torch.equal(out[:, :2], x)
    cos, sin = out[:, 2:7], out[:, 7:]
    torch.testing.assert_close(cos.square() + sin.square(), torch.ones(7, 5))
    angle = 2 * math.pi * x @ block.frequencies
    torch.testing.assert_close(cos, angle.cos())
    assert not list(block.parameters())
    assert "frequencies" in block.state_dict()


def test_a_fresh_residual_mlp_passes_its_stream_on() -> None:
    """The last layer of each block starts at zero, so depth changes nothing at first."""
    torch.manual_seed(0)
    net = ResidualMLP(3, 2, width=16, depth=4, condition=5)
    x, c = torch.randn(6, 3), torch.randn(6, 5)
    torch.testing.assert_close(net(x, c), net.leave(net.act(net.norm(net.enter(x)))))


def test_the_condition_reaches_the_output_and_rows_stay_apart() -> None:
    torch.manual_seed(0)
    net = ResidualMLP(3, 2, width=16, depth=2, condition=5)
    for block in net.blocks:
        nn.init.normal_(block.outer.weight)
    x, c = torch.randn(6, 3), torch.randn(6, 5)
    assert not torch.allclose(net(x, c), net(x, torch.zeros_like(c)))
    torch.testing.assert_close(net(x, c)[2:3], net(x[2:3], c[2:3]))


def test_ema_is_the_recursion_it_states() -> None:
    source = nn.Linear(1, 1, bias=False)
    ema = EMA(source, decay=0.5)
    mean = source.weight.item()
    for step in range(20):
        with torch.no_grad():
            source.weight.fill_(float(step))
        ema.update(source)
        beta = min(0.5, (1 + step) / (10 + step))
        mean = beta * mean + (1 - beta) * step
        assert math.isclose(ema.module.weight.item(), mean, rel_tol=1e-5)
    assert int(ema.step) == 20


def test_ema_goes_on_from_its_state_with_the_weight_of_its_step() -> None:
    source = nn.Linear(1, 1, bias=False)
    whole = EMA(source, decay=0.9)
    first = [fill(source, step, whole) for step in range(9)]
    again = nn.ModuleDict({"ema": EMA(source, decay=0.9)})
    again.load_state_dict(nn.ModuleDict({"ema": whole}).state_dict())  # as part of a model, too
    second = EMA(source, decay=0.9)
    second.load_state_dict(whole.state_dict())
    averages = [whole, second, again["ema"]]
    assert len({fill(source, 9, average) for average in averages}) == 1
    assert whole.module.weight.item() != first[-1]


def fill(source: nn.Linear, value: float, average: nn.Module) -> float:
    """The average after a step towards a source that holds the value."""
    with torch.no_grad():
        source.weight.fill_(value)
    assert isinstance(average, EMA)
    average.update(source)
    return float(average.module.weight)


def test_ema_copies_buffers_and_stays_in_eval_mode() -> None:
    source = nn.BatchNorm1d(2)
    ema = EMA(source, decay=0.9)
    source(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)) + 5)
    ema.update(source)
    assert torch.equal(ema.module.running_mean, source.running_mean)
    ema.train()
    assert not ema.module.training
    assert not any(p.requires_grad for p in ema.parameters())
    fresh = EMA(nn.BatchNorm1d(2), decay=0.9)
    fresh.load_state_dict(ema.state_dict())
    assert int(fresh.step) == 1


def tied() -> nn.Sequential:
    """Three modules, two of them with one weight."""
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.BatchNorm1d(2))
    net[1].weight = net[0].weight
    return net


def test_ema_follows_what_hangs_in_the_source_now() -> None:
    source = tied()
    ema = EMA(source, decay=0.0)  # the average is the source's last state
    ema.update(source)
    source.double().float()  # buffers are other tensors after it
    source[0].bias = nn.Parameter(torch.tensor([3.0, 4.0]))
    with torch.no_grad():
        source[0].weight.mul_(2)
        source[2].running_mean.fill_(7)
    ema.update(source)
    assert all(torch.equal(v, ema.module.state_dict()[k]) for k, v in source.state_dict().items())
    other = tied()
    ema.update(other)
    assert torch.equal(ema.module[1].weight, other[1].weight)


def test_ema_takes_one_step_for_a_weight_in_two_places() -> None:
    source = tied()
    ema, before = EMA(source, decay=0.5), source[0].weight.detach().clone()
    with torch.no_grad():
        source[0].weight.add_(1)
    ema.update(source)  # by 0.9, its first weight
    torch.testing.assert_close(ema.module[1].weight, before + 0.9)


def test_a_copy_of_an_ema_leaves_the_source_behind() -> None:
    source = nn.Linear(1, 1)
    ema = EMA(source, decay=0.5)
    ema.update(source)
    copied = copy.deepcopy(ema)
    assert fill(source, 2.0, copied) == fill(source, 2.0, ema)
    held = {id(p) for p in copied.parameters()}
    assert held.isdisjoint({id(p) for p in (*ema.parameters(), *source.parameters())})
