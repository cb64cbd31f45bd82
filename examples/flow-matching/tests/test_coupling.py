"""Couplings: every example keeps one noise, and minibatch-ot finds the cheapest pairs."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from benchbench_flow_matching.coupling import paired


def batch(n: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    return torch.randn(n, 3, generator=generator), torch.randn(n, 3, generator=generator)


def cost(noise: Tensor, x: Tensor) -> float:
    """Σ ‖x − noise‖²."""
    return float((x - noise).square().sum())


def test_independent_pairs_stay_as_they_are() -> None:
    noise, x = batch(4)
    assert paired(noise, x, "independent") is noise


def test_optimal_pairs_are_the_best_of_all_permutations() -> None:
    noise, x = batch(5)
    best = min(cost(noise[list(order)], x) for order in itertools.permutations(range(5)))
    assert cost(paired(noise, x, "minibatch-ot"), x) == pytest.approx(best)


def test_optimal_pairs_use_every_noise_once() -> None:
    noise, x = batch(64)
    found = paired(noise, x, "minibatch-ot")
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, noise.tolist()))
    assert cost(found, x) < cost(noise, x)


def test_in_one_dimension_optimal_pairs_are_sorted_alike() -> None:
    noise, x = (rows[:, :1] for rows in batch(32))
    found = paired(noise, x, "minibatch-ot")
    assert torch.equal(found[:, 0].argsort(), x[:, 0].argsort())
