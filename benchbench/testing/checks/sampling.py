"""Samples: what comes out, from which randomness, for how many, in how many evaluations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchbench.api.model import Model
from benchbench.metrics.evaluation import check_samples
from benchbench.testing.cases import Case
from benchbench.testing.outcomes import NotApplicable, ensure
from benchbench.testing.states import untouched
from benchbench.testing.subject import Subject

__all__ = ["deterministic", "devices", "global_state", "nfe", "samples", "sizes"]

_INSTEAD = "use the generator it is handed (in fit: training.generator)"
LARGE = 3000
FEW = 2


def samples(subject: Subject) -> None:
    """samples have the right shape and type, are finite, and images stay within [−1, 1]"""
    for case in subject.cases:
        x = subject.sample(subject.trained(case), 64)
        check_samples(x, case.dataset, f"{case.name}: sample", n=64)


def sizes(subject: Subject) -> None:
    """one sample can be drawn, and 3,000 at once"""
    for case in subject.cases:
        model = subject.trained(case)
        for n in (1, LARGE):
            x = subject.sample(model, n)
            ensure(
                tuple(x.shape[:1]) == (n,),
                f"{case.name}: sample({n}) returned shape {tuple(x.shape)}",
            )
            ensure(
                bool(x.isfinite().all()), f"{case.name}: sample({n}) has values that are not finite"
            )


def deterministic(subject: Subject) -> None:
    """a generator in the same state gives the same samples, another seed gives others"""
    for case in subject.cases:
        model = subject.trained(case)
        first, again, other = (subject.sample(model, 16, seed=seed) for seed in (1, 1, 2))
        ensure(
            torch.equal(first, again),
            f"{case.name}: two calls with the same generator state differ by up to "
            f"{_difference(first, again):.3g}",
        )
        ensure(
            not torch.equal(first, other),
            f"{case.name}: generators of different seeds give the same samples; "
            "draw every random number from `generator`",
        )


def global_state(subject: Subject) -> None:
    """nothing but `fit` moves torch's global random state, and nothing numpy's or Python's"""
    for case in subject.cases:
        dataset = case.dataset
        model, training = subject.build(dataset), subject.training(dataset, "3step")
        untouched(f"{case.name}: fit", partial(subject.fit_bare, model, training), _INSTEAD)
        model = subject.trained(case)
        for name, call in _calls(subject, model, case).items():
            untouched(f"{case.name}: {name}", call, _INSTEAD)


def nfe(subject: Subject) -> None:
    """nfe() is the number of times that a sample passes the network"""
    counted = False
    for case in subject.cases:
        model = subject.trained(case)
        claimed = model.nfe(**subject.sampling)
        ensure(
            isinstance(claimed, int) and not isinstance(claimed, bool) and claimed >= 1,
            f"nfe() returned {claimed!r}; it must be an integer of at least 1",
        )
        calls = _outer_calls(model, partial(subject.sample, model, FEW))
        if not calls:
            continue
        counted = True
        name, most = max(calls.items(), key=lambda item: item[1])
        ensure(
            most == claimed,
            f"{case.name}: nfe() says {claimed}, but one call of sample passes {name!r} "
            f"{most} times",
        )
    if not counted:
        raise NotApplicable("sample calls no submodule with parameters: nothing to count")


def devices(subject: Subject) -> None:
    """the model trains and samples on the GPU as well"""
    if not torch.cuda.is_available():
        raise NotApplicable("no CUDA device here")
    for case in subject.cases:
        training = subject.training(case.dataset, "3step", device="cuda")
        model = subject.fit(subject.build(case.dataset), training)
        generator = torch.Generator("cuda").manual_seed(1)
        x = model.sample(8, generator=generator, **subject.sampling)
        check_samples(x.cpu(), case.dataset, f"{case.name}: sample on cuda", n=8)
        ensure(
            x.device.type == "cuda",
            f"{case.name}: sample returned a tensor on {x.device} from a model on cuda",
        )


def _difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max()) if a.shape == b.shape else float("inf")


def _calls(subject: Subject, model: Model, case: Case) -> dict[str, Callable[[], Any]]:
    """Everything that the model promises to do without a global generator."""
    x = case.held_out(4)
    generator = torch.Generator().manual_seed(1)
    calls: dict[str, Callable[[], Any]] = {
        "sample": lambda: model.sample(4, generator=generator, **subject.sampling),
        "describe": model.describe,
    }
    if subject.can("elbo"):
        calls["elbo"] = lambda: model.elbo(x, generator=generator)
    if subject.can("log_prob"):
        calls["log_prob"] = lambda: model.log_prob(x)
    if subject.can("encode"):
        calls["encode"] = lambda: model.encode(x)
    if subject.can("decode"):
        z = torch.zeros(4, model.latent_dim)
        calls["decode"] = lambda: model.decode(z)
    return calls


def _outer_calls(model: nn.Module, call: Callable[[], Any]) -> dict[str, int]:
    """How often each submodule with parameters is called from outside any other submodule."""
    calls: dict[str, int] = {}
    depth = 0

    def enter(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any) -> None:
            nonlocal depth
            if depth == 0:
                calls[name] = calls.get(name, 0) + 1
            depth += 1

        return hook

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        nonlocal depth
        depth -= 1

    handles = []
    for name, module in model.named_modules():
        if name and next(module.parameters(), None) is not None:
            handles.append(module.register_forward_pre_hook(enter(name)))
            handles.append(module.register_forward_hook(leave, always_call=True))
    try:
        call()
    finally:
        for handle in handles:
            handle.remove()
    return calls
