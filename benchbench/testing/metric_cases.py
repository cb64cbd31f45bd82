"""Small data sets of every kind, each with ten modes, on which a metric is checked.

    x = c_i + σ ε,   i uniform on ten modes,   ε ~ N(0, I)

Everything that a metric can ask for is known: modes, labels, density, features, and a model that
samples the data's own distribution (`benchbench.testing.truth`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from benchbench.api import Assets, Config, DatasetSpec, Kind
from benchbench.api.data import DataInfo, Dataset, GaussianModes, LabelModes, Split
from benchbench.api.evaluation import Extractor
from benchbench.api.tensors import digest_tensors
from benchbench.testing.truth import Truth

__all__ = ["METRIC_KINDS", "MetricCase", "metric_case"]

MODES, LEVELS = 10, 17
SIZES = (5000, 5000, 5000)
"""Examples of each split; controls have a fifth of one."""
METRIC_KINDS: tuple[Kind, ...] = ("points", "image", "signal")


class Nearest(Extractor):
    """Features are the numbers of an example; its class is the mode whose centre is nearest."""

    name = "coordinates-of-checks"

    def __init__(self, centres: Tensor) -> None:
        self.centres, self.digest = centres, digest_tensors(centres)

    def features(self, x: Tensor) -> Tensor:
        """(n, *shape) to (n, D), flattened."""
        return x.flatten(1).float()

    def modes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest centre's number, and its share of exp(−distance) as confidence."""
        distance = torch.cdist(x.flatten(1).double(), self.centres.to(x.device))
        confidence, read = (-distance).softmax(dim=1).max(dim=1)
        return read, confidence


@dataclass(frozen=True)
class MetricCase:
    """A data set of ten modes, with its spec, its extractor and its true model."""

    spec: DatasetSpec
    dataset: Dataset
    extractor: Extractor | None
    model: Truth

    @property
    def kind(self) -> Kind:
        """The data kind, which is the case's name as well."""
        return self.spec.kind


def metric_case(kind: Kind) -> MetricCase:
    """The case of a data kind: points (n, 2), images (n, 1, 8, 8) or signals (n, 1, 32)."""
    centres, sigma = _centres(kind)
    generator = torch.Generator().manual_seed(MODES)
    splits = [_split(centres, sigma, n, kind, generator) for n in SIZES]
    train, validation, test = splits
    shape, image = tuple(centres.shape[1:]), kind == "image"
    mean = None if image else train.raw.double().mean(0).float()
    std = None if image else train.raw.double().std(0).float()
    spec = DatasetSpec(f"ten-{kind}", kind, shape, _already_loaded, samples=1000)
    scale = torch.tensor(2 / (LEVELS - 1)) if std is None else 1 / std.flatten()
    middle = torch.ones(()) if mean is None else mean.flatten() * scale
    places = centres.flatten(1) * scale - middle
    model = Truth(Config(), DataInfo(spec.name, kind, shape, len(train), LEVELS if image else None))
    model.set(places, (sigma * scale).expand(places.shape[1]))
    dataset = Dataset(
        info=model.data,
        train=train,
        validation=validation,
        test=test,
        digest=digest_tensors(*(s.raw for s in splits)),
        mean=mean,
        std=std,
        modes=_modes(kind, centres, sigma),
        log_prob=None if image else _Density(model, mean, std),
    )
    return MetricCase(spec, dataset, None if kind == "points" else Nearest(places.double()), model)


class _Density:
    """log p of raw examples in original units, (n, *shape) -> (n,) float64."""

    def __init__(self, model: Truth, mean: Tensor | None, std: Tensor | None) -> None:
        assert mean is not None and std is not None
        self.model, self.mean, self.std = model, mean, std

    def __call__(self, raw: Tensor) -> Tensor:
        x = (raw.float() - self.mean) / self.std
        return self.model.log_prob(x).detach().double() - self.std.double().log().sum()


def _already_loaded(spec: DatasetSpec, assets: Assets) -> Dataset:
    return metric_case(spec.kind).dataset


def _modes(kind: Kind, centres: Tensor, sigma: float) -> GaussianModes | LabelModes | None:
    if kind == "points":
        return GaussianModes(centres.double(), sigma)
    return LabelModes(MODES) if kind == "image" else None


def _split(centres: Tensor, sigma: float, n: int, kind: Kind, generator: torch.Generator) -> Split:
    labels = torch.arange(n) % MODES
    labels = labels[torch.randperm(n, generator=generator)]
    raw = centres[labels] + sigma * torch.randn(n, *centres.shape[1:], generator=generator)
    if kind == "image":
        raw = raw.round().clamp(0, LEVELS - 1).to(torch.uint8)
    return Split(raw, labels)


def _centres(kind: Kind) -> tuple[Tensor, float]:
    """The ten centres (10, *shape) in stored units, and σ.

    A circle; random patterns of dark and light, which no blur keeps; waves of ten frequencies.
    """
    step = torch.arange(MODES)
    if kind == "points":
        angle = step * (2 * math.pi / MODES)
        return torch.stack([angle.cos(), angle.sin()], dim=1), 0.02
    if kind == "image":
        generator = torch.Generator().manual_seed(1)
        sign = 2.0 * torch.randint(2, (MODES, 1, 8, 8), generator=generator) - 1
        return (LEVELS - 1) / 2 + 4 * sign, 1.0
    time = torch.arange(32) * (2 * math.pi / 32)
    return torch.sin((step[:, None] + 1) * time).unsqueeze(1), 0.2
