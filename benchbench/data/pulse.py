"""`pulse`: windows of a real recording of blood flow, a photoplethysmogram.

The recording is `data3.csv` of the package HeartPy (van Gent et al., "HeartPy: A novel heart rate
algorithm for the analysis of noisy signals", 2019; LICENSE: MIT, metadata: GPL): 68,475 values of
an optical sensor on a person's skin, 682 s at 100 Hz. Pairs of values are averaged to 50 Hz, and
windows of 64 (1.28 s, about one heartbeat) are cut out, one every 2 values, at whatever phase of
the beat.

Splits: the recording is cut into blocks of 1,000 values (20 s), dealt out in turn to train,
train, validation, train, test. Windows lie within a block, so none of one split shares a value
with one of another. The recording is not stationary (movement at its beginning), which the turns
spread over all splits.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import torch
from torch import Tensor

from benchbench.api import Assets, DatasetSpec, UsageError
from benchbench.api.data import DataInfo, Dataset, Split
from benchbench.api.tensors import digest_tensors
from benchbench.data.pulse_file import where_pulse

__all__ = ["load_pulse", "windows"]

SHA256 = "16eedaa7c97c6ca873e7e424d27a84dcd043d4eca0e4f7611d2a37969192b7ea"
BLOCK, LENGTH, STRIDE = 1000, 64, 2
TURNS = ("train", "train", "validation", "train", "test")


def load_pulse(spec: DatasetSpec, assets: Assets | None = None) -> Dataset:
    """Windows (n, 1, 64) float32 in units of the sensor, at 50 Hz."""
    series = _recording(where_pulse(spec, assets or Assets()))
    blocks = series[: len(series) // BLOCK * BLOCK].view(-1, BLOCK)
    dealt: dict[str, list[Tensor]] = {name: [] for name in TURNS}
    for turn, block in enumerate(blocks):
        dealt[TURNS[turn % len(TURNS)]].append(windows(block))
    splits = {name: _shuffled(torch.cat(parts)) for name, parts in dealt.items()}
    values = splits["train"].raw.double()
    mean, std = (v.float().reshape(1, 1) for v in (values.mean(), values.std()))
    return Dataset(
        info=DataInfo(spec.name, spec.kind, spec.shape, n_train=len(splits["train"])),
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        digest=digest_tensors(*(splits[n].raw for n in sorted(splits)), mean, std),
        mean=mean,
        std=std,
    )


def windows(block: Tensor) -> Tensor:
    """Every window of a block of values: (b,) -> (n, 1, LENGTH)."""
    return block.unfold(0, LENGTH, STRIDE).unsqueeze(1)


def _shuffled(rows: Tensor) -> Split:
    """A fixed random order: metrics take the first examples, which should be no neighbours."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    return Split(rows[order].contiguous())


def _recording(path: Path | None) -> Tensor:
    """The recording at 50 Hz, (n,) float32; raises UsageError where its file is not here."""
    if path is None:
        raise UsageError(
            "data set 'pulse' is a recording that the package HeartPy ships, which is not "
            "installed: pip install 'heartpy==1.2.7'"
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise UsageError(
            f"{str(path)!r} is not the recording of HeartPy 1.2.7 (SHA-256 {found[:12]}…, wanted "
            f"{SHA256[:12]}…); pip install --force-reinstall 'heartpy==1.2.7'"
        )
    rows = csv.DictReader(content.decode("ascii").splitlines())
    values = torch.tensor([float(row["hr"]) for row in rows])
    return values[: len(values) // 2 * 2].view(-1, 2).mean(dim=1)
