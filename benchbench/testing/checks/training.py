"""Training: within the budget, reproducible, resumable, and whole in its checkpoint."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from benchbench.api.model import Model
from benchbench.runner.checkpoint import load_state, save_state
from benchbench.runner.training import Interrupted
from benchbench.testing.cases import Case
from benchbench.testing.outcomes import NotApplicable, ensure
from benchbench.testing.subject import SMOKE_STEPS, Subject

__all__ = ["budget", "checkpoint", "fit", "reproducible", "resume"]


def fit(subject: Subject) -> None:
    """a few steps of training end, with parameters that are finite"""
    for case in subject.cases:
        model = subject.trained(case)
        for name, value in model.state_dict().items():
            ensure(
                not value.is_floating_point() or bool(value.isfinite().all()),
                f"{case.name}: {name} is not finite after {SMOKE_STEPS} steps",
            )


def budget(subject: Subject) -> None:
    """training loops over training.batches, stays in its share, and stops when the loop does"""
    for case in subject.cases:
        training = subject.training(case.dataset, f"{SMOKE_STEPS}step")
        outside = 0

        def count(*_: Any) -> None:
            nonlocal outside
            outside += not training.inside  # noqa: B023 - called within this turn of the loop

        hook = register_optimizer_step_pre_hook(count)
        try:
            subject.fit(subject.build(case.dataset), training)
        finally:
            hook.remove()
        steps = training.ledger.total.step
        ensure(steps > 0, f"{case.name}: fit asked training.batches for nothing")
        ensure(
            steps <= SMOKE_STEPS,
            f"{case.name}: {steps} steps under a budget of {SMOKE_STEPS}",
        )
        ensure(
            outside == 0,
            f"{case.name}: {outside} optimiser steps outside the loop over training.batches; "
            "the loop is the budget",
        )


def reproducible(subject: Subject) -> None:
    """two trainings with the same seed end in the same bits"""
    for case in subject.cases:
        training = subject.training(case.dataset, f"{SMOKE_STEPS}step")
        again = subject.fit(subject.build(case.dataset), training)
        _same(subject.trained(case), again, f"{case.name}: two trainings of the same seed")


def resume(subject: Subject) -> None:
    """a training that is stopped and taken up again ends in the same bits as one that was not"""
    tried, reason = 0, ""
    for case in subject.cases:
        expected = subject.trained(case)
        for stop_at in (1, SMOKE_STEPS // 2, SMOKE_STEPS - 1):
            resumed = _resumed(subject, case, stop_at)
            if isinstance(resumed, str):
                reason = resumed
                continue
            tried += 1
            _same(expected, resumed, f"{case.name}: stopped after step {stop_at} and taken up, it")
    if not tried:
        raise NotApplicable(reason)


def checkpoint(subject: Subject) -> None:
    """state_dict() holds all that sample needs, as data: no pickle, no attribute left behind"""
    for case in subject.cases:
        trained = subject.trained(case)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.safetensors"
            save_state(file, trained.state_dict())
            state = load_state(file)
        loaded = subject.build(case.dataset, seed=1)
        if loaded.built_in_fit:
            loaded = _replayed(subject, case, loaded)
        loaded.load_state_dict(state)
        loaded.eval()
        ensure(
            torch.equal(subject.sample(trained, 16), subject.sample(loaded, 16)),
            f"{case.name}: a fresh model that loads the trained state_dict() gives other samples; "
            "what fit learns belongs in parameters and buffers",
        )


def _replayed(subject: Subject, case: Case, model: Model) -> Model:
    """`fit` run over finished phases, as the bench reloads a model that is built in `fit`."""
    budget = f"{SMOKE_STEPS}step"
    first = subject.training(case.dataset, budget)
    subject.fit(subject.build(case.dataset), first)
    again = subject.training(case.dataset, budget)
    again.ledger.restore(first.ledger.to_json())
    again.replay()
    return subject.fit(model, again)


def _resumed(subject: Subject, case: Case, stop_at: int) -> Model | str:
    """The model of a training stopped after so many steps, or why it can't be had."""
    budget = f"{SMOKE_STEPS}step"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoint.safetensors"
        taken = 0

        def stop() -> None:
            nonlocal taken
            taken += 1
            if taken == stop_at:
                if first.resumable:
                    save_state(file, first.state())
                raise Interrupted

        first = subject.training(case.dataset, budget, on_step=stop)
        broken = subject.build(case.dataset)
        if not _stopped(lambda: subject.fit(broken, first)):
            return f"training is over within {stop_at} steps: there is nothing to stop"
        if not file.is_file():
            return (
                "fit builds its modules itself and tracks none of them: a training that is "
                "stopped begins again; training.track(net=net, optimizer=optimizer) makes it "
                "resumable"
            )
        second = subject.training(case.dataset, budget)
        model = subject.build(case.dataset, seed=1)
        second.attach(model)
        second.restore(load_state(file))
        return subject.fit(model, second)


def _stopped(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Interrupted:
        return True
    return False


def _same(expected: Model, found: Model, what: str) -> None:
    one, other = expected.state_dict(), found.state_dict()
    ensure(one.keys() == other.keys(), f"{what} has another set of parameters")
    for name, value in one.items():
        ensure(
            _equal(value, other[name]),
            f"{what} differs in {name!r} by up to {_gap(value, other[name]):.3g}",
        )


def _equal(a: Any, b: Any) -> bool:
    return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else bool(a == b)


def _gap(a: Any, b: Any) -> float:
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape == b.shape:
        return float((a.double() - b.double()).abs().max())
    return float("nan")
