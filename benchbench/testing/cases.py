"""Small data sets of every kind, each with two modes, on which a model is checked.

    x = ±a + σ ε,   ε ~ N(0, I),   half of the examples on each side

`line` is one-dimensional, so that a density on it can be integrated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from benchbench.api import Kind
from benchbench.api.data import DataInfo, Dataset, Split

__all__ = ["Case", "case", "cases_of"]

TRAIN, HELD_OUT = 1024, 512
"""Fewer training examples than any built-in data set has: a batch has to fit in."""
LEVELS = 17


@dataclass(frozen=True)
class Case:
    """A data set of two modes.

    axis: (D,) float64, the unit vector from one mode to the other in model space, flattened.
    """

    dataset: Dataset
    axis: Tensor

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.dataset.info.name

    def held_out(self, n: int) -> Tensor:
        """The first n test examples in model space, dequantised where they are images."""
        x = self.dataset.to_model(self.dataset.test.raw[:n])
        return self.dataset.dequantise(x, generator=torch.Generator().manual_seed(n))

    def along_axis(self, x: Tensor) -> Tensor:
        """Coordinates (n,) float64 of examples (n, *shape) on the line through both modes."""
        return x.flatten(1).double().cpu() @ self.axis


def cases_of(kinds: frozenset[Kind]) -> list[str]:
    """Names of the cases of these data kinds, without the line."""
    return [name for name, (kind, _, _) in _CASES.items() if kind in kinds and name != "line"]


def case(name: str) -> Case:
    """The case of this name: `plane` and `line` (points), `image` (8×8), `signal` (1×32)."""
    kind, centre, sigma = _CASES[name]
    shape = tuple(centre.shape)
    generator = torch.Generator().manual_seed(len(name))
    train, validation, test = (
        _split(centre, sigma, n, kind, generator) for n in (TRAIN, HELD_OUT, HELD_OUT)
    )
    flat = train.raw.double()
    image = kind == "image"
    dataset = Dataset(
        info=DataInfo(name, kind, shape, TRAIN, LEVELS if image else None),
        train=train,
        validation=validation,
        test=test,
        digest=f"check-{name}",
        mean=None if image else flat.mean(0).float(),
        std=None if image else flat.std(0).float(),
    )
    x = dataset.to_model(train.raw).flatten(1).double()
    assert train.labels is not None
    apart = x[train.labels == 1].mean(0) - x[train.labels == 0].mean(0)
    return Case(dataset, apart / apart.norm())


def _split(centre: Tensor, sigma: float, n: int, kind: Kind, generator: torch.Generator) -> Split:
    labels = torch.arange(n) % 2
    noise = torch.randn(n, *centre.shape, generator=generator)
    side = (2 * labels - 1).reshape(n, *[1] * centre.dim())
    raw = side * centre + sigma * noise
    if kind == "image":
        middle = (LEVELS - 1) / 2
        raw = (middle + raw).round().clamp(0, LEVELS - 1).to(torch.uint8)
    return Split(raw, labels)


def _wave() -> Tensor:
    """One period of a sine, (1, 32)."""
    return torch.sin(torch.arange(32) * (2 * math.pi / 32)).reshape(1, 32)


_HALVES = torch.ones(1, 8, 8) * torch.tensor([4.0] * 4 + [-4.0] * 4)

_CASES: dict[str, tuple[Kind, Tensor, float]] = {
    "plane": ("points", torch.tensor([1.6, 1.2]), 0.3),
    "line": ("points", torch.tensor([1.0]), 0.2),
    "image": ("image", _HALVES, 1.0),
    "signal": ("signal", _wave(), 0.2),
}
