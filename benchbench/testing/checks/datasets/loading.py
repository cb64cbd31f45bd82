"""What a data set declares, and whether loading it gives that, each time the same."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from benchbench.api import digest_tensors
from benchbench.testing.checks.declared import check_options
from benchbench.testing.dataset_subject import DatasetSubject
from benchbench.testing.outcomes import ensure

__all__ = ["declared", "deterministic", "digest", "global_state", "load"]

AXES = {"points": 1, "image": 3, "signal": 2}
_DIGEST = re.compile(r"[0-9a-f]{8,64}")


def declared(subject: DatasetSubject) -> None:
    """the spec has a summary in one line, and options that are described"""
    spec = subject.spec
    ensure(
        bool(spec.summary.strip()) and "\n" not in spec.summary,
        "summary is not one line of text; `bench list datasets` prints it",
    )
    ensure(spec.samples >= 1, f"samples is {spec.samples}; at least one sample has to be scored")
    check_options(spec.options, "options")


def load(subject: DatasetSubject) -> None:
    """load(spec, assets) ends in time, with the name, kind, shape and sizes that are declared"""
    data, spec = subject.dataset, subject.spec
    axes = AXES[spec.kind]
    ensure(
        len(spec.shape) == axes and all(isinstance(n, int) and n > 0 for n in spec.shape),
        f"shape is {spec.shape}; one example of kind {spec.kind!r} has {axes} axes, none empty",
    )
    for name in ("name", "kind", "shape"):
        found, wanted = getattr(data.info, name), getattr(spec, name)
        ensure(found == wanted, f"info.{name} is {found!r}; the spec says {wanted!r}")
    for name, split in subject.splits().items():
        ensure(len(split) > 0, f"the {name} split is empty")
    ensure(
        data.info.n_train == len(data.train),
        f"info.n_train is {data.info.n_train}; there are {len(data.train)} training examples",
    )
    ensure(
        isinstance(data.notes, tuple) and all(isinstance(note, str) for note in data.notes),
        f"notes is {data.notes!r}; it must be a tuple of lines",
    )


def deterministic(subject: DatasetSubject) -> None:
    """loading twice gives the same bits"""
    first, (second, _) = subject.dataset, subject.again
    for name, split in subject.splits().items():
        other = second.split(name)  # type: ignore[arg-type]
        _same(split.raw, other.raw, f"the {name} split")
        _same(split.labels, other.labels, f"the labels of the {name} split")
    _same(first.mean, second.mean, "mean")
    _same(first.std, second.std, "std")


def digest(subject: DatasetSubject) -> None:
    """the digest is a hash in hexadecimal digits, the same at each load"""
    first, (second, _) = subject.dataset.digest, subject.again
    ensure(
        isinstance(first, str) and bool(_DIGEST.fullmatch(first)),
        f"digest is {first!r}; it must be 8 to 64 hexadecimal digits, as "
        "benchbench.api.digest_tensors gives them",
    )
    ensure(
        first == second.digest,
        f"the same data have digest {first!r} and, loaded again, {second.digest!r}; it may depend "
        "on the data alone",
    )


def global_state(subject: DatasetSubject) -> None:
    """loading moves no global random state, neither torch's nor numpy's or Python's"""
    moved = subject.again[1]
    ensure(
        not moved,
        f"load moves the global random state of {' and '.join(moved)}; draw from a generator of "
        "its own with a fixed seed",
    )


def _same(first: Tensor | None, second: Any, what: str) -> None:
    equal = first is second or (
        isinstance(first, Tensor)
        and isinstance(second, Tensor)
        and digest_tensors(first) == digest_tensors(second)
    )
    ensure(equal, f"{what} differs between two loads; seed whatever is random in it")
