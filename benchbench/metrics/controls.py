"""Controls: samples whose faults are known, to check the instruments on the data at hand.

    real          held-out real data: no fault
    memoriser     training examples, replayed
    collapsed     one training example with a little noise
    mode-dropper  held-out real data without a tenth of the modes or classes
    noise         uniform pixels; standard normal numbers for points and signals
    blur          held-out real data, smoothed; for points a smoothed density

Each control is drawn four times, with q examples that no other draw of the same control
has, q a fifth of the validation split (the mode-dropper must find four times q among what is
left). A score tells a control from real data if all its draws score worse than all draws of
`real`: by chance alone that has a probability of 1/C(8, 4) = 1/70.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from benchbench.api.data import Dataset, GaussianModes, LabelModes
from benchbench.api.errors import NotAvailable
from benchbench.api.seeding import seeded_generator

__all__ = ["control_samples"]

PARTS = 5
JITTER = 0.01
"""Standard deviation of the collapsed control's noise in model space."""
SMEAR = 0.1
"""Standard deviation by which points are smoothed, in standard deviations of the data."""


def control_samples(control: str, dataset: Dataset, replicate: int) -> Tensor:
    """q examples of a control in model space: (q, *shape) float32, images on their grid of levels.

    replicate: in [0, CONTROL_DRAWS). Raises NotAvailable where the data set knows no modes to drop.
    """
    held_out = dataset.validation.raw
    q = len(held_out) // PARTS
    if q < 2:
        raise NotAvailable(f"controls need a validation split of at least {2 * PARTS} examples")
    generator = seeded_generator("cpu", 0, "control", control, replicate)
    if control == "noise":
        shape = (q, *dataset.info.shape)
        if dataset.info.kind == "image":
            return dataset.quantise(2 * torch.rand(shape, generator=generator) - 1)
        return torch.randn(shape, generator=generator)
    if control == "memoriser":
        return dataset.to_model(_part(dataset.train.raw, q, replicate))
    if control == "collapsed":
        x = dataset.to_model(_part(dataset.train.raw, 1, replicate)).expand(q, *dataset.info.shape)
        noisy = x + JITTER * torch.randn(x.shape, generator=generator)
        return dataset.quantise(noisy.clamp(-1, 1) if dataset.info.kind == "image" else noisy)
    if control == "mode-dropper":
        held_out = held_out[_kept(dataset)]
    x = dataset.to_model(_part(held_out, q, replicate))
    return dataset.quantise(_blurred(x, dataset, generator)) if control == "blur" else x


def _part(rows: Tensor, q: int, replicate: int) -> Tensor:
    """The replicate's q of the rows in a fixed random order."""
    order = torch.randperm(len(rows), generator=seeded_generator("cpu", 0, "control", "order"))
    return rows[order[replicate * q : (replicate + 1) * q]]


def _kept(dataset: Dataset) -> Tensor:
    """Rows of the validation split whose mode is not among the tenth that is dropped: bool (n,)."""
    labels = dataset.validation.labels
    if isinstance(dataset.modes, GaussianModes):
        centres = dataset.modes.centres
        labels = torch.cdist(dataset.validation.raw.double(), centres).argmin(dim=1)
        count = len(centres)
    elif isinstance(dataset.modes, LabelModes) and labels is not None:
        count = dataset.modes.count
    elif labels is not None:
        count = int(labels.max()) + 1
    else:
        raise NotAvailable(f"{dataset.info.name} knows no modes or classes to drop")
    generator = seeded_generator("cpu", 0, "control", "dropped")
    dropped = torch.randperm(count, generator=generator)[: math.ceil(count / 10)]
    return ~torch.isin(labels, dropped)


def _blurred(x: Tensor, dataset: Dataset, generator: torch.Generator) -> Tensor:
    """Images and signals under a Gaussian filter of width side/16; points moved by noise."""
    if dataset.info.kind == "points":
        return x + SMEAR * torch.randn(x.shape, generator=generator)
    for axis in range(2, x.ndim):
        x = _smooth(x, axis, x.shape[axis] / 16)
    return x


def _smooth(x: Tensor, axis: int, sigma: float) -> Tensor:
    """Convolve one axis with a normal density of this width in pixels; edges are repeated."""
    reach = max(1, math.ceil(3 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
    rows = x.movedim(axis, -1)
    flat = pad(rows.reshape(-1, 1, rows.shape[-1]), (reach, reach), mode="replicate")
    smooth = conv1d(flat, (kernel / kernel.sum()).view(1, 1, -1))
    return smooth.view(rows.shape).movedim(-1, axis)
