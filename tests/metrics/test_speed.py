"""Speed of sampling: counts in closed form, statistics on a clock of our own, no real timings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from benchbench.api import Config, DataInfo, DatasetSpec, Model, NotAvailable, Score
from benchbench.data.gaussians import load_ring8
from benchbench.metrics import peak_memory, speed
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.specs_cost import COST_SPECS, SpeedConfig

RING8 = DatasetSpec(name="ring8", kind="points", shape=(2,), implementation=load_ring8)
DATA = load_ring8(RING8)
QUICK = SpeedConfig(batch_sizes=(1, 8), repeats=3, seconds=0.01)


class Multiplies(Model):
    """Each sample costs `steps` products of its row with a WIDTH × WIDTH matrix."""

    WIDTH = 16

    def __init__(self) -> None:
        super().__init__(Config(), DataInfo("ring8", "points", (2,), n_train=1))
        self.matrix = torch.nn.Parameter(torch.eye(self.WIDTH))
        self.calls: list[int] = []

    def fit(self, training: Any) -> None:
        raise NotImplementedError

    def sample(
        self, n: int, *, generator: torch.Generator, steps: int = 3, **sampling: Any
    ) -> Tensor:
        self.calls.append(n)
        x = torch.randn(n, self.WIDTH, generator=generator)
        for _ in range(steps):
            x = x @ self.matrix
        return x[:, :2]

    def nfe(self, *, steps: int = 3, **sampling: Any) -> int:
        return 2 * steps


class Allocates(Multiplies):
    """Holds 64 MiB for the time of a call."""

    BYTES = 64 * 2**20

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        block = torch.ones(self.BYTES // 4)
        return block[: 2 * n].reshape(n, 2).clone()


class Clock:
    """A clock that moves only when a call says so."""

    def __init__(self, durations: Iterator[float]) -> None:
        self.now = 0.0
        self.durations = durations
        self.calls = 0

    def __call__(self) -> float:
        return self.now

    def call(self) -> None:
        self.now += next(self.durations)
        self.calls += 1


def constant(seconds: float) -> Iterator[float]:
    while True:
        yield seconds


def timed(clock: Clock, **options: Any) -> list[float]:
    return speed.time_calls(clock.call, synchronise=lambda: None, clock=clock, **options)


def measured(model: Model, config: SpeedConfig = QUICK, **sampling: Any) -> list[Score]:
    evaluation = SampleEvaluation(DATA, RING8, model=model, sampling=sampling)
    return speed.compute(evaluation, config)


def one(scores: list[Score], metric: str, condition: str = "") -> Score:
    (found,) = [s for s in scores if s.metric == metric and s.condition == condition]
    return found


# --- counts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 5])
def test_flops_are_those_of_the_closed_form(steps: int) -> None:
    score = one(measured(Multiplies(), steps=steps), "flops_per_sample")
    assert score.value == steps * 2 * Multiplies.WIDTH**2
    assert score.bound == "exact" and score.n == 8


def test_nfe_is_asked_under_the_rows_sampling_options() -> None:
    scores = measured(Multiplies(), steps=7)
    assert one(scores, "nfe").value == 14
    assert all(s.detail["nfe"] == 14 and s.detail["sampling"] == {"steps": 7} for s in scores)


def test_every_declared_score_at_every_batch_size() -> None:
    (spec,) = [spec for spec in COST_SPECS if spec.name == "speed"]
    scores = measured(Multiplies())
    assert {s.metric for s in scores} == {s.name for s in spec.scores}
    for metric in ("samples_per_second", "latency_p50_ms", "latency_p95_ms"):
        assert {s.condition for s in scores if s.metric == metric} == {"batch=1", "batch=8"}
    assert one(scores, "peak_memory_bytes", "batch=8").detail["device"] == "cpu"
    assert all(s.detail["threads"] == torch.get_num_threads() for s in scores)
    keys = [(s.metric, s.condition) for s in scores]
    assert len(keys) == len(set(keys))


def test_batches_are_drawn_as_stated() -> None:
    model = Multiplies()
    measured(model)
    assert set(model.calls) == {1, 8}
    assert model.calls[0] == model.calls[-1] == 8


def test_global_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    measured(Multiplies())
    assert torch.equal(before, torch.get_rng_state())


def test_samples_alone_are_not_available() -> None:
    evaluation = SampleEvaluation(DATA, RING8, samples=torch.zeros(10, 2))
    with pytest.raises(NotAvailable, match="without a model"):
        speed.compute(evaluation, QUICK)


# --- the clock ---------------------------------------------------------------------------------


def test_warm_up_is_not_timed() -> None:
    slow_start = iter([0.01, 0.01, 0.01] + [0.001] * 10)
    clock = Clock(slow_start)
    assert timed(clock, repeats=10, seconds=1.0) == pytest.approx([0.001] * 10)
    assert clock.calls == 3 + 10


def test_a_slow_sampler_gets_three_timed_calls() -> None:
    clock = Clock(constant(2.0))
    assert timed(clock, repeats=100, seconds=1.0) == [2.0] * 3
    assert clock.calls == 1 + 3  # one warm-up call is enough where it takes so long


def test_time_ends_the_calls() -> None:
    clock = Clock(constant(0.125))
    assert timed(clock, repeats=100, seconds=1.0) == [0.125] * 8


def test_the_device_is_synchronised_around_every_call() -> None:
    events: list[str] = []
    speed.time_calls(
        lambda: events.append("call"),
        repeats=3,
        seconds=1.0,
        synchronise=lambda: events.append("sync"),
        clock=lambda: events.append("clock") or 0.0,  # type: ignore[func-returns-value]
    )
    timed_calls = ["sync", "clock", "call", "sync", "clock"] * 3
    assert events[-len(timed_calls) :] == timed_calls


# --- statistics --------------------------------------------------------------------------------


def with_times(monkeypatch: pytest.MonkeyPatch, times: list[float]) -> list[Score]:
    monkeypatch.setattr(speed, "time_calls", lambda call, **options: times)
    return measured(Multiplies())


def test_median_percentile_and_throughput(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = with_times(monkeypatch, [k / 1000 for k in range(1, 102)])
    assert one(scores, "latency_p50_ms", "batch=8").value == pytest.approx(51)
    assert one(scores, "latency_p95_ms", "batch=8").value == pytest.approx(96)
    rate = one(scores, "samples_per_second", "batch=8")
    assert rate.value == pytest.approx(8 / 0.051) and rate.n == 101
    assert rate.ci_low is not None and rate.ci_high is not None
    assert rate.ci_low < rate.value < rate.ci_high


def test_one_slow_call_moves_the_tail_and_not_the_median(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = with_times(monkeypatch, [0.001] * 18 + [0.5] * 2)
    assert one(scores, "latency_p50_ms", "batch=1").value == pytest.approx(1)
    assert one(scores, "latency_p95_ms", "batch=1").value == pytest.approx(500)


def test_p95_of_too_few_calls_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    score = one(with_times(monkeypatch, [0.1] * 19), "latency_p95_ms", "batch=1")
    assert score.status == "skipped" and score.value is None
    assert "19 calls" in score.reason


@pytest.mark.parametrize("k", [6, 10, 25, 100])
def test_interval_covers_the_median_as_stated(k: int) -> None:
    interval = speed.median_interval([float(t) for t in range(k)])
    assert interval is not None
    rank = int(interval[0]) + 1
    assert interval == (rank - 1, k - rank)
    assert 1 - 2 * binom.cdf(rank - 1, k, 0.5) >= 0.95
    assert 1 - 2 * binom.cdf(rank, k, 0.5) < 0.95  # and it is the narrowest such


def test_no_interval_from_five_times() -> None:
    assert speed.median_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None


# --- memory ------------------------------------------------------------------------------------


def resettable() -> bool:
    try:
        peak_memory.peak_bytes(lambda: None, torch.device("cpu"))
    except NotAvailable:
        return False
    return True


@pytest.mark.skipif(not resettable(), reason="the peak of resident memory can't be reset here")
def test_peak_memory_of_a_known_allocation() -> None:
    model = Allocates()
    for _ in range(2):  # the second time the allocator may hold freed memory: it must not hide it
        score = one(measured(model), "peak_memory_bytes", "batch=8")
        assert score.value is not None
        assert 64e6 <= score.value < 4 * 64e6  # 64 MiB less what the kernel has yet to count
        assert "VmHWM" in score.detail["measured"]


def test_without_procfs_memory_is_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(peak_memory, "_CLEAR", tmp_path / "missing" / "clear_refs")
    score = one(measured(Multiplies()), "peak_memory_bytes", "batch=8")
    assert score.status == "skipped" and "clear_refs" in score.reason


def test_other_devices_are_not_guessed() -> None:
    with pytest.raises(NotAvailable, match="'meta'"):
        peak_memory.peak_bytes(lambda: None, torch.device("meta"))


@pytest.mark.gpu
def test_peak_memory_on_cuda() -> None:
    device = torch.device("cuda")

    def allocate() -> float:
        return math.fsum(torch.ones(16_000_000, device=device)[:2].tolist())

    peak, how = peak_memory.peak_bytes(allocate, device)
    assert 64_000_000 <= peak < 256_000_000 and "CUDA" in how


# --- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"batch_sizes": ()},
        {"batch_sizes": (0, 4)},
        {"batch_sizes": (64, 1)},
        {"batch_sizes": (4, 4)},
        {"repeats": 2},
        {"seconds": 0},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    refuse: Callable[..., SpeedConfig] = SpeedConfig
    with pytest.raises(ValueError, match=next(iter(options))):
        refuse(**options)
