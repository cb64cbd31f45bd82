"""An extractor under check: loaded twice, and asked for features of examples of many shapes.

Which shapes an extractor reads is not declared. Every probe of the kinds that it serves is tried;
what it can't read it has to refuse with NotAvailable. The first two probes of a kind that it reads
are what the other checks look at.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from benchbench.api import Assets, ExtractorSpec, Kind
from benchbench.api.evaluation import Extractor
from benchbench.registry import resolve
from benchbench.testing.outcomes import loaded
from benchbench.testing.states import moved_by
from benchbench.testing.subject import settled

__all__ = ["PROBES", "ROWS", "ExtractorSubject", "probe"]

ROWS = 12
_IMAGES = tuple((c, side, side) for side in (8, 16, 28, 32, 64) for c in (1, 3))
PROBES: dict[Kind, tuple[tuple[int, ...], ...]] = {
    "points": ((2,), (8,), (64,)),
    "image": _IMAGES,
    "signal": ((1, 32), (1, 64), (2, 64), (1, 256)),
}
"""Shapes of one example, by kind."""
LOOKED_AT = 2


def probe(shape: tuple[int, ...], n: int = ROWS) -> Tensor:
    """n examples (n, *shape) in model space: smooth and rough ones, in [−1, 1]."""
    generator = torch.Generator().manual_seed(len(shape) + sum(shape))
    x = torch.randn(n, *shape, generator=generator)
    x[: n // 2] = x[: n // 2].cumsum(-1) / 2
    return x.clamp(-1, 1)


class ExtractorSubject:
    """One extractor of a plugin.

    spec: as its plugin declares it. owner: who brought it. assets: where its weights are.
    """

    def __init__(self, spec: ExtractorSpec, owner: str = "", *, assets: Assets) -> None:
        self.spec, self.owner, self.assets = spec, owner, assets

    @cached_property
    def _first(self) -> Any:
        """What loading gave, errors included; who asked the network; whose random state moved."""
        found: list[Any] = []
        with settled(), _network_watched() as asked:
            moved = moved_by(lambda: found.append(self._attempt()))
        return found[0], asked, moved

    @property
    def extractor(self) -> Extractor:
        """The extractor, loaded once; raises NotApplicable where its weights are not here."""
        found: Extractor = loaded(self._first[0], Extractor)
        return found

    @cached_property
    def again(self) -> Extractor:
        """The extractor, loaded once more."""
        with settled(1):
            return self._load()

    @property
    def asked(self) -> list[str]:
        """Addresses that loading tried to reach."""
        return list(self._first[1])

    @property
    def moved(self) -> list[str]:
        """Whose global random states loading moved."""
        return list(self._first[2])

    @cached_property
    def tried(self) -> dict[Kind, list[tuple[tuple[int, ...], Any]]]:
        """For each kind that it serves, every probe's shape and its features or the error."""
        self.extractor  # noqa: B018 - where it is not here there is nothing to try
        kinds = [kind for kind in PROBES if kind in self.spec.kinds]
        return {kind: [(shape, self._try(shape)) for shape in PROBES[kind]] for kind in kinds}

    @cached_property
    def read(self) -> list[tuple[Tensor, Tensor]]:
        """Examples (n, *shape) and their features, of the probes that are looked at."""
        found: list[tuple[Tensor, Tensor]] = []
        for tried in self.tried.values():
            there = [(probe(shape), h) for shape, h in tried if isinstance(h, Tensor)]
            found += there[:LOOKED_AT]
        return found

    def features(self, x: Tensor, extractor: Extractor | None = None) -> Tensor:
        """Features of a copy of x under settled random states."""
        with settled():
            return (extractor or self.extractor).features(x.clone())

    @property
    def reads_modes(self) -> bool:
        """Whether it overrides `modes`."""
        return type(self.extractor).modes is not Extractor.modes

    def _try(self, shape: tuple[int, ...]) -> Any:
        try:
            return self.features(probe(shape))
        except Exception as error:
            return error

    def _attempt(self) -> Any:
        try:
            return self._load()
        except (Exception, SystemExit) as error:
            return error

    def _load(self) -> Extractor:
        found: Extractor = resolve(self.spec.implementation, self.owner or self.spec.name)(
            self.assets
        )
        return found


@contextlib.contextmanager
def _network_watched() -> Iterator[list[str]]:
    """The addresses that are asked for inside; none of them answers."""
    asked: list[str] = []

    def refuse(_: Any, address: Any, *more: Any) -> Any:
        asked.append(str(address))
        raise OSError("the check lets nothing reach the network")

    def lookup(host: Any, *more: Any, **options: Any) -> Any:
        return refuse(None, host)

    with (
        mock.patch.object(socket.socket, "connect", refuse),
        mock.patch.object(socket.socket, "connect_ex", refuse),
        mock.patch.object(socket, "getaddrinfo", lookup),
    ):
        yield asked
