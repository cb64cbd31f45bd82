"""Every built-in model, trained by the harness: on CUDA where there is one, in bfloat16 anywhere,
and in the same bits again on the CPU."""

from __future__ import annotations

import pytest
import torch

from benchbench.api import Budget
from benchbench.api.data import Dataset
from benchbench.api.model import Model
from benchbench.api.seeding import seeded_generator
from benchbench.metrics.evaluation import check_samples
from benchbench.registry import Registry, resolve
from benchbench.runner.training import CellTraining, fit_model

REGISTRY = Registry.load()
MODELS = sorted(
    name
    for name, entry in REGISTRY.models.items()
    if entry.owner == "benchbench" and not entry.spec.external
)
SERVED = [
    (model, dataset)
    for model in MODELS
    for dataset in ("grid25", "digits")
    if REGISTRY.dataset(dataset).spec.kind in REGISTRY.model(model).spec.kinds
]


def load(name: str) -> Dataset:
    entry = REGISTRY.dataset(name)
    return resolve(entry.spec.implementation, entry.owner)(entry.spec, None)


def train(model: str, dataset: Dataset, device: str, precision: str) -> Model:
    entry = REGISTRY.model(model)
    training = CellTraining(dataset, Budget.parse("40step"), device=torch.device(device), seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        build = resolve(entry.spec.implementation, entry.owner)
        trained = build(entry.spec.config(), dataset.info)
    training.attach(trained)
    fit_model(trained, training, precision=precision)
    assert training.ledger.total.step == 40
    return trained


@torch.no_grad()
def sample(model: Model, device: str) -> torch.Tensor:
    return model.sample(64, generator=seeded_generator(device, 0, "test"))


@pytest.mark.parametrize(("model", "dataset"), SERVED)
def test_the_same_bits_again(model: str, dataset: str) -> None:
    data = load(dataset)
    first, second = (sample(train(model, data, "cpu", "float32"), "cpu") for _ in range(2))
    check_samples(first, data, model, n=64)
    assert torch.equal(first, second)


@pytest.mark.parametrize("model", MODELS)
def test_bfloat16_autocast_trains_and_samples(model: str) -> None:
    """The precision that CUDA trains in, on the CPU: no operation refuses it."""
    data = load("digits")
    trained = train(model, data, "cpu", "bfloat16")
    check_samples(sample(trained, "cpu"), data, model, n=64)
    assert all(p.dtype == torch.float32 for p in trained.parameters())


@pytest.mark.gpu
@pytest.mark.parametrize(("model", "dataset"), SERVED)
def test_cuda_trains_and_samples(model: str, dataset: str) -> None:
    data = load(dataset)
    trained = train(model, data, "cuda", "bfloat16")
    x = sample(trained, "cuda")
    assert x.device.type == "cuda"
    check_samples(x, data, model, n=64)
