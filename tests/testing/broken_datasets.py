"""Data sets that keep the whole contract, small, and such that break it in one way each."""

from __future__ import annotations

import itertools
import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbench.api import Assets, Config, DatasetSpec, digest_tensors
from benchbench.api.data import DataInfo, Dataset, GaussianModes, LabelModes, Split
from benchbench.data.digits import load_digits

CENTRES = torch.tensor([[1.0, 5.0], [3.0, 5.0], [2.0, 7.0]], dtype=torch.float64)
SIGMA = 0.2
SIZES = (3000, 600, 600)
LEVELS = 17


def gaussian_log_prob(x: Tensor, sigma: float = SIGMA) -> Tensor:
    squared = torch.cdist(x.double(), CENTRES).square()
    normal = -squared / (2 * sigma**2) - math.log(2 * math.pi * sigma**2)
    return normal.logsumexp(1) - math.log(len(CENTRES))


def drawn(n: int, generator: torch.Generator, sigma: float = SIGMA) -> Split:
    labels = torch.arange(n) % len(CENTRES)
    noise = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return Split((CENTRES[labels] + sigma * noise).float(), labels)


def assembled(spec: DatasetSpec, splits: list[Split], **more: Any) -> Dataset:
    """A data set of three splits, standardised where it is no image."""
    train, validation, test = splits
    given: dict[str, Any] = {}
    if spec.kind != "image":
        given = {"mean": train.raw.mean(0), "std": train.raw.std(0)}
    levels = LEVELS if spec.kind == "image" else None
    given |= {
        "info": DataInfo(spec.name, spec.kind, spec.shape, len(train), levels),
        "digest": digest_tensors(*(s.raw for s in splits)),
    }
    return Dataset(train=train, validation=validation, test=test, **{**given, **more})


def points(spec: DatasetSpec, assets: Assets | None = None) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    splits = [drawn(n, generator) for n in SIZES]
    return assembled(spec, splits, modes=GaussianModes(CENTRES, SIGMA), log_prob=gaussian_log_prob)


def images(spec: DatasetSpec, assets: Assets | None = None) -> Dataset:
    generator = torch.Generator().manual_seed(1)
    splits = [
        Split(torch.randint(LEVELS, (n, *spec.shape), generator=generator, dtype=torch.uint8))
        for n in SIZES
    ]
    return assembled(spec, splits)


def signals(spec: DatasetSpec, assets: Assets | None = None) -> Dataset:
    """Autoregressive noise, standardised by two numbers."""
    generator = torch.Generator().manual_seed(2)
    splits = [Split(3 + torch.randn(n, *spec.shape, generator=generator).cumsum(2)) for n in SIZES]
    raw = splits[0].raw
    return assembled(spec, splits, mean=raw.mean().reshape(1), std=raw.std().reshape(1))


class Described(Config):
    lr: float = 0.05


def spec(load: Callable[..., Any] = points, **changes: Any) -> DatasetSpec:
    """The spec of a data set of points, unless told otherwise."""
    given = {"kind": "points", "shape": (2,), "summary": "a test", **changes}
    return DatasetSpec("test-data", implementation=load, **given)


IMAGE: dict[str, Any] = {"kind": "image", "shape": (1, 5, 5)}
DIGITS: dict[str, Any] = {"kind": "image", "shape": (1, 8, 8), "extractor": "digits-cnn"}
SIGNAL: dict[str, Any] = {"kind": "signal", "shape": (2, 16)}

GOOD = [
    spec(),
    spec(images, **IMAGE),
    spec(signals, **SIGNAL),
    spec(load_digits, **DIGITS),
]


def changed(load: Callable[..., Dataset] = points, **changes: Any) -> Callable[..., Dataset]:
    """The same data set with other fields."""
    return lambda spec, assets: replace(load(spec, assets), **changes)


def fails(spec: DatasetSpec, assets: Assets) -> Dataset:
    raise RuntimeError("no data today")


def never_ends(spec: DatasetSpec, assets: Assets) -> Dataset:
    threading.Event().wait(3)
    return points(spec)


def another_name(spec: DatasetSpec, assets: Assets) -> Dataset:
    return points(replace(spec, name="other"))


def wrong_size(spec: DatasetSpec, assets: Assets) -> Dataset:
    data = points(spec)
    return replace(data, info=replace(data.info, n_train=10))


def own_seeds(spec: DatasetSpec, assets: Assets) -> Dataset:
    """Drawn anew at each load, under one digest."""
    generator = torch.Generator()
    generator.seed()
    splits = [drawn(n, generator) for n in SIZES]
    return assembled(spec, splits, digest="0123456789abcdef")


_COUNT = itertools.count()


def counts_loads(spec: DatasetSpec, assets: Assets) -> Dataset:
    return replace(points(spec), digest=f"{next(_COUNT):016x}")


def from_numpy(spec: DatasetSpec, assets: Assets) -> Dataset:
    np.random.seed(7)
    return points(spec)


def from_python(spec: DatasetSpec, assets: Assets) -> Dataset:
    random.seed(7)
    return points(spec)


def from_torch(spec: DatasetSpec, assets: Assets) -> Dataset:
    torch.manual_seed(7)
    return points(spec)


