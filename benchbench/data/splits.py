"""Validation rows out of a published training split, and image data sets from their splits."""

from __future__ import annotations

import torch

from benchbench.api import DatasetSpec
from benchbench.api.data import DataInfo, Dataset, LabelModes, Split
from benchbench.api.tensors import digest_tensors

__all__ = ["hold_out", "image_dataset"]


def hold_out(split: Split, n: int) -> tuple[Split, Split]:
    """The split without n rows, and those rows: stratified by label, fixed, in stored order.

    Each class is shuffled; its i-th of m rows gets the place (i + ½)/m, and the n first places
    are held out, so that every class gives its share to within one row.
    """
    assert split.labels is not None
    generator = torch.Generator().manual_seed(0)
    place = torch.empty(len(split), dtype=torch.float64)
    for label in split.labels.unique():
        rows = (split.labels == label).nonzero().squeeze(1)
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        place[shuffled] = (torch.arange(len(rows), dtype=torch.float64) + 0.5) / len(rows)
    held = torch.zeros(len(split), dtype=torch.bool)
    held[place.argsort(stable=True)[:n]] = True
    return (
        Split(split.raw[~held], split.labels[~held]),
        Split(split.raw[held], split.labels[held]),
    )


def image_dataset(
    spec: DatasetSpec,
    splits: dict[str, Split],
    *,
    levels: int,
    modes: int | None,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """The data set of three splits of images.

    modes: the number of labels that the spec's extractor reads, or None where it reads none.
    """
    tensors = [t for split in splits.values() for t in (split.raw, split.labels)]
    return Dataset(
        info=DataInfo(spec.name, spec.kind, spec.shape, len(splits["train"]), levels=levels),
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        digest=digest_tensors(*tensors),
        modes=LabelModes(modes) if modes else None,
        notes=notes,
    )
