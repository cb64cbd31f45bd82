"""One planned cell: a data set × training × seed, and the keys of what is stored of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchbench.api.names import file_name, short_label, slug
from benchbench.runner.facts import NamedHash
from benchbench.runner.selection import Variant

__all__ = ["Cell", "MetricRun", "digest"]


@dataclass(frozen=True)
class MetricRun:
    """A metric with its resolved options and the hash of its source."""

    name: str
    config: dict[str, Any]
    source: str


@dataclass(frozen=True)
class Cell:
    """One training and everything that is measured of it; JSON-ready through `asdict`.

    model: a registered name, or `REFERENCE_MODEL` for held-out real data (no training, no seed),
        or `CONTROL_MODEL` for controls (no training; the seed counts draws).
    fractions: parts of the budget after which the model is scored on the way.
    extractor, reader: the feature map and the data set's own extractor, which reads its labels.
    data: the digest of the data set; "" in plans that don't state it.
    given: of samples from a file or folder instead of a model (the model is a name for them):
        their `digest`, the `path` they came from, and how they were `read`; else empty.
    """

    dataset: str
    model: str
    config: dict[str, Any]
    config_label: str
    variants: tuple[Variant, ...]
    budget: str
    ceiling_seconds: float | None
    seed: int | None
    fractions: tuple[float, ...]
    metrics: tuple[MetricRun, ...]
    threads: int
    device: str
    precision: str
    extractor: NamedHash
    reader: NamedHash
    key: str
    data: str = ""
    given: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the cell lies inside a result folder."""
        model = slug(self._label)
        seed = f"seed-{self.seed or 0}-{self.key[:12]}"
        return Path("cells", file_name(self.dataset), model, seed)

    @property
    def title(self) -> str:
        """The cell in words, for progress and messages."""
        seed = "" if self.seed is None else f" seed {self.seed}"
        return f"{short_label(self.dataset)} {self._label}{seed}"

    @property
    def _label(self) -> str:
        return short_label(self.model) + (f"[{self.config_label}]" if self.config_label else "")

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells two cells apart in the score frame."""
        return (self.dataset, self.model, self.config_label, self.budget, self.seed)

    def joined(self, other: Cell) -> Cell:
        """This cell with the variants and metrics of another of the same key added."""
        names = {metric.name for metric in self.metrics}
        variants = [v for v in other.variants if v not in self.variants]
        metrics = [m for m in other.metrics if m.name not in names]
        return replace(
            self, variants=(*self.variants, *variants), metrics=(*self.metrics, *metrics)
        )

    def score_key(self, variant: Variant, metric: MetricRun, fraction: float = 1.0) -> str:
        """What a score of this cell depends on."""
        maps = [self.extractor.digest, self.reader.digest]
        return digest([self.key, variant.sampling, asdict(metric), maps, fraction])

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Cell:
        """Read back what `asdict` wrote."""
        variants = tuple(Variant(**v) for v in saved["variants"])
        metrics = tuple(MetricRun(**m) for m in saved["metrics"])
        maps = {key: NamedHash(**saved[key]) for key in ("extractor", "reader")}
        lists = {"variants": variants, "metrics": metrics, "fractions": tuple(saved["fractions"])}
        return cls(**{**saved, **maps, **lists})


def digest(parts: Iterable[Any]) -> str:
    """A key: 32 hexadecimal characters of JSON-ready parts."""
    text = json.dumps(list(parts), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
