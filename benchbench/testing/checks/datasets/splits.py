"""The three splits: apart, alike, and large enough for tuning and controls."""

from __future__ import annotations

import itertools

import torch
from scipy.stats import ks_2samp
from torch import Tensor

from benchbench.api import CONTROL_DRAWS, NotAvailable, UsageError
from benchbench.api.data import Split
from benchbench.data.held_out import on_validation
from benchbench.metrics.controls import control_samples
from benchbench.testing.dataset_subject import SPLITS, DatasetSubject
from benchbench.testing.outcomes import Breach, ensure

__all__ = ["disjoint", "held_out", "tuning_view"]

COMPARED, DIRECTIONS = 2000, 16
SHIFT = 0.2
"""Kolmogorov–Smirnov distance that splits may have; half a standard deviation is 0.2."""
SLACK = 2.0
"""Times sqrt(1/n + 1/m): what chance adds to it, at one in a thousand."""


def disjoint(subject: DatasetSubject) -> None:
    """no example stands in two splits, beyond what coincidence does within the training split"""
    rows = {name: _rows(split) for name, split in subject.splits().items()}
    half = len(rows["train"]) // 2
    shared = _shared(rows["train"][:half], rows["train"][half:])
    rate = shared / max(1, len(rows["train"]) - half)
    for one, other in itertools.combinations(SPLITS, 2):
        found = _shared(rows[one], rows[other])
        expected = rate * len(rows[other]) * max(1, len(rows[one]) / max(1, half))
        ensure(
            found <= expected + 6 * expected**0.5,
            f"{found} of {len(rows[other])} examples of the {other} split are in the {one} split "
            f"as well, where chance would put {expected:.3g}",
        )


def held_out(subject: DatasetSubject) -> None:
    """the splits are draws of one distribution, as far as projections of them show"""
    generator = torch.Generator().manual_seed(3)
    dim = subject.dataset.info.dim
    directions = torch.randn(dim, DIRECTIONS, generator=generator, dtype=torch.float64) / dim**0.5
    shown = {}
    for name, split in subject.splits().items():
        order = torch.randperm(len(split), generator=generator)[:COMPARED]
        x = subject.dataset.to_model(split.raw[order]).flatten(1).double()
        shown[name] = torch.cat([x @ directions, x.norm(dim=1, keepdim=True)], dim=1)
    for one, other in itertools.combinations(SPLITS, 2):
        a, b = shown[one], shown[other]
        found = max(_distance(a[:, i], b[:, i]) for i in range(a.shape[1]))
        limit = SHIFT + SLACK * (1 / len(a) + 1 / len(b)) ** 0.5
        ensure(
            found <= limit,
            f"{one} and {other} are {found:.2f} apart (Kolmogorov–Smirnov distance along a line, "
            f"at most {limit:.2f}); shuffle before you split, or stratify",
        )


def tuning_view(subject: DatasetSubject) -> None:
    """half of validation can stand in for test, as tuning has it, and controls can be drawn"""
    data = subject.dataset
    try:
        view = on_validation(data)
        for k in range(CONTROL_DRAWS):
            control_samples("real", data, k)
            control_samples("memoriser", data, k)
    except (UsageError, NotAvailable) as error:
        raise Breach(str(error)) from None
    ensure(
        len(view.test) + len(view.validation) == len(data.validation)
        and view.digest != data.digest
        and torch.equal(view.to_model(view.test.raw), data.to_model(view.test.raw)),
        "seen without its test split it is another data set than its validation split",
    )


def _rows(split: Split) -> list[bytes]:
    """Each example's bytes."""
    return [row.tobytes() for row in split.raw.contiguous().numpy()]


def _shared(known: list[bytes], rows: list[bytes]) -> int:
    """How many of the rows are among those known."""
    found = set(known)
    return sum(row in found for row in rows)


def _distance(a: Tensor, b: Tensor) -> float:
    return float(ks_2samp(a.numpy(), b.numpy(), method="asymp").statistic)
