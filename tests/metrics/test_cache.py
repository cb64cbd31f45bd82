"""A statistic is read back as it was written, or made again; never half of one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchbench.metrics import cache, moments
from benchbench.metrics.cache import StatisticCache, source_digest

KEY = {"statistic": "moments", "n": 3}


class Maker:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, Tensor]:
        self.calls += 1
        return {"mean": torch.arange(3.0), "scatter": torch.eye(3, dtype=torch.float64).T}


def the_file(folder: Path) -> Path:
    (path,) = (folder / "statistics").iterdir()
    return path


def test_made_once_and_read_back(tmp_path: Path) -> None:
    make = Maker()
    for _ in range(3):
        found = StatisticCache(tmp_path).get(KEY, make)
        assert all(torch.equal(found[name], value) for name, value in Maker()().items())
    assert make.calls == 1


def test_every_part_of_the_key_counts(tmp_path: Path) -> None:
    make, kept = Maker(), StatisticCache(tmp_path)
    for key in (KEY, KEY | {"n": 4}, KEY | {"extractor": "a"}, KEY | {"extractor": "b"}):
        kept.get(key, make)
    assert make.calls == 4


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "swap"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    make, kept = Maker(), StatisticCache(tmp_path)
    kept.get(KEY, make)
    path = the_file(tmp_path)
    whole = path.read_bytes()
    other = StatisticCache(tmp_path / "other")
    other.get(KEY | {"n": 4}, Maker())
    damaged = {
        "cut": whole[:-5],
        "flip": whole[:-1] + bytes([whole[-1] ^ 1]),  # still readable: the checksum tells
        "empty": b"",
        "text": b"not safetensors",
        "swap": the_file(tmp_path / "other").read_bytes(),  # whole, of another key
    }[damage]
    path.write_bytes(damaged)
    found = kept.get(KEY, make)
    assert make.calls == 2
    assert torch.equal(found["mean"], torch.arange(3.0))
    assert torch.equal(kept.get(KEY, make)["mean"], torch.arange(3.0))
    assert make.calls == 2


def test_no_folder_keeps_nothing_and_one_that_cannot_be_written_does_not_stop(
    tmp_path: Path,
) -> None:
    make = Maker()
    for _ in range(2):
        StatisticCache(None).get(KEY, make)
    (tmp_path / "file").write_text("in the way")
    assert "mean" in StatisticCache(tmp_path / "file").get(KEY, make)
    assert make.calls == 3


def test_source_digest_tells_modules_apart() -> None:
    assert source_digest(cache) == source_digest(cache)
    assert len({source_digest(cache), source_digest(moments), source_digest(cache, moments)}) == 3
