"""Every check catches its broken model, and catches it alone; whole models pass them all."""

from __future__ import annotations

import pytest
import torch
from broken import BROKEN, OnTheProcessor
from models import GOOD, spec

from benchbench.api import ModelSpec
from benchbench.testing import MODEL_CHECKS, check_model

STEPS = 150
"""Enough for these models, which have three numbers to learn."""


@pytest.mark.parametrize("model", GOOD, ids=lambda s: s.name)
def test_a_model_that_keeps_the_contract_passes(model: ModelSpec) -> None:
    outcomes = check_model(model, steps=STEPS)
    assert {o.check: o.reason for o in outcomes if o.status == "failed"} == {}
    assert [o.check for o in outcomes] == [c.name for c in MODEL_CHECKS]


def test_with_every_capability_only_the_gpu_is_skipped() -> None:
    outcomes = check_model(GOOD[-1], steps=STEPS)
    skipped = {o.check for o in outcomes if o.status == "skipped"}
    assert skipped <= {"devices"}


@pytest.mark.parametrize(
    ("model", "check"), BROKEN, ids=[f"{s.name}-{c}-{i}" for i, (s, c) in enumerate(BROKEN)]
)
def test_a_broken_model_fails_its_check_alone(model: ModelSpec, check: str) -> None:
    outcomes = check_model(model, steps=STEPS)
    failed = {o.check: o.reason for o in outcomes if o.status == "failed"}
    assert list(failed) == [check], failed


def test_every_check_has_its_broken_model() -> None:
    caught = {check for _, check in BROKEN} | {"devices"}
    assert caught == {c.name for c in MODEL_CHECKS}


@pytest.mark.gpu
def test_samples_on_another_device_fail_alone() -> None:
    outcomes = check_model(spec(OnTheProcessor), steps=STEPS)
    assert torch.cuda.is_available()
    assert [o.check for o in outcomes if o.status == "failed"] == ["devices"]
