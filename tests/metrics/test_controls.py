"""Controls: each has the fault that its name says, and no other."""

from __future__ import annotations

import pytest
import torch

from benchbench.api import CONTROL_DRAWS, CONTROLS, Assets, NotAvailable
from benchbench.api.data import DataInfo, Dataset, Split
from benchbench.metrics.controls import control_samples
from benchbench.registry import Registry


@pytest.fixture(scope="module")
def grid() -> Dataset:
    return Registry.load().load_dataset("grid25", Assets())


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return Registry.load().load_dataset("digits", Assets())


def rows(x: torch.Tensor) -> set[bytes]:
    return {row.numpy().tobytes() for row in x}


@pytest.mark.parametrize("control", CONTROLS)
def test_draws_are_alike_in_size_and_differ(control: str, digits: Dataset) -> None:
    q = len(digits.validation) // 5
    draws = [control_samples(control, digits, k) for k in range(CONTROL_DRAWS)]
    for x in draws:
        assert x.shape == (q, 1, 8, 8)
        assert x.dtype == torch.float32
        assert torch.equal(x, digits.quantise(x))
    assert len({x.numpy().tobytes() for x in draws}) == CONTROL_DRAWS
    assert torch.equal(draws[1], control_samples(control, digits, 1))


def test_real_and_memoriser_show_each_example_once(grid: Dataset) -> None:
    for control, split in (("real", grid.validation), ("memoriser", grid.train)):
        draws = [control_samples(control, grid, k) for k in range(CONTROL_DRAWS)]
        shown = rows(torch.cat(draws))
        assert len(shown) == sum(map(len, draws))
        assert shown <= rows(grid.to_model(split.raw))


def test_collapsed_is_one_example(grid: Dataset) -> None:
    x = control_samples("collapsed", grid, 0)
    assert x.std(dim=0).max() < 0.011
    nearest = torch.cdist(x.mean(dim=0, keepdim=True), grid.to_model(grid.train.raw)).min()
    assert nearest < 0.01


def test_mode_dropper_lacks_a_tenth_and_keeps_the_rest(grid: Dataset, digits: Dataset) -> None:
    raw = grid.to_raw(control_samples("mode-dropper", grid, 0)).double()
    seen = torch.cdist(raw, grid.modes.centres).argmin(dim=1).unique()  # type: ignore[union-attr]
    assert len(seen) == 22  # 25 less a tenth, rounded up
    x = control_samples("mode-dropper", digits, 0)
    labels = {r: int(y) for r, y in zip(rows_of(digits), digits.validation.labels, strict=True)}  # type: ignore[arg-type]
    assert len({labels[row] for row in rows(x)}) == 9


def rows_of(data: Dataset) -> list[bytes]:
    return [row.numpy().tobytes() for row in data.to_model(data.validation.raw)]


def test_blur_keeps_the_mean_and_loses_contrast(digits: Dataset) -> None:
    sharp, soft = (control_samples(c, digits, 0) for c in ("real", "blur"))
    assert soft.mean().sub(sharp.mean()).abs() < 0.05
    slope = [x.diff(dim=3).abs().mean() for x in (sharp, soft)]
    assert slope[1] < 0.9 * slope[0]


def test_blur_of_a_constant_image_is_that_image() -> None:
    raw = torch.full((20, 1, 16, 16), 7, dtype=torch.uint8)
    split = Split(raw)
    info = DataInfo("flat", "image", (1, 16, 16), 20, levels=17)
    data = Dataset(info, split, split, split, digest="flat")
    assert torch.equal(control_samples("blur", data, 0), data.to_model(raw[:4]))


def test_without_known_modes_none_can_be_dropped() -> None:
    split = Split(torch.zeros(20, 2))
    info = DataInfo("plain", "points", (2,), 20)
    one = torch.ones(2)
    data = Dataset(info, split, split, split, digest="plain", mean=0 * one, std=one)
    with pytest.raises(NotAvailable, match="plain knows no modes"):
        control_samples("mode-dropper", data, 0)
