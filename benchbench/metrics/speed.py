"""Speed of sampling: latency and throughput at stated batch sizes, FLOPs and memory of a call.

One call draws one batch of N. After a warm-up, calls are timed one by one, the device
synchronised before and after each; from the times t_1 … t_k of a batch size come

    latency p50 = median t,   latency p95 = 95th percentile of t,   samples/s = N / median t,

with a distribution-free 95 % interval for the median from order statistics. The 95th percentile
of fewer than 20 times would be their maximum, so it is skipped then.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import bdtr

from benchbench.api import Evaluation, NotAvailable, Score
from benchbench.metrics.flops import FlopCounter
from benchbench.metrics.peak_memory import peak_bytes
from benchbench.metrics.specs_cost import SpeedConfig

__all__ = ["compute", "median_interval", "time_calls"]

LEAST_CALLS = 3
"""Timed at every batch size, however slow the sampler is."""
LEAST_FOR_P95 = 20
WARM_UP_CALLS = 3
WARM_UP_SHARE = 0.25
"""Of the seconds for timing: no warm-up call after the first starts later than this."""


def compute(evaluation: Evaluation, config: SpeedConfig) -> list[Score]:
    """Latencies and throughput of every batch size; NFE, FLOPs and memory once."""
    generator = evaluation.generator("speed", device=str(evaluation.device))
    detail: dict[str, Any] = {
        "device": _device_name(evaluation.device),
        "threads": torch.get_num_threads(),
        "sampling": evaluation.sampling,
    }
    nfe = _nfe(evaluation, detail)

    def call(n: int) -> Callable[[], object]:
        return lambda: evaluation.draw(n, generator=generator)

    largest = config.batch_sizes[-1]
    # Counting first: its call is the first warm-up of the largest batch.
    scores = [
        nfe,
        _flops(call(largest), largest, detail),
    ]
    for n in config.batch_sizes:
        times = time_calls(
            call(n),
            repeats=config.repeats,
            seconds=config.seconds,
            synchronise=lambda: _synchronise(evaluation.device),
        )
        scores += _timed(times, n, detail)
    return [*scores, _memory(call(largest), largest, evaluation.device, detail)]


def _nfe(evaluation: Evaluation, detail: dict[str, Any]) -> Score:
    """The score `nfe`; it stands in the detail of the others, where it is known."""
    try:
        detail["nfe"] = evaluation.model.nfe(**evaluation.sampling)
    except NotAvailable as reason:
        return Score("nfe", None, detail=detail, status="skipped", reason=str(reason))
    return Score("nfe", float(detail["nfe"]), bound="exact", detail=detail)


def time_calls(
    call: Callable[[], object],
    *,
    repeats: int,
    seconds: float,
    synchronise: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Seconds of each timed call, after a warm-up.

    Three calls are timed whatever they take; then more until there are `repeats`, or until
    `seconds` have passed since the first began.
    """
    began = clock()
    for _ in range(WARM_UP_CALLS):
        call()
        synchronise()
        if clock() - began >= WARM_UP_SHARE * seconds:
            break
    times: list[float] = []
    began = clock()
    while len(times) < LEAST_CALLS or (len(times) < repeats and clock() - began < seconds):
        synchronise()
        start = clock()
        call()
        synchronise()
        times.append(clock() - start)
    return times


def median_interval(times: Sequence[float]) -> tuple[float, float] | None:
    """Order statistics between which the median lies with probability 0.95 or more.

    The number of times under the median is Binomial(k, 1/2), so (t_(r), t_(k+1−r)) covers it
    with probability 1 − 2 P(Binomial < r). None where not even (min, max) does: k < 6.
    """
    k = len(times)
    # The smallest r with P(Binomial <= r) >= 0.025, so P(Binomial < r) < 0.025.
    rank = next(r for r in range(k + 1) if bdtr(r, k, 0.5) >= 0.025)
    if rank < 1:
        return None
    ordered = sorted(times)
    return ordered[rank - 1], ordered[k - rank]


def _timed(times: Sequence[float], batch: int, detail: dict[str, Any]) -> list[Score]:
    """Throughput and latencies from the seconds of calls that drew `batch` samples each."""
    k, condition = len(times), f"batch={batch}"
    median, interval = statistics.median(times), median_interval(times)
    low, high = interval or (None, None)

    def score(metric: str, value: Callable[[float], float], decreasing: bool = False) -> Score:
        ends = [
            None if t is None else value(t) for t in ((high, low) if decreasing else (low, high))
        ]
        return Score(
            metric,
            value(median),
            n=k,
            condition=condition,
            detail=detail,
            ci_low=ends[0],
            ci_high=ends[1],
        )

    return [
        score("samples_per_second", lambda t: batch / t, decreasing=True),
        score("latency_p50_ms", lambda t: 1e3 * t),
        _p95(times, condition, detail),
    ]


def _p95(times: Sequence[float], condition: str, detail: dict[str, Any]) -> Score:
    if len(times) < LEAST_FOR_P95:
        return Score(
            "latency_p95_ms",
            None,
            n=len(times),
            condition=condition,
            detail=detail,
            status="skipped",
            reason=f"{len(times)} calls fitted into the time for this batch size; a 95th "
            f"percentile needs {LEAST_FOR_P95}",
        )
    p95 = 1e3 * float(np.quantile(np.asarray(times), 0.95))
    return Score("latency_p95_ms", p95, n=len(times), condition=condition, detail=detail)


def _flops(call: Callable[[], object], batch: int, detail: dict[str, Any]) -> Score:
    with FlopCounter() as counter:
        call()
    return Score(
        "flops_per_sample",
        counter.total / batch,
        bound="exact",
        n=batch,
        detail={**detail, "batch": batch, "counted": "matmul, convolution, attention"},
    )


def _memory(
    call: Callable[[], object], batch: int, device: torch.device, detail: dict[str, Any]
) -> Score:
    condition = f"batch={batch}"
    try:
        peak, how = peak_bytes(call, device)
    except NotAvailable as reason:
        return Score(
            "peak_memory_bytes",
            None,
            condition=condition,
            detail=detail,
            status="skipped",
            reason=str(reason),
        )
    measured = {**detail, "measured": how}
    return Score("peak_memory_bytes", float(peak), n=1, condition=condition, detail=measured)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