def double_precision(spec: DatasetSpec, assets: Assets) -> Dataset:
    data = points(spec)
    splits = {n: Split(data.split(n).raw.double()) for n in ("train", "validation", "test")}  # type: ignore[arg-type]
    return replace(data, **splits, modes=None)


def a_gap(spec: DatasetSpec, assets: Assets) -> Dataset:
    data = points(spec)
    raw = data.test.raw.clone()
    raw[5, 1] = math.nan
    return replace(data, test=Split(raw), train=Split(data.train.raw), modes=None, log_prob=None)


def too_few_levels(spec: DatasetSpec, assets: Assets) -> Dataset:
    data = images(spec)
    return replace(data, info=replace(data.info, levels=LEVELS - 1))


def label_of_its_own(spec: DatasetSpec, assets: Assets) -> Dataset:
    data = points(spec)
    labels = data.test.labels.clone()  # type: ignore[union-attr]
    labels[0] = 9
    return replace(data, test=Split(data.test.raw, labels))


def one_class_more(spec: DatasetSpec, assets: Assets) -> Dataset:
    return replace(load_digits(spec, assets), modes=LabelModes(11))


def narrow_labels(spec: DatasetSpec, assets: Assets) -> Dataset:
    data = points(spec)
    splits = {
        n: Split(s.raw, s.labels.int())  # type: ignore[union-attr]
        for n, s in (("train", data.train), ("validation", data.validation), ("test", data.test))
    }
    return replace(data, **splits)


@dataclass(frozen=True)
class ForgetsMean(Dataset):
    def to_raw(self, x: Tensor) -> Tensor:
        assert self.std is not None
        return x * self.std


def one_way(spec: DatasetSpec, assets: Assets) -> Dataset:
    return ForgetsMean(**vars(points(spec)))


def leaks(spec: DatasetSpec, assets: Assets) -> Dataset:
    """One test example is a training example."""
    data = points(spec)
    raw = data.test.raw.clone()
    raw[3] = data.train.raw[3]
    return replace(data, test=Split(raw, data.test.labels))


def sorted_first(spec: DatasetSpec, assets: Assets) -> Dataset:
    """Cut into splits as the file has it, sorted."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(sum(SIZES), 2, generator=generator)
    return assembled(spec, [Split(part) for part in raw[raw[:, 0].argsort()].split(SIZES)])


def eight_held_out(spec: DatasetSpec, assets: Assets) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    return assembled(spec, [drawn(n, generator) for n in (3000, 8, 600)])


def wider_density(x: Tensor) -> Tensor:
    return gaussian_log_prob(x, 1.3 * SIGMA)


def unnormalised(x: Tensor) -> Tensor:
    return gaussian_log_prob(x) + math.log(2 * math.pi * SIGMA**2)


def shifted_labels(spec: DatasetSpec, assets: Assets) -> Dataset:
    """Label 1 is a zero, and so on: the extractor reads something else."""
    data = load_digits(spec, assets)
    splits = {
        n: Split(s.raw, (s.labels + 1) % 10)  # type: ignore[operator]
        for n, s in (("train", data.train), ("validation", data.validation), ("test", data.test))
    }
    return replace(data, **splits)


BROKEN: list[tuple[str, DatasetSpec, str]] = [
    ("no summary", spec(summary=""), "declared"),
    ("another shape", spec(shape=(2, 1)), "load"),
    ("option without a word", spec(options=Described), "declared"),
    ("raises", spec(fails), "load"),
    ("never ends", spec(never_ends), "load"),
    ("another name", spec(another_name), "load"),
    ("wrong size", spec(wrong_size), "load"),
    ("own seeds", spec(own_seeds), "deterministic"),
    ("counts loads", spec(counts_loads), "digest"),
    ("a version as digest", spec(changed(digest="v1")), "digest"),
    ("numpy", spec(from_numpy), "global_state"),
    ("python", spec(from_python), "global_state"),
    ("torch", spec(from_torch), "global_state"),
    ("double precision", spec(double_precision), "stored"),
    ("a gap", spec(a_gap), "stored"),
    ("too few levels", spec(too_few_levels, **IMAGE), "levels"),
    ("label of its own", spec(label_of_its_own), "labels"),
    ("one class more", spec(one_class_more, **DIGITS), "labels"),
    ("narrow labels", spec(narrow_labels), "labels"),
    (
        "not standardised",
        spec(changed(mean=torch.zeros(2), std=torch.ones(2))),
        "standardised",
    ),
    ("one way", spec(one_way), "spaces"),
    ("leaks", spec(leaks), "disjoint"),
    ("sorted first", spec(sorted_first), "held_out"),
    ("eight held out", spec(eight_held_out), "tuning_view"),
    ("modes too wide", spec(changed(modes=GaussianModes(CENTRES, 1.1 * SIGMA))), "modes"),
    ("modes moved", spec(changed(modes=GaussianModes(CENTRES + 0.3, SIGMA))), "modes"),
    ("nobody reads them", spec(load_digits, **{**DIGITS, "extractor": ""}), "modes"),
    ("density of others", spec(changed(log_prob=wider_density)), "density"),
    ("unnormalised", spec(changed(log_prob=unnormalised)), "density"),
    ("shifted labels", spec(shifted_labels, **DIGITS), "extractor"),
]
