"""The iterator that hands out batches is the budget: units, shares, charging, resuming."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchbench.api import Budget, Config, Diverged, PluginError
from benchbench.api.data import Dataset
from benchbench.api.model import Model
from benchbench.api.training import Training
from benchbench.runner.checkpoint import load_state, save_state
from benchbench.runner.ledger import BLOCK, BLOCK_EVERY, PROBE, Ledger, Phase
from benchbench.runner.training import CellTraining, Interrupted, fit_model

CPU = torch.device("cpu")


class Loop(Model):
    """A model whose `fit` is the test's own function."""

    def __init__(self, body: Callable[[Any, Training], None], data: Dataset) -> None:
        super().__init__(Config(), data.info)
        torch.manual_seed(0)
        self.net = nn.Linear(2, 2, bias=False)
        self.prior = nn.Linear(2, 2, bias=False)
        self.body = body

    def fit(self, training: Training) -> None:
        self.body(self, training)

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        return torch.randn(n, 2, generator=generator)


def run(body: Callable[[Any, Training], None], data: Dataset, budget: str) -> CellTraining:
    training = CellTraining(data, Budget.parse(budget), device=CPU, seed=0)
    model = Loop(body, data)
    training.attach(model)
    fit_model(model, training)
    return training


def one_step(model: Any, x: Tensor) -> None:
    loss = model.net(x).square().mean()
    model.net.zero_grad()
    loss.backward()


def test_steps_and_images(points: Dataset) -> None:
    def body(model: Any, training: Training) -> None:
        for x in training.batches("a", share=0.3, batch_size=8):
            assert x.shape == (8, 2)
        for _ in training.batches("b", share=0.7, batch_size=16):
            assert 0 <= training.progress < 1

    spend = run(body, points, "1000step").spend
    assert {name: s.step for name, s in spend.items()} == {"a": 300, "b": 700}
    assert {name: s.img for name, s in spend.items()} == {"a": 2400, "b": 11200}
    spend = run(body, points, "1600img").spend
    assert {name: s.img for name, s in spend.items()} == {"a": 480, "b": 1120}


def test_flops_are_counted_exactly_and_extrapolated(points: Dataset) -> None:
    steps = 200

    def body(model: Any, training: Training) -> None:
        for x in training.batches("a", batch_size=8):
            one_step(model, x)

    training = run(body, points, f"{steps}step")
    per_step = 2 * 8 * 2 * 2 * 2  # forward and weight gradient: 2·n·in·out each
    assert training.spend["a"].flop == steps * per_step


def test_a_flop_budget_is_passed_by_less_than_one_step(points: Dataset) -> None:
    def body(model: Any, training: Training) -> None:
        for x in training.batches("a", share=0.5, batch_size=8):
            one_step(model, x)
        for x in training.batches("b", share=0.5, batch_size=8):
            one_step(model, x)

    training = run(body, points, "10100flop")
    total = training.ledger.total
    assert 10100 <= total.flop < 10100 + 128


def test_work_between_phases_is_charged(points: Dataset) -> None:
    def body(model: Any, training: Training) -> None:
        for _ in training.batches("a", share=0.5, batch_size=8):
            continue
        torch.ones(10, 10) @ torch.ones(10, 10)
        for _ in training.batches("b", share=0.5, batch_size=8):
            continue
        torch.ones(5, 5) @ torch.ones(5, 5)

    training = run(body, points, "10step")
    assert training.spend["b"].flop == 2000
    assert training.ledger.after.flop == 250


def test_every_fourth_thousand_is_counted_anew(points: Dataset) -> None:
    """Work that grows after the first block is seen by the block at step 4096."""

    def body(model: Any, training: Training) -> None:
        for _ in training.batches("a", batch_size=8):
            if training.step >= BLOCK_EVERY:
                torch.ones(10, 10) @ torch.ones(10, 10)

    training = run(body, points, f"{BLOCK_EVERY + 100}step")
    assert training.spend["a"].flop == 100 * 2000


def charged(cost: Callable[[int], int], steps: int) -> tuple[Phase, list[int]]:
    """A phase of steps that cost so much, and which of them were counted."""
    phase = Ledger(Budget(steps, "step")).open("a", 1.0)
    counted = []
    for step in range(steps):
        counts = phase.counting()
        phase.charge_step(1, cost(step) if counts else None)
        counted += [step] * counts
    return phase, counted


def block(stretch: int, length: int) -> list[int]:
    return [stretch * BLOCK_EVERY + place for place in range(length)]


