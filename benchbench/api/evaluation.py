"""What a metric is handed: samples, data, features and the trained model, computed once.

def compute(evaluation: Evaluation, config: MyConfig) -> list[Score]:
    x = evaluation.samples(config.n)
    ...
    return [Score("my_score", value, n=len(x), detail={...})]
"""

from __future__ import annotations

import abc
from typing import Any, Literal

import torch
from torch import Tensor

from benchbench.api.data import Dataset
from benchbench.api.model import Model
from benchbench.api.specs import Capability

__all__ = ["Evaluation", "Extractor", "Source"]

Source = Literal["samples", "reference"]


class Extractor(abc.ABC):
    """A fixed feature map, and a reader of classes where it has one.

    name: as printed in a score's detail. digest: hash of weights and preprocessing.
    """

    name: str
    digest: str

    @abc.abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Examples in model space (n, *shape) to features (n, f), float32, same device.

        An example's features depend on it alone, and carry no gradient. Raises NotAvailable with a
        reason where it can't read examples of that shape.
        """

    def modes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The label mode of each example, int64 (n,), and the reader's confidence in it, (n,).

        Confidence is a probability in [0, 1].
        """
        raise NotImplementedError(f"extractor {self.name!r} reads no labels")


class Evaluation(abc.ABC):
    """One trained model sampled in one way (or held-out data, or samples from elsewhere)."""

    dataset: Dataset
    device: torch.device
    capabilities: frozenset[Capability]
    sampling: dict[str, Any]

    @property
    @abc.abstractmethod
    def model(self) -> Model:
        """The trained model in eval mode; raises NotAvailable where there are only samples."""

    @property
    def available(self) -> int | None:
        """How many samples there can be; None for a model, which makes as many as are asked for."""
        return None

    @abc.abstractmethod
    def samples(self, n: int) -> Tensor:
        """The first n of this row's samples, (n, *shape), model space, rounded to data levels.

        The same samples for every metric. Raises NotAvailable where there are fewer.
        """

    @abc.abstractmethod
    def reference(self, n: int | None = None) -> Tensor:
        """The first n examples (None: all) of the TEST split, (n, *shape), model space."""

    @abc.abstractmethod
    def features(self, source: Source, n: int | None = None) -> Tensor:
        """Features of samples(n) or reference(n): float64 (n, f).

        By the plan's extractor; for points the coordinates themselves. Raises NotAvailable
        where there is no feature space.
        """

    @property
    @abc.abstractmethod
    def extractor(self) -> Extractor:
        """The feature map of this plan; raises NotAvailable where there is none."""

    @abc.abstractmethod
    def extractor_detail(self) -> dict[str, Any]:
        """`{"extractor": name, "extractor_hash": digest}` (or `coordinates`) for a detail."""

    @property
    @abc.abstractmethod
    def reader(self) -> Extractor:
        """The data set's own extractor, which reads its labels whatever map the features come
        from; raises NotAvailable where there is none."""

    @abc.abstractmethod
    def reader_detail(self) -> dict[str, Any]:
        """`{"extractor": name, "extractor_hash": digest}` of the reader for a detail."""

    @abc.abstractmethod
    def modes(self, source: Source, n: int) -> tuple[Tensor, Tensor]:
        """The reader's `modes` of samples(n) or reference(n): int64 (n,), confidence (n,)."""

    @abc.abstractmethod
    def generator(self, name: str, device: str = "cpu") -> torch.Generator:
        """A fresh generator seeded from the cell, the variant and this name."""

    @abc.abstractmethod
    def draw(self, n: int, *, generator: torch.Generator) -> Tensor:
        """n new samples of the model under this row's sampling options, unrounded.

        For timing: no caching, no checks. Raises NotAvailable where there are only samples.
        """
