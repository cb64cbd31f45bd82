"""Every check of a data set catches its broken one, alone; whole data sets pass them all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from broken_datasets import BROKEN, GOOD, SIZES, assembled, drawn, spec
from PIL import Image

from benchbench.api import Assets, DatasetSpec
from benchbench.registry import Registry
from benchbench.testing import (
    DATASET_CHECKS,
    Breach,
    check_dataset,
    dataset_checks,
    dataset_kit,
)

BUILT_IN = ("ring8", "grid25", "digits", "stacked-digits")


@pytest.mark.parametrize("dataset", GOOD, ids=lambda s: s.extractor or s.kind)
def test_a_data_set_that_keeps_the_contract_passes(dataset: DatasetSpec) -> None:
    outcomes = check_dataset(dataset)
    assert {o.check: o.reason for o in outcomes if o.status == "failed"} == {}
    assert [o.check for o in outcomes] == [c.name for c in DATASET_CHECKS]


def test_together_they_leave_no_check_out() -> None:
    passed = {o.check for s in GOOD for o in check_dataset(s) if o.status == "passed"}
    assert passed == {c.name for c in DATASET_CHECKS}


@pytest.mark.parametrize(
    ("dataset", "check"), [b[1:] for b in BROKEN], ids=[b[0].replace(" ", "-") for b in BROKEN]
)
def test_a_broken_data_set_fails_its_check_alone(dataset: DatasetSpec, check: str) -> None:
    limit = {"seconds": 0.5} if "never" in dataset.implementation.__name__ else {}  # type: ignore[union-attr]
    outcomes = check_dataset(dataset, **limit)
    failed = {o.check: o.reason for o in outcomes if o.status == "failed"}
    assert list(failed) == [check], failed


def test_every_check_has_its_broken_data_set() -> None:
    assert {check for _, _, check in BROKEN} == {c.name for c in DATASET_CHECKS}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_data_sets_pass(name: str) -> None:
    outcomes = check_dataset(name)
    assert {o.check: o.reason for o in outcomes if o.status == "failed"} == {}
    assert next(o.status for o in outcomes if o.check == "load") == "passed"


def test_the_recording_passes_where_it_is_installed() -> None:
    if Registry.load().where("pulse", Assets()) == "not here":
        pytest.skip("heartpy is not installed")
    outcomes = check_dataset("pulse")
    assert {o.check: o.reason for o in outcomes if o.status == "failed"} == {}


def test_a_folder_of_images_passes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for i in range(200):
        pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    outcomes = check_dataset(f"folder:{tmp_path}?size=8", assets=Assets(cache=tmp_path / "cache"))
    assert {o.check: o.reason for o in outcomes if o.status == "failed"} == {}
    why = {o.check: o.reason for o in outcomes if o.status == "skipped"}
    assert "inception" in why["extractor"]  # its weights are not here


def test_files_that_are_not_here_are_no_failure(tmp_path: Path) -> None:
    outcomes = check_dataset("mnist", assets=Assets(cache=tmp_path))
    assert [o.check for o in outcomes if o.status == "passed"] == ["declared"]
    assert all("mnist is not here" in o.reason for o in outcomes if o.check != "declared")


def test_parameters_for_pytest() -> None:
    broken = {name: s for name, s, _ in BROKEN}
    found = dataset_checks(broken["leaks"], expected_failures={"disjoint": "published so"})
    assert [p.id for p in found] == [c.name for c in DATASET_CHECKS]
    by_name: dict[str, Callable[[], None]] = {str(p.id): p.values[0] for p in found}
    by_name["stored"]()
    with pytest.raises(Breach, match="1 of 600 examples of the test split are in the train split"):
        by_name["disjoint"]()
    kit = dataset_kit(broken["leaks"], expected_failures={"disjoint": "published so"})
    assert kit.outcome("disjoint").status == "expected"


def test_coincidence_is_no_leak() -> None:
    """Coarse points meet within the training split as often as across."""

    def coarse(spec: DatasetSpec, assets: Assets) -> object:
        generator = torch.Generator().manual_seed(0)
        splits = [drawn(n, generator) for n in SIZES]
        rounded = [type(s)((10 * s.raw).round() / 10, s.labels) for s in splits]
        return assembled(spec, rounded)

    (outcome,) = check_dataset(spec(coarse), only=["disjoint"])
    assert (outcome.status, outcome.reason) == ("passed", "")
