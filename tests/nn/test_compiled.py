"""torch.compile and the FLOP counter: counted steps run uncompiled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from benchbench.metrics.flops import FlopCounter
from benchbench.nn.compiled import compiled, compiled_forward

calls: list[str] = []


def recording(graph: torch.fx.GraphModule, _: list[torch.Tensor]) -> Callable[..., object]:
    """A backend that notes each run of what it compiled."""

    def run(*args: torch.Tensor) -> object:
        calls.append("compiled")
        return graph.forward(*args)

    return run


def test_the_counter_sees_every_flop_before_and_after_compilation() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.SiLU(), nn.Conv2d(4, 1, 3, padding=1))
    fast = compiled(net, enabled=True, backend=recording)
    x = torch.randn(3, 2, 8, 8)
    by_hand = 3 * 2 * 64 * 9 * (2 * 4 + 4 * 1)
    calls.clear()
    for _ in range(2):
        with FlopCounter() as counter:
            counted = fast(x)
        assert counter.total == by_hand
        assert not calls
        torch.testing.assert_close(fast(x), counted)
        assert calls.pop() == "compiled" and not calls


def test_gradients_pass_through() -> None:
    net = nn.Linear(3, 2)
    fast = compiled(net, enabled=True, backend="aot_eager")
    x = torch.randn(4, 3)
    fast(x).sum().backward()
    assert net.weight.grad is not None
    torch.testing.assert_close(net.weight.grad, x.sum(0).expand(2, 3))


def test_switched_off_it_is_the_function_itself() -> None:
    net = nn.Linear(3, 2)
    assert compiled(net, enabled=False) is net


def test_a_module_is_itself_again_afterwards() -> None:
    net = nn.Linear(3, 2)
    keys = list(net.state_dict())
    with compiled_forward(net, enabled=True):
        assert "forward" in vars(net) and list(net.state_dict()) == keys
        with FlopCounter() as counter:
            net(torch.zeros(4, 3))
        assert counter.total == 2 * 4 * 3 * 2
    assert "forward" not in vars(net)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_a_gpu_the_default_compiler_gives_the_same_numbers() -> None:
    net = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 1, 3)).cuda()
    x = torch.randn(3, 2, 16, 16, device="cuda")
    torch.testing.assert_close(compiled(net, enabled=True)(x), net(x), rtol=1e-2, atol=1e-2)
