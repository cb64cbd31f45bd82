"""Tuning's view of a data set: the test split is nowhere in it."""

from __future__ import annotations

import pytest
import torch

from benchbench.api import UsageError
from benchbench.api.data import DataInfo, Dataset, Split
from benchbench.data.held_out import on_validation


def numbered(n: int) -> Dataset:
    """Every example is a number of its own: train 0…, validation 1000…, test 2000…"""
    train, validation, test = (
        Split((start + torch.arange(float(n)))[:, None], torch.arange(n))
        for start in (0, 1000, 2000)
    )
    return Dataset(
        info=DataInfo("numbered", "points", (1,), n_train=n),
        train=train,
        validation=validation,
        test=test,
        digest="0011223344556677",
        mean=torch.zeros(1),
        std=torch.ones(1),
    )


@pytest.mark.parametrize("n", [4, 101])
def test_halves_of_validation_and_nothing_else(n: int) -> None:
    data = numbered(n)
    seen = on_validation(data)
    test, validation = (set(s.raw.flatten().tolist()) for s in (seen.test, seen.validation))
    assert not test & validation
    assert test | validation == set(data.validation.raw.flatten().tolist())
    assert abs(len(test) - len(validation)) <= 1
    assert torch.equal(seen.train.raw, data.train.raw)
    assert seen.test.labels is not None
    assert torch.equal(seen.test.raw.flatten() - 1000, seen.test.labels.float())


def test_the_same_halves_each_time_under_a_digest_of_their_own() -> None:
    data = numbered(50)
    first, second = on_validation(data), on_validation(data)
    assert torch.equal(first.test.raw, second.test.raw)
    assert first.digest == second.digest != data.digest


def test_an_ordered_split_is_mixed() -> None:
    test = on_validation(numbered(100)).test.raw.flatten()
    low = int((test < 1050).sum())
    assert 10 < low < 40


def test_too_few_examples() -> None:
    with pytest.raises(UsageError, match="has 3 validation examples"):
        on_validation(numbered(3))