@pytest.mark.parametrize("period", [1, 2, 4, 8, 16, 32, 64])
def test_work_of_a_period_that_divides_a_block_is_charged_exactly(period: int) -> None:
    """And the later blocks are counted only as far as it takes to see that they cost the same."""
    steps = 2 * BLOCK_EVERY + 640

    def cost(step: int) -> int:
        return 1000 + 7 * (step % period == 0)

    phase, counted = charged(cost, steps)
    assert phase.spend.flop == sum(map(cost, range(steps)))
    assert counted == block(0, BLOCK) + block(1, PROBE) + block(2, PROBE)
    assert BLOCK_EVERY % BLOCK == 0


def test_a_block_that_costs_something_else_is_counted_whole() -> None:
    """Its steps of a later stretch are compared with it, not with those of the first block."""

    def cost(step: int) -> int:
        return 1000 if step < BLOCK_EVERY else 1000 + step % 3

    phase, counted = charged(cost, BLOCK_EVERY + BLOCK)
    assert counted == block(0, BLOCK) + block(1, BLOCK)
    assert phase.mean_flop == sum(map(cost, block(1, BLOCK))) / BLOCK
    assert phase.spend.flop == sum(map(cost, range(BLOCK_EVERY + BLOCK)))

    def twice(step: int) -> int:
        return 1000 * (1 + (step >= BLOCK_EVERY))

    phase, counted = charged(twice, 2 * BLOCK_EVERY + BLOCK)
    assert counted == block(0, BLOCK) + block(1, BLOCK) + block(2, PROBE)
    assert phase.spend.flop == sum(map(twice, range(2 * BLOCK_EVERY + BLOCK)))


@pytest.mark.parametrize("stop", [10, BLOCK, 1000, BLOCK_EVERY + PROBE - 1, BLOCK_EVERY + PROBE])
def test_a_ledger_that_is_read_back_goes_on_counting_as_it_would_have(stop: int) -> None:
    phase, _ = charged(lambda step: 1000 + step % 8, stop)
    first = Ledger(Budget(stop, "step"))
    first.phases.append(phase)
    second = Ledger(Budget(stop, "step"))
    second.restore(json.loads(json.dumps(first.to_json())))
    assert second.to_json() == first.to_json()
    assert second.phases[0].counting() == phase.counting()


def test_a_ledger_of_another_version_is_read() -> None:
    """Fields that are gone are left out; what they do not tell is counted anew."""
    ledger = Ledger(Budget(1.0, "step"))
    ledger.open("a", 1.0).charge_step(8, 100)
    saved = ledger.to_json()
    del saved["phases"][0]["block"], saved["phases"][0]["changed"]
    saved["phases"][0] |= {"block_flop": 100.0, "block_steps": 1}
    read = Ledger(Budget(1.0, "step"))
    read.restore(saved)
    assert read.total == ledger.total
    assert read.phases[0].counting()


def test_an_unspent_share_expires(points: Dataset) -> None:
    def body(model: Any, training: Training) -> None:
        for _ in training.batches("a", share=0.5, batch_size=8):
            if training.step == 9:
                break
        for _ in training.batches("b", share=0.5, batch_size=8):
            continue

    spend = run(body, points, "100step").spend
    assert (spend["a"].step, spend["b"].step) == (10, 50)


@pytest.mark.parametrize("shares", [(0.6, 0.6), (0.0,), (1.5,), (-0.1,)])
def test_shares_are_checked(points: Dataset, shares: tuple[float, ...]) -> None:
    def body(model: Any, training: Training) -> None:
        for index, share in enumerate(shares):
            for _ in training.batches(str(index), share=share, batch_size=8):
                continue

    with pytest.raises(PluginError, match="share"):
        run(body, points, "10step")


@pytest.mark.parametrize("size", [0, -1, 257])
def test_batch_size_is_checked(points: Dataset, size: int) -> None:
    def body(model: Any, training: Training) -> None:
        for _ in training.batches("a", batch_size=size):
            continue

    with pytest.raises(PluginError, match="batch_size"):
        run(body, points, "10step")


def test_an_epoch_is_a_permutation_and_seeds_agree(points: Dataset) -> None:
    seen: dict[str, list[Tensor]] = {"first": [], "second": []}

    def body_for(name: str) -> Callable[[Any, Training], None]:
        def body(model: Any, training: Training) -> None:
            for x in training.batches(name, batch_size=64):
                seen[name].append(x)

        return body

    run(body_for("first"), points, "8step")
    run(body_for("second"), points, "8step")
    first = torch.cat(seen["first"][:4])
    assert torch.equal(first.sort(0).values, points.train.raw.sort(0).values)
    assert not torch.equal(first, torch.cat(seen["first"][4:]))
    assert all(torch.equal(a, b) for a, b in zip(seen["first"], seen["second"], strict=True))


