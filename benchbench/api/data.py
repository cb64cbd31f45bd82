"""Data sets and the two spaces they live in.

Model space is what a model sees, one space for every data set of a kind:
    points   float32 (n, d), standardised by mean and standard deviation of the training split
    image    float32 (n, C, H, W) in [−1, 1]: level l of L becomes 2·l/(L − 1) − 1
    signal   float32 (n, C, T), standardised like points
Data space is what a likelihood is stated in: the original units for points and signals, and for
images the continuous pixel (l + u)/L in [0, 1], u ~ U[0, 1) (Wu et al., "On the Quantitative
Analysis of Decoder-Based Generative Models", 2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from benchbench.api.specs import Kind

__all__ = ["DataInfo", "Dataset", "GaussianModes", "LabelModes", "Split"]

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class DataInfo:
    """What a model may know of its data before it sees any.

    shape: of one example, without the batch axis.
    levels: the number of grey levels of an image data set, else None.
    n_train: the number of training examples.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    n_train: int
    levels: int | None = None

    @property
    def dim(self) -> int:
        """Numbers in one example."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Split:
    """One split as stored.

    raw: uint8 (n, C, H, W) levels for images; float32 (n, d) or (n, C, T) in original units.
    labels: int64 (n,) class or mode of each example, or None.
    """

    raw: Tensor
    labels: Tensor | None = None

    def __len__(self) -> int:
        return self.raw.shape[0]


@dataclass(frozen=True)
class GaussianModes:
    """Modes that are known Gaussians, in original units.

    centres: (m, d) float64; sigma: the standard deviation of each, isotropic.
    """

    centres: Tensor
    sigma: float


@dataclass(frozen=True)
class LabelModes:
    """Modes that are labels read by the data set's extractor.

    count: number of modes; the extractor's `modes` gives each example's mode in [0, count).
    """

    count: int


@dataclass(frozen=True)
class Dataset:
    """A loaded data set: three splits, the map to model space, and what is known of the truth.

    mean, std: float32, of shape `info.shape` or broadcastable: the standardisation of points and
        signals; ignored for images.
    modes: the known modes, or None.
    log_prob: exact log density of raw examples in original units, (n, …) -> (n,) nats, where the
        data set is a known distribution; else None.
    digest: hash of everything above; part of every training key.
    notes: lines for the user, such as on files that were refused; told once a run.
    """

    info: DataInfo
    train: Split
    validation: Split
    test: Split
    digest: str
    mean: Tensor | None = None
    std: Tensor | None = None
    modes: GaussianModes | LabelModes | None = None
    log_prob: Callable[[Tensor], Tensor] | None = None
    notes: tuple[str, ...] = ()

    def split(self, name: SplitName) -> Split:
        """The split of this name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def to_model(self, raw: Tensor) -> Tensor:
        """Stored examples in model space: float32, same shape, on the same device."""
        half = self._half
        if half is not None:
            return raw.to(torch.float32, copy=True).sub_(half).mul_(1 / half)
        assert self.mean is not None and self.std is not None
        return (raw - self.mean.to(raw.device)) / self.std.to(raw.device)

    def to_raw(self, x: Tensor) -> Tensor:
        """Model space back to stored form: rounded, clamped uint8 levels, or original units."""
        half = self._half
        if half is not None:
            return self._centred_levels(x, half).add_(half).to(torch.uint8)
        assert self.mean is not None and self.std is not None
        return x * self.std.to(x.device) + self.mean.to(x.device)

    def quantise(self, x: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Model space rounded to what the data set can store, as saving a file would do.

        out: where to write it, of the shape of x; left out: a new tensor, or x where nothing is
        rounded.
        """
        half = self._half
        if half is None:
            return x if out is None else out.copy_(x)
        return self._centred_levels(x, half, out).mul_(1 / half)

    @property
    def _half(self) -> float | None:
        """Half the top level of an image, which is 0 in model space; None for other data."""
        return None if self.info.levels is None else (self.info.levels - 1) / 2

    @staticmethod
    def _centred_levels(x: Tensor, half: float, out: Tensor | None = None) -> Tensor:
        """Images in model space as levels − half, float32: whole numbers, or halves in between."""
        levels = torch.mul(x, half, out=out)
        if half % 1:
            levels.floor_().add_(0.5)
        else:
            levels.round_()
        return levels.clamp_(-half, half)

    def dequantise(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """Add uniform noise of one level's width to quantised images; points stay as they are.

        x: (n, …) in model space, on the grid of levels. The result is a continuous variable
        in [−1 − 1/(L−1), 1 + 1/(L−1)].
        """
        if self.info.levels is None:
            return x
        step = 2 / (self.info.levels - 1)
        u = torch.rand(x.shape, generator=generator, device=generator.device, dtype=torch.float64)
        return x + (u.to(x.device, x.dtype) - 0.5) * step

    @property
    def log_jacobian(self) -> float:
        """log |d model space / d data space| in nats: log p_data(x) = log p_model(x) + this.

        Data space is [0, 1] pixels for images, original units else.
        """
        if self.info.levels is not None:
            # model = 2·l/(L−1) − 1 and data = (l + u)/L, so d model/d data = 2·L/(L−1).
            levels = self.info.levels
            return self.info.dim * math.log(2 * levels / (levels - 1))
        assert self.std is not None
        return -float(self.std.double().log().expand(self.info.shape).sum())

    def bits_per_dim(self, nll_nats: float) -> float:
        """Bits per dimension of an image's discrete levels from nats in [0, 1] pixel space.

        p(levels) >= density · L^−D, the uniform-dequantisation bound (Theis et al., "A note on
        the evaluation of generative models", 2016).
        """
        if self.info.levels is None:
            raise ValueError("bits per dimension are defined for images only")
        return (nll_nats / self.info.dim + math.log(self.info.levels)) / math.log(2)
