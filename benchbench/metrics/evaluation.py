"""What the built-in and every other metric is handed: samples, features, modes, each made once.

Everything is made in blocks of a size that depends on the data's shape and the kind of device
alone, and block b of the samples has a generator of its own, seeded by (seed, "samples", b). So the
first n samples and their features are the same bits whichever metric asks first, and for however
many.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from benchbench.api.data import Dataset, SplitName
from benchbench.api.errors import BenchError, NotAvailable, PluginError
from benchbench.api.evaluation import Evaluation, Extractor, Source
from benchbench.api.model import Model
from benchbench.api.seeding import seeded_generator
from benchbench.api.specs import Capability, DatasetSpec
from benchbench.metrics.cache import StatisticCache, source_digest
from benchbench.metrics.precision import full_float32

__all__ = ["RANGE_TOLERANCE", "SampleEvaluation", "block_rows", "check_samples"]

RANGE_TOLERANCE = 1e-3
"""How far an image may leave [−1, 1] before it is a breach; levels are 0.125 apart or less."""


BLOCK_NUMBERS = 4_000_000
MOST_ROWS = {"cpu": 1_000, "cuda": 10_000}
"""Of a block. On a GPU a small batch of small examples takes as long as a large one."""
FEW_NUMBERS, MOST_POINTS = 16, 2_500
"""Examples of so few numbers come from small networks, whose calls cost a CPU what their arithmetic
does: of these a block has more, though no more than stay in its caches."""


def block_rows(dim: int, device: str = "cpu") -> int:
    """Examples of `dim` numbers in a block: as many as make four million numbers, within limits.

    device: its kind, `cpu` or `cuda`.

    >>> block_rows(2), block_rows(192), block_rows(192, "cuda"), block_rows(12_288, "cuda")
    (2500, 1000, 10000, 325)
    """
    most = MOST_ROWS.get(device, MOST_ROWS["cpu"])
    if dim <= FEW_NUMBERS:
        most = max(most, MOST_POINTS)
    return max(1, min(most, BLOCK_NUMBERS // dim))


class SampleEvaluation(Evaluation):
    """One row: a trained model under one set of sampling options, or samples as they are.

    spec: of the data set; its `samples` is kept as `protocol_samples`, how many the mode-coverage
        protocol scores.
    samples: (n, *shape) in model space, instead of a model (held-out data, a file); else None.
    extractor: the feature map, or None where there is none.
    reader: the data set's own extractor, which reads its labels; left out: `extractor`.
    seed: of this cell and variant; every generator derives from it.
    model: trained, on `device`; put in eval mode. capabilities: what its spec declares.
    sampling: keyword arguments of `model.sample`.
    cache: the folder in which features and statistics of real data are kept; None: nowhere.
    """

    def __init__(
        self,
        dataset: Dataset,
        spec: DatasetSpec,
        *,
        samples: Tensor | None = None,
        extractor: Extractor | None = None,
        reader: Extractor | None = None,
        device: torch.device | str = "cpu",
        seed: int = 0,
        model: Model | None = None,
        capabilities: frozenset[Capability] = frozenset(),
        sampling: Mapping[str, Any] | None = None,
        cache: Path | None = None,
    ) -> None:
        if (model is None) == (samples is None):
            raise ValueError("an evaluation has either a model or samples")
        self.dataset, self.device, self.seed = dataset, torch.device(device), seed
        self.capabilities, self.sampling = capabilities, dict(sampling or {})
        self.protocol_samples = spec.samples
        self._extractor = extractor
        self._reader = reader or extractor
        self._model = None if model is None else model.eval()
        self._given: Tensor | None = None
        if samples is not None:
            checked = check_samples(samples.to(self.device), dataset, "samples")
            self._given = dataset.quantise(checked)
        self._cache = StatisticCache(cache)
        self._drawn = torch.empty(0, *dataset.info.shape, dtype=torch.float32, device=self.device)
        self._blocks: dict[tuple[str, str], list[Any]] = {}

    @property
    def model(self) -> Model:
        """The trained model; raises NotAvailable for a row of samples alone."""
        if self._model is None:
            raise NotAvailable("these are samples alone, without a model")
        return self._model

    @property
    def available(self) -> int | None:
        """How many samples there can be; None for a model, which makes as many as are asked for."""
        return None if self._given is None else len(self._given)

    def samples(self, n: int) -> Tensor:
        """The first n samples: (n, *shape) float32 in model space, checked and quantised.

        They are kept, not copied: not to be written to.
        """
        if self._given is not None:
            return self._head(self._given, n, "samples")
        kept, size = len(self._drawn), self._size
        if n > kept:
            needed = -(-n // size) * size
            drawn = self._drawn.new_empty(needed, *self.dataset.info.shape)
            drawn[:kept] = self._drawn
            for start in range(kept, needed, size):
                self._generate(start // size, drawn[start : start + size])
            self._drawn = drawn
        return self._drawn[:n]

    def reference(self, n: int | None = None) -> Tensor:
        """The first n examples (None: all) of the test split: (n, *shape) in model space."""
        raw = self.dataset.test.raw
        head = raw if n is None else self._head(raw, n, "test examples")
        return self.dataset.to_model(head.to(self.device))

    def features(self, source: Source, n: int | None = None) -> Tensor:
        """Features of the first n rows: (n, f) float64; points are their own features."""
        n = self._count(source, n)
        if self._extractor is None:
            self.extractor_detail()
            return self._rows(source, 0, n).double()
        blocks = self._first("features", source, n, self._features)
        return torch.cat(blocks)[:n].double()

    def split_features(self, split: SplitName, n: int) -> Tensor:
        """Features of the first n examples of a split of real data: (n, f) float64.

        n is cut to what there is. For memorisation, which asks for training data.
        """
        n = min(n, len(self.dataset.split(split)))
        if self._extractor is None:
            self.extractor_detail()
            raw = self.dataset.split(split).raw[:n]
            return self.dataset.to_model(raw.to(self.device)).double()
        return torch.cat(self._first("features", split, n, self._features))[:n].double()

    def statistic(
        self, name: str, n: int, make: Callable[[Tensor], dict[str, Tensor]], *made_by: ModuleType
    ) -> dict[str, Tensor]:
        """`make` of the features of the first n test examples, read from the cache where it is.

        made_by: the modules whose source decides the values.
        """
        key = {"statistic": name, "n": n, "source": source_digest(*made_by)}
        found = self._cache.get(
            key | self._real("test"), lambda: make(self.features("reference", n))
        )
        return {name: tensor.to(self.device) for name, tensor in found.items()}

    @property
    def extractor(self) -> Extractor:
        """The feature map; raises NotAvailable where there is none."""
        if self._extractor is None:
            raise NotAvailable(f"{self.dataset.info.name} has no extractor")
        return self._extractor

    @property
    def reader(self) -> Extractor:
        """The data set's own extractor; raises NotAvailable where there is none."""
        if self._reader is None:
            raise NotAvailable(f"{self.dataset.info.name} has no extractor that reads its labels")
        return self._reader

    def extractor_detail(self) -> dict[str, Any]:
        """Name and hash of the feature map; `coordinates` for points without an extractor."""
        if self._extractor is None and self.dataset.info.kind == "points":
            return {"extractor": "coordinates"}
        return {"extractor": self.extractor.name, "extractor_hash": self.extractor.digest}

    def reader_detail(self) -> dict[str, Any]:
        """Name and hash of the reader."""
        return {"extractor": self.reader.name, "extractor_hash": self.reader.digest}

    def modes(self, source: Source, n: int) -> tuple[Tensor, Tensor]:
        """What the reader reads in the first n rows: int64 (n,), confidence (n,)."""
        read = self._first("modes", source, self._count(source, n), self._modes)
        return torch.cat([m for m, _ in read])[:n], torch.cat([c for _, c in read])[:n]

    def generator(self, name: str, device: str = "cpu") -> torch.Generator:
        """A fresh generator seeded from this row and the name."""
        return seeded_generator(device, self.seed, "metric", name)

    @torch.no_grad()
    def draw(self, n: int, *, generator: torch.Generator) -> Tensor:
        """n new samples of the model, unrounded, unchecked and uncached."""
        return self.model.sample(n, generator=generator, **self.sampling)

    # --- blocks --------------------------------------------------------------------------------

    @property
    def _size(self) -> int:
        return block_rows(self.dataset.info.dim, self.device.type)

    def _first(self, what: str, source: str, n: int, make: Callable[[str, int], Any]) -> list[Any]:
        """The blocks that hold the first n rows of something, made where they are missing."""
        if source == "samples" and self._given is None:
            self.samples(n)  # at once: one by one, each block would copy those before it
        blocks = self._blocks.setdefault((what, source), [])
        needed = -(-n // self._size)
        while len(blocks) < needed:
            blocks.append(make(source, len(blocks)))
        return blocks[:needed]

    @torch.no_grad()
    def _generate(self, block: int, out: Tensor) -> None:
        generator = seeded_generator(self.device, self.seed, "samples", block)
        x = self.draw(len(out), generator=generator)
        where = f"{type(self.model).__name__}.sample"
        self.dataset.quantise(check_samples(x, self.dataset, where, n=len(out)), out=out)

    def _features(self, source: str, block: int) -> Tensor:
        if source == "samples":
            return self._extracted(source, block)
        key = {"statistic": "features", "block": block, "rows": self._size, **self._real(source)}
        found = self._cache.get(key, lambda: {"features": self._extracted(source, block)})
        return found["features"].to(self.device)

    def _extracted(self, source: str, block: int) -> Tensor:
        x = self._block(source, block)
        with full_float32():
            found = self.extractor.features(x)
        finite = found.isfinite().all(dim=1)
        if not bool(finite.all()):
            bad = int((~finite).sum())
            raise BenchError(
                f"extractor {self.extractor.name!r} gave {bad} of {len(found)} rows of features "
                f"that are not finite, from {source}"
            )
        return found

    def _real(self, source: str) -> dict[str, Any]:
        """What a statistic of real data depends on, beside the code."""
        split = "test" if source == "reference" else source
        facts = {"dataset": self.dataset.digest, "split": split, "device": self.device.type}
        return facts | self.extractor_detail()

    def _modes(self, source: str, block: int) -> tuple[Tensor, Tensor]:
        x = self._block(source, block)
        with full_float32():
            return self.reader.modes(x)

    def _block(self, source: str, block: int) -> Tensor:
        """A block of rows; the last one of what is finite may be short."""
        start = block * self._size
        return self._rows(source, start, start + self._size)

    def _rows(self, source: str, start: int, stop: int) -> Tensor:
        if source == "samples":
            return self.samples(stop)[start:] if self._given is None else self._given[start:stop]
        split: SplitName = "test" if source == "reference" else source  # type: ignore[assignment]
        raw = self.dataset.split(split).raw[start:stop]
        return self.dataset.to_model(raw.to(self.device))

    def _count(self, source: Source, n: int | None) -> int:
        """n where there are so many rows (None: all); raises NotAvailable where there are fewer."""
        have = len(self.dataset.test) if source == "reference" else self.available
        if n is None:
            if have is None:
                raise ValueError("a model has no last sample: state n")
            return have
        if have is not None and n > have:
            what = "test examples" if source == "reference" else "samples"
            raise NotAvailable(f"{n} {what} needed, there are {have}")
        return n

    @staticmethod
    def _head(rows: Tensor, n: int, what: str) -> Tensor:
        if n > len(rows):
            raise NotAvailable(f"{n} {what} needed, there are {len(rows)}")
        return rows[:n]


def check_samples(x: object, dataset: Dataset, where: str, n: int | None = None) -> Tensor:
    """The samples, if they are what the model contract promises; else PluginError in one line.

    where: who made them. n: how many were asked for; None: any number.
    """
    info = dataset.info
    if not isinstance(x, Tensor):
        raise PluginError(f"{where} returned {type(x).__name__}, not a torch.Tensor")
    wanted = (x.shape[0] if n is None and x.dim() else n, *info.shape)
    if tuple(x.shape) != wanted:
        rows = "n" if n is None else str(n)
        shape = ", ".join([rows, *map(str, info.shape)])
        raise PluginError(f"{where} returned shape {tuple(x.shape)}; {info.name} needs ({shape})")
    if x.dtype != torch.float32:
        raise PluginError(f"{where} returned {x.dtype}; the contract says torch.float32")
    if not len(x):
        return x
    low, high = (float(end) for end in x.aminmax())  # both are NaN where one number is
    if not (math.isfinite(low) and math.isfinite(high)):
        bad = int((~x.isfinite().flatten(1).all(dim=1)).sum())
        raise PluginError(f"{where} returned {bad} of {len(x)} samples that are not finite")
    if info.kind == "image" and (low < -1 - RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE):
        raise PluginError(
            f"{where} returned images in [{low:.4g}, {high:.4g}]; the contract says [-1, 1]"
        )
    return x
