"""What is stored: types and shapes, levels, labels, and the map to model space."""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.api.data import LabelModes
from benchbench.testing.dataset_subject import DatasetSubject
from benchbench.testing.outcomes import NotApplicable, ensure

__all__ = ["labels", "levels", "spaces", "standardised", "stored"]

MOMENT_SLACK = 0.01
"""Of mean and standard deviation in model space; a biased estimate from 50 examples is within."""
FEW = 1000


def stored(subject: DatasetSubject) -> None:
    """examples are uint8 images or finite float32 points and signals, of the declared shape"""
    kind, shape = subject.spec.kind, subject.spec.shape
    axes = ", ".join(map(str, shape))
    wanted = torch.uint8 if kind == "image" else torch.float32
    for name, split in subject.splits().items():
        ensure(isinstance(split.raw, Tensor), f"{name}: raw is a {type(split.raw).__name__}")
        ensure(
            tuple(split.raw.shape[1:]) == shape,
            f"{name}: raw has shape {tuple(split.raw.shape)}, not (n, {axes})",
        )
        ensure(
            split.raw.dtype == wanted, f"{name}: raw is {split.raw.dtype}; {kind} needs {wanted}"
        )
        bad = int((~split.raw.isfinite()).flatten(1).any(dim=1).sum())
        ensure(bad == 0, f"{name}: {bad} of {len(split)} examples are not finite")


def levels(subject: DatasetSubject) -> None:
    """info.levels is the number of grey levels of images, and None for anything else"""
    found = subject.dataset.info.levels
    if subject.spec.kind != "image":
        ensure(
            found is None,
            f"info.levels is {found!r}; data of kind {subject.spec.kind!r} have no levels",
        )
        raise NotApplicable(f"data of kind {subject.spec.kind!r} have no levels")
    ensure(
        isinstance(found, int) and 2 <= found <= 256,
        f"info.levels is {found!r}; images need their number of levels, from 2 to 256",
    )
    assert found is not None
    for name, split in subject.splits().items():
        top = int(split.raw.max())
        ensure(
            top < found,
            f"{name}: level {top} is stored, but of {found} levels the highest is {found - 1}",
        )
    ensure(
        int(subject.dataset.train.raw.min()) < int(subject.dataset.train.raw.max()),
        "all training images are one flat grey",
    )


def labels(subject: DatasetSubject) -> None:
    """labels are whole numbers, one an example, of classes that training data have"""
    modes = subject.dataset.modes
    found = {name: split.labels for name, split in subject.splits().items()}
    absent = [name for name, given in found.items() if given is None]
    if len(absent) == 3 and not isinstance(modes, LabelModes):
        raise NotApplicable("the data set has no labels")
    ensure(not absent, f"labels are missing in {' and '.join(absent)}")
    train = found["train"]
    assert train is not None
    for name, given in found.items():
        assert given is not None
        n = len(subject.splits()[name])
        ensure(
            given.dtype == torch.int64 and tuple(given.shape) == (n,),
            f"{name}: labels are {given.dtype} of shape {tuple(given.shape)}; {n} examples need "
            f"torch.int64 of shape ({n},)",
        )
        ensure(int(given.min()) >= 0, f"{name}: there is a label {int(given.min())}, below 0")
        strange = set(given.unique().tolist()) - set(train.unique().tolist())
        ensure(not strange, f"{name}: no training example has label {min(strange, default=0)}")
    if isinstance(modes, LabelModes):
        seen, top = len(train.unique()), int(train.max())
        ensure(
            seen == modes.count and top == modes.count - 1,
            f"modes.count is {modes.count}, but training labels are {seen} different ones up to "
            f"{top}; {modes.count} modes are labels 0 to {modes.count - 1}",
        )


def standardised(subject: DatasetSubject) -> None:
    """mean and std are those of the training split, which in model space has mean 0 and std 1"""
    data = subject.dataset
    if subject.spec.kind == "image":
        raise NotApplicable("levels of images are mapped to [−1, 1]")
    for name, given in (("mean", data.mean), ("std", data.std)):
        ensure(
            isinstance(given, Tensor) and given.dtype == torch.float32,
            f"{name} is {given if given is None else given.dtype}; it must be torch.float32",
        )
        assert given is not None
        fits = torch.broadcast_shapes(given.shape, subject.spec.shape) == subject.spec.shape
        ensure(fits, f"{name} has shape {tuple(given.shape)}, examples {subject.spec.shape}")
    assert data.mean is not None and data.std is not None
    ensure(
        bool((data.std > 0).all()),
        f"std is {float(data.std.min()):g} somewhere; leave constant coordinates out",
    )
    x = data.to_model(data.train.raw).double()
    shared = torch.broadcast_shapes(data.mean.shape, data.std.shape)
    padded = (1,) * (x.ndim - 1 - len(shared)) + tuple(shared)
    axes = [0, *(i + 1 for i, n in enumerate(padded) if n != x.shape[i + 1])]
    mean = x.mean(dim=axes)
    std = x.var(dim=axes, correction=0).sqrt()
    ensure(
        float(mean.abs().max()) <= MOMENT_SLACK and float((std - 1).abs().max()) <= MOMENT_SLACK,
        f"training data in model space have means up to {float(mean.abs().max()):.3g} and standard "
        f"deviations from {float(std.min()):.3g} to {float(std.max()):.3g}; mean and std must be "
        "those of the training split",
    )


def spaces(subject: DatasetSubject) -> None:
    """model space is float32, in [−1, 1] for images, and leads back to what is stored"""
    data = subject.dataset
    for name, split in subject.splits().items():
        raw = split.raw[:FEW]
        x = data.to_model(raw)
        ensure(
            x.dtype == torch.float32 and x.shape == raw.shape and bool(x.isfinite().all()),
            f"{name}: to_model gives {x.dtype} of shape {tuple(x.shape)}, or values not finite",
        )
        back = data.to_raw(x)
        if subject.spec.kind == "image":
            low, high = float(x.min()), float(x.max())
            ensure(low >= -1 and high <= 1, f"{name}: to_model gives [{low:.4g}, {high:.4g}]")
            ensure(torch.equal(back, raw), f"{name}: to_raw(to_model(raw)) is not raw")
            continue
        assert data.std is not None
        off = (back.double() - raw.double()).abs() - 1e-6 * raw.double().abs()
        worst = float((off / data.std.double()).max())
        ensure(
            worst <= 1e-4,
            f"{name}: to_raw(to_model(raw)) is {worst:.3g} standard deviations from raw",
        )
