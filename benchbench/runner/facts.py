"""What a plan has to know of a data set: the digest of its data, and who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchbench.api import Assets, UsageError
from benchbench.registry import Registry

__all__ = ["AUTO", "Facts", "NamedHash", "check_different", "dataset_facts"]

AUTO = "auto"
"""As extractor: each data set's own."""


@dataclass(frozen=True)
class NamedHash:
    """An extractor by its registered name, and the digest of what it computes; "" for none."""

    name: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Facts:
    """extractor: the feature map of the plan; reader: the data set's own, which reads labels."""

    digest: str
    extractor: NamedHash
    reader: NamedHash
    notes: tuple[str, ...]


def check_different(facts: Mapping[str, Facts]) -> None:
    """Cells are told apart by what they depend on, so equal data under two names can't be."""
    names: dict[str, str] = {}
    for name, fact in facts.items():
        if fact.digest in names:
            raise UsageError(f"{names[fact.digest]!r} and {name!r} hold the same data; name one")
        names[fact.digest] = name


def dataset_facts(registry: Registry, name: str, asked: str | None, assets: Assets) -> Facts:
    """asked: the extractor of the suite (`auto`: the data set's own), or None if none is used."""
    from benchbench.api.data import LabelModes

    spec = registry.dataset(name).spec
    dataset = registry.load_dataset(name, assets)
    features = spec.extractor if asked == AUTO else asked or ""
    if features and spec.kind not in registry.extractor(features).spec.kinds:
        features = spec.extractor
    reader = spec.extractor if isinstance(dataset.modes, LabelModes) else ""
    maps = {
        name: NamedHash(name, registry.load_extractor(name, assets).digest)
        for name in (features, reader)
        if name
    }
    none = NamedHash()
    return Facts(dataset.digest, maps.get(features, none), maps.get(reader, none), dataset.notes)
