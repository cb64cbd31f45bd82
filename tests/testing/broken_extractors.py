"""Extractors that keep the whole contract, small, and such that break it in one way each."""

from __future__ import annotations

import itertools
import math
import random
import socket
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchbench.api import Assets, ExtractorSpec, NotAvailable
from benchbench.api.evaluation import Extractor


class Cells(Extractor):
    """A random projection of images of 8 pixels a side, and the sign of two numbers as class."""

    name = "cells"
    digest = "0123456789abcdef"
    size = 8

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.matrix = torch.randn(3 * self.size**2, 16, generator=generator)

    def features(self, x: Tensor) -> Tensor:
        flat = self.flat(x)
        return flat @ self.matrix[: flat.shape[1]]

    def modes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        score = self.features(x)[:, 0]
        return (score > 0).long(), score.abs().sigmoid()

    def flat(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (self.size, self.size):
            raise NotAvailable(f"cells reads images of {self.size} pixels a side")
        return x.flatten(1)


class AnyShape(Extractor):
    """Moments of whatever it is given; reads no classes."""

    name = "moments"
    digest = "moments, version 1"

    def features(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        return torch.stack([flat.mean(1), flat.square().mean(1)], dim=1)


def spec(load: Callable[..., Any], kinds: tuple[str, ...] = ("image",), **changes: Any) -> Any:
    given = {"summary": "a test", "kinds": frozenset(kinds), **changes}
    return ExtractorSpec("test-extractor", implementation=load, **given)


def loads(kind: type[Extractor]) -> Callable[[Assets], Extractor]:
    return lambda assets: kind()


GOOD = [spec(loads(Cells)), spec(loads(AnyShape), ("points", "image", "signal"))]


def fails(assets: Assets) -> Extractor:
    raise RuntimeError("no weights today")


def nothing(assets: Assets) -> object:
    return object()


class Nameless(Cells):
    name = ""


def asks_the_network(assets: Assets) -> Extractor:
    """Looks for newer weights, and takes no for an answer."""
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=0.1)
    except OSError:
        return Cells()
    raise AssertionError("nothing listens there")


_COUNT = itertools.count()


def counts_loads(assets: Assets) -> Extractor:
    found = Cells()
    found.digest = f"version {next(_COUNT)}"
    return found


class NoDigest(Cells):
    digest = ""


class OtherSize(Cells):
    size = 9


class Crashes(Cells):
    def flat(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (self.size, self.size):
            raise ValueError("not 8 pixels")
        return x.flatten(1)


class SaysNothing(Cells):
    def flat(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (self.size, self.size):
            raise NotAvailable("")
        return x.flatten(1)


class Double(Cells):
    def features(self, x: Tensor) -> Tensor:
        return super().features(x).double()


class Infinite(Cells):
    def features(self, x: Tensor) -> Tensor:
        h = super().features(x)
        return torch.cat([h[:, :1] * 0 + math.inf, h[:, 1:]], dim=1)


class Squeezes(Cells):
    def features(self, x: Tensor) -> Tensor:
        return super().features(x).squeeze(0)


class Maps(Cells):
    def features(self, x: Tensor) -> Tensor:
        return super().features(x).view(len(x), 4, 4)

    def modes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(x), dtype=torch.int64), torch.ones(len(x))


class Constant(Cells):
    def features(self, x: Tensor) -> Tensor:
        return torch.ones_like(super().features(x))


class Noisy(Cells):
    """A draw of its own at each call."""

    def features(self, x: Tensor) -> Tensor:
        generator = torch.Generator()
        generator.seed()
        h = super().features(x)
        return h + 0.1 * torch.randn(h.shape, generator=generator)


class OtherWeights(Cells):
    """Weights drawn anew at each load."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator()
        generator.seed()
        self.matrix = torch.randn(self.matrix.shape, generator=generator)


class Draws(Cells):
    """Moves torch's state without need."""

    def features(self, x: Tensor) -> Tensor:
        torch.rand(1)
        return super().features(x)


def seeds_python(assets: Assets) -> Extractor:
    random.seed(3)
    return Cells()


class Centred(Cells):
    """As a batch normalisation in training mode does."""

    def features(self, x: Tensor) -> Tensor:
        h = super().features(x)
        return h - h.mean(0)


class Places(Cells):
    """The first of a batch is another thing than the last."""

    def features(self, x: Tensor) -> Tensor:
        h = super().features(x)
        return h + torch.arange(len(x))[:, None]


class InPlace(Cells):
    def features(self, x: Tensor) -> Tensor:
        self.flat(x)
        return super().features(x.sub_(0.5))


class Learning(Cells):
    def __init__(self) -> None:
        super().__init__()
        self.matrix.requires_grad_()


class Fractions(Cells):
    def modes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        read, confidence = super().modes(x)
        return read.float(), confidence


class Certain(Cells):
    def modes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        read, confidence = super().modes(x)
        return read, 100 * confidence


BROKEN: list[tuple[str, ExtractorSpec, str]] = [
    ("no summary", spec(loads(Cells), summary=""), "declared"),
    ("no kind", spec(loads(Cells), ()), "declared"),
    ("raises", spec(fails), "load"),
    ("returns nothing of use", spec(nothing), "load"),
    ("nameless", spec(loads(Nameless)), "load"),
    ("asks the network", spec(asks_the_network), "offline"),
    ("counts loads", spec(counts_loads), "digest"),
    ("no digest", spec(loads(NoDigest)), "digest"),
    ("reads nothing", spec(loads(OtherSize)), "reads"),
    ("serves points in word alone", spec(loads(Cells), ("image", "points")), "reads"),
    ("crashes", spec(loads(Crashes)), "refusals"),
    ("says nothing", spec(loads(SaysNothing)), "refusals"),
    ("double", spec(loads(Double)), "features"),
    ("infinite", spec(loads(Infinite)), "features"),
    ("squeezes", spec(loads(Squeezes)), "features"),
    ("maps", spec(loads(Maps)), "features"),
    ("constant", spec(loads(Constant)), "varies"),
    ("noisy", spec(loads(Noisy)), "deterministic"),
    ("other weights", spec(loads(OtherWeights)), "deterministic"),
    ("draws", spec(loads(Draws)), "global_state"),
    ("seeds python", spec(seeds_python), "global_state"),
    ("centred", spec(loads(Centred)), "alone"),
    ("places", spec(loads(Places)), "alone"),
    ("in place", spec(loads(InPlace)), "inputs"),
    ("learning", spec(loads(Learning)), "gradients"),
    ("fractions", spec(loads(Fractions)), "modes"),
    ("certain", spec(loads(Certain)), "modes"),
]