def test_source_tuple_and_sweep(points: Dataset) -> None:
    def body(model: Any, training: Training) -> None:
        swept = torch.cat(list(training.sweep(100)))
        assert torch.equal(swept, points.train.raw)
        source = (torch.arange(10.0), torch.arange(10.0) * 2)
        for a, b in training.batches("a", batch_size=4, source=source):
            assert torch.equal(2 * a, b)

    run(body, points, "5step")


def test_a_value_that_is_not_finite_diverges(points: Dataset) -> None:
    def body(model: Any, training: Training) -> None:
        for _ in training.batches("a", batch_size=8):
            training.log(loss=torch.tensor(float("nan") if training.step > 80 else 1.0))

    with pytest.raises(Diverged, match="loss is nan"):
        run(body, points, "500step")


def test_global_random_state_is_untouched(points: Dataset) -> None:
    def body(model: Any, training: Training) -> None:
        torch.randn(3)
        for _ in training.batches("a", batch_size=8):
            torch.randn(1)

    model = Loop(body, points)
    training = CellTraining(points, Budget.parse("3step"), device=CPU, seed=0)
    training.attach(model)
    before = torch.get_rng_state()
    fit_model(model, training)
    assert torch.equal(before, torch.get_rng_state())


def two_phases(model: Any, training: Training) -> None:
    """An autoencoder stage, latents between phases, a second stage with noise and momentum."""
    noise = training.generator("noise")
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    training.track(optimizer=opt)
    for x in training.batches("a", share=0.4, batch_size=8):
        shift = torch.randn(x.shape, generator=noise, device=x.device)
        loss = (model.net(x) - x + shift).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        training.log(loss=loss)
    with torch.no_grad():
        latents = torch.cat([model.net(x) for x in training.sweep(64)])
    latents = latents + torch.randn(latents.shape, generator=noise, device=latents.device)
    for z in training.batches("b", share=0.6, batch_size=8, source=latents):
        target = torch.randn(z.shape, generator=noise, device=z.device) + torch.randn_like(z)
        loss = (model.prior(z) - target).square().mean() * (1 - training.progress)
        opt.zero_grad()
        loss.backward()
        opt.step()


def check_resumed(
    points: Dataset, file: Path, budget: str, stop_at: int, device: torch.device
) -> None:
    """A training that is stopped after so many steps and gone on with ends in the same bits."""
    whole = CellTraining(points, Budget.parse(budget), device=device, seed=3)
    expected = Loop(two_phases, points)
    whole.attach(expected)
    fit_model(expected, whole)

    count = 0

    def stop() -> None:
        nonlocal count
        count += 1
        if count == stop_at:
            save_state(file, first.state())
            raise Interrupted

    first = CellTraining(points, Budget.parse(budget), device=device, seed=3, on_step=stop)
    broken = Loop(two_phases, points)
    first.attach(broken)
    if stop_at <= whole.ledger.total.step:
        with pytest.raises(Interrupted):
            fit_model(broken, first)
        second = CellTraining(points, Budget.parse(budget), device=device, seed=3)
        resumed = Loop(two_phases, points)
        second.attach(resumed)
        second.restore(load_state(file))
        fit_model(resumed, second)
        assert torch.equal(resumed.net.weight, expected.net.weight)
        assert torch.equal(resumed.prior.weight, expected.prior.weight)
        for name, spend in whole.spend.items():
            again = second.spend[name]
            assert (again.step, again.img, again.flop) == (spend.step, spend.img, spend.flop)


@pytest.mark.parametrize("budget", ["200step", "20000flop", "1600img"])
@pytest.mark.parametrize("stop_at", [1, 37, 80, 81, 130, 199])
def test_a_resumed_training_ends_in_the_same_bits(
    points: Dataset, tmp_path: Path, budget: str, stop_at: int
) -> None:
    check_resumed(points, tmp_path / "checkpoint.safetensors", budget, stop_at, CPU)


@pytest.mark.gpu
@pytest.mark.parametrize("stop_at", [37, 130])
def test_a_training_on_a_gpu_is_resumed_in_the_same_bits(
    points: Dataset, tmp_path: Path, stop_at: int
) -> None:
    cuda = torch.device("cuda")
    check_resumed(points, tmp_path / "checkpoint.safetensors", "200step", stop_at, cuda)


def test_a_ceiling_in_seconds_ends_a_flop_budget() -> None:
    ledger = Ledger(Budget(1e12, "flop", ceiling_seconds=10.0))
    phase = ledger.open("a", 0.5)
    phase.spend.s = 4.9
    assert not phase.spent("flop")
    phase.spend.s = 5.0
    assert phase.spent("flop")
    assert ledger.ceiling_reached
