"""The single-file example, against what its docstring says."""

from __future__ import annotations

from pathlib import Path

import torch

from benchbench.api import Budget, Model
from benchbench.registry import Registry, resolve
from benchbench.runner.training import CellTraining, fit_model
from benchbench.testing.cases import Case, case

FILE = Path(__file__).parents[2] / "examples" / "pixel_gaussian.py"


def trained(given: Case, budget: str = "40step") -> tuple[Model, CellTraining]:
    entry = Registry.load([FILE]).model("pixel-gaussian")
    model = resolve(entry.spec.implementation, entry.owner)(entry.spec.config(), given.dataset.info)
    training = CellTraining(given.dataset, Budget.parse(budget), device=torch.device("cpu"), seed=0)
    training.attach(model)
    fit_model(model, training)
    return model.eval(), training


def test_samples_have_the_moments_of_the_training_split() -> None:
    given = case("signal")
    model, _ = trained(given)
    x = model.sample(20_000, generator=torch.Generator().manual_seed(0)).flatten(1)
    data = given.dataset.to_model(given.dataset.train.raw).flatten(1)
    torch.testing.assert_close(x.mean(0), data.mean(0), rtol=0, atol=0.03)
    torch.testing.assert_close(x.T.cov(), data.T.cov(), rtol=0, atol=0.05)


def test_one_pass_is_all_it_spends() -> None:
    given = case("plane")
    _, training = trained(given)
    batch_size = 1000
    assert training.ledger.total.step == len(given.dataset.train) // batch_size


def test_images_stay_in_range() -> None:
    model, _ = trained(case("image"))
    x = model.sample(500, generator=torch.Generator().manual_seed(1))
    assert x.shape == (500, 1, 8, 8)
    assert float(x.abs().max()) <= 1
