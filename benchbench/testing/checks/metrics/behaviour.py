"""How a metric computes: from which randomness, on which rows, and what it leaves behind."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchbench.api import NotAvailable
from benchbench.api.errors import describe
from benchbench.metrics.controls import control_samples
from benchbench.testing.metric_cases import MetricCase
from benchbench.testing.metric_subject import (
    Measured,
    MetricSubject,
    WatchedEvaluation,
    permuted,
)
from benchbench.testing.outcomes import Breach, NotApplicable, ensure
from benchbench.testing.states import untouched
from benchbench.testing.subject import settled

__all__ = ["deterministic", "few", "global_state", "inputs", "order"]

MEASURED = re.compile(r"(?:^|/)(?:s|ms|us|ns|min|h)$|bytes$|^[kMG]i?B$")
"""Units of a time, a rate or of memory, which differ from call to call."""
SEEDS = 4
ROUNDING = 1e-5
FEW = (1, 2, 5)
ALIKE = 50


def deterministic(subject: MetricSubject) -> None:
    """the same evaluation gives the same bits; times and memory are let off, by their unit"""
    measured = {s.name for s in subject.spec.scores if MEASURED.search(s.unit)}
    compared = False
    for first in subject.measured():
        again = subject.measure(first.case, first.row, subject.evaluation(first.case, first.row))
        for one, other in zip(first.scores, again.scores, strict=True):
            if one.metric in measured:
                continue
            compared = True
            ensure(
                one == other,
                f"{first.where}: {one.metric} is {one.value!r} once and {other.value!r} again, or "
                "its detail differs; draw every random number from evaluation.generator(name)",
            )
    if not compared:
        raise NotApplicable("every score is a time or memory")


def global_state(subject: MetricSubject) -> None:
    """computing moves no global random state, neither torch's nor numpy's or Python's"""
    for found in subject.measured():
        fresh = subject.evaluation(found.case, found.row)
        untouched(
            f"{found.where}: compute",
            partial(subject.compute, fresh),
            "draw from evaluation.generator(name)",
        )


def inputs(subject: MetricSubject) -> None:
    """samples and data are as they were: all metrics of a row share them"""
    for found in subject.measured():
        if found.evaluation.most == 0:
            continue
        fresh = subject.evaluation(found.case, found.row)
        before, data = fresh.samples(found.evaluation.most).clone(), _stored(found.case)
        with settled():
            subject.compute(fresh)
        ensure(
            torch.equal(before, fresh.samples(found.evaluation.most)),
            f"{found.where}: compute changes the samples in place; the metric after it would "
            "measure other ones",
        )
        ensure(
            all(torch.equal(a, b) for a, b in zip(data, _stored(found.case), strict=True)),
            f"{found.where}: compute changes the data set in place",
        )


def order(subject: MetricSubject) -> None:
    """another order of the samples changes a score no more than another seed does"""
    for found in subject.real():
        x = control_samples("real", found.case.dataset, 0)
        n = found.evaluation.most
        if n < 2:
            raise NotApplicable("compute looks at no samples")
        turned = _values(subject, found.case, permuted(x, n))
        others = [_values(subject, found.case, x, seed=2 + k) for k in range(SEEDS)]
        for key, value in found.values().items():
            seeds = [value, *(other[key] for other in others if key in other)]
            # Normal draws spread by σ; two of them differ by more than 6 σ one time in 45,000.
            spread = float(torch.tensor(seeds, dtype=torch.float64).std())
            gap = abs(turned.get(key, math.inf) - value)
            ensure(
                gap <= 6 * spread + ROUNDING * max(1.0, abs(value)),
                f"{found.case.kind}: {key[0]} is {value:.6g}, and {turned.get(key, math.nan):.6g} "
                "of the same samples in another order: it pairs them with something",
            )


def few(subject: MetricSubject) -> None:
    """one, two and five samples, and samples that are all alike, end in a number or a reason"""
    for found in subject.real():
        x = control_samples("real", found.case.dataset, 0)
        for n in FEW:
            _ends_well(subject, found.case, x[:n], f"{n} sample{'s' if n > 1 else ''}")
        alike = x[:1].expand(ALIKE, *x.shape[1:])
        _ends_well(subject, found.case, alike, f"{ALIKE} samples that are all alike")


def _ends_well(subject: MetricSubject, case: MetricCase, x: Tensor, what: str) -> None:
    try:
        found = subject.measure(case, what, subject.of_samples(case, x))
    except NotAvailable as reason:
        ensure(bool(str(reason)), f"{case.kind}, {what}: NotAvailable without a reason")
        return
    except Breach:
        raise
    except Exception as error:
        raise Breach(
            f"{case.kind}, {what}: {describe(error)}; raise NotAvailable with a reason where "
            "there is no value"
        ) from None
    for s in found.scores:
        good = s.value is not None and math.isfinite(s.value) if s.status == "done" else s.reason
        ensure(
            bool(good),
            f"{case.kind}, {what}: {s.metric} is {s.value!r} with status {s.status!r}; a score "
            "without a finite value is `skipped`, with its reason",
        )


def _values(
    subject: MetricSubject, case: MetricCase, x: Tensor, *, seed: int = 1
) -> dict[tuple[str, str], float]:
    evaluation: WatchedEvaluation = subject.of_samples(case, x, seed=seed)
    found: Measured = subject.measure(case, "real", evaluation)
    return found.values()


def _stored(case: MetricCase) -> list[Tensor]:
    """Copies of all tensors of the data set."""
    data = case.dataset
    found: list[Any] = [data.mean, data.std]
    for split in (data.train, data.validation, data.test):
        found += [split.raw, split.labels]
    return [tensor.clone() for tensor in found if tensor is not None]
