"""The flow: identities of its maps, a density that integrates to one, samples that follow it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from benchbench_flow.config import FlowConfig
from benchbench_flow.model import NormalizingFlow
from benchbench_flow.transforms import LogitMap
from torch import Tensor

from benchbench.api import Budget, DataInfo, Dataset
from benchbench.data.plugin import bench_datasets
from benchbench.runner.training import CellTraining, fit_model
from benchbench.testing.cases import case

SMALL: dict[str, Any] = {"width": 32, "depth": 1, "transforms": 2, "batch_size": 256}


def trained(dataset: Dataset, steps: int, **options: Any) -> NormalizingFlow:
    torch.manual_seed(0)
    model = NormalizingFlow(FlowConfig(**{**SMALL, **options}), dataset.info)
    budget = Budget.parse(f"{steps}step")
    training = CellTraining(dataset, budget, device=torch.device("cpu"), seed=0)
    training.attach(model)
    fit_model(model, training)
    return model.eval()


def grid25() -> Dataset:
    from benchbench.data.gaussians import load_grid25

    return load_grid25(next(spec for spec in bench_datasets() if spec.name == "grid25"))


def perturbed(info: DataInfo, **options: Any) -> NormalizingFlow:
    """Untrained, its averaged weights far from an identity."""
    torch.manual_seed(1)
    model = NormalizingFlow(FlowConfig(**{**SMALL, **options}), info).eval()
    with torch.no_grad():
        for parameter in model.ema.module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize(
    ("shape", "options"),
    [((2,), {}), ((1,), {}), ((2,), {"transform": "coupling"}), ((12,), {}), ((12,), {"bins": 0})],
)
def test_inverse_and_jacobian(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    model = perturbed(DataInfo("toy", "points", shape, 100), **options)
    # In float32 a steep spline's inverse is good to 1e-3 only.
    transform = model.double().ema.module()
    x = torch.randn(6, *shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    z, log_det = transform.call_and_ladj(x)
    torch.testing.assert_close(transform.inv(z), x, rtol=0, atol=1e-7)
    for row, value in zip(x, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda v: transform(v[None])[0], row)
        assert isinstance(jacobian, Tensor)
        assert float(torch.linalg.slogdet(jacobian)[1]) == pytest.approx(float(value), abs=1e-7)
    base = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    torch.testing.assert_close(model.log_prob(x), base + log_det)


def test_logit_and_its_jacobian() -> None:
    logit = LogitMap(levels=17, alpha=0.05)
    edge = 1 + 1 / 16
    x = torch.linspace(-edge, edge, 41, dtype=torch.float64)[:, None]
    y, log_slope = logit.forward(x)
    torch.testing.assert_close(logit.inverse(y), x)
    assert y[0].item() == pytest.approx(math.log(0.05 / 0.95))
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(logit.forward(leaf)[0].sum(), leaf)
    torch.testing.assert_close(log_slope, slope[:, 0].log())
    outside = torch.tensor([[1.5]])
    assert logit.forward(outside)[1].item() == -math.inf


def test_density_on_grid25_integrates_to_one() -> None:
    """Midpoint quadrature of a briefly trained flow, at half the modes' width."""
    model = trained(grid25(), 120)
    reach, cells = 3.0, 750
    axis = (torch.arange(cells) + 0.5) / cells * 2 * reach - reach
    total = 0.0
    with torch.no_grad():
        for row in axis.split(60):
            density = model.log_prob(torch.cartesian_prod(row, axis)).double().exp()
            total += float(density.sum())
    assert total * (2 * reach / cells) ** 2 == pytest.approx(1, abs=0.01)


def test_samples_follow_the_density() -> None:
    """−E log p over the flow's own samples is its entropy, also by quadrature."""
    model = perturbed(DataInfo("toy", "points", (2,), 100), bins=6)
    x = model.sample(10_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        own = -model.log_prob(x).double()
        axis = (torch.arange(500) + 0.5) / 500 * 12 - 6
        log_p = model.log_prob(torch.cartesian_prod(axis, axis)).double()
    entropy = -float((log_p.exp() * log_p).sum()) * (12 / 500) ** 2
    assert float(own.mean()) == pytest.approx(entropy, abs=5 * float(own.std()) / 100 + 0.005)


def test_image_density_is_of_the_dequantised_cube() -> None:
    """Importance sampling from the uniform density on the cube: the total mass is one."""
    info = DataInfo("toy", "image", (1, 1, 2), 100, levels=5)
    model = perturbed(info)
    edge = 1 + 1 / 4
    axis = (torch.arange(400) + 0.5) / 400 * 2 * edge - edge
    with torch.no_grad():
        x = torch.cartesian_prod(axis, axis).view(-1, 1, 1, 2)
        mass = float(model.log_prob(x).double().exp().sum()) * (2 * edge / 400) ** 2
    # α leaves a margin of the logit's range beyond the cube's edges, where no image is.
    assert 0.2 < mass <= 1.001
    outside = torch.full((1, 1, 1, 2), 2.0)
    assert model.log_prob(outside).item() == -math.inf


def test_training_beats_a_gaussian_on_every_kind() -> None:
    for name in ("plane", "image", "signal"):
        held = case(name)
        model = trained(held.dataset, 60)
        x = held.held_out(200)
        with torch.no_grad():
            mean = float(model.log_prob(x).mean())
        flat = held.dataset.to_model(held.dataset.train.raw).flatten(1).double()
        std = flat.std(0) + (0.08 if held.dataset.info.levels else 0.0)
        gaussian = torch.distributions.Normal(flat.mean(0), std)
        assert mean > float(gaussian.log_prob(x.flatten(1).double()).sum(1).mean())


def test_defaults_by_data() -> None:
    points = FlowConfig().settings(DataInfo("p", "points", (2,), 100))
    images = FlowConfig().settings(DataInfo("i", "image", (3, 8, 8), 100, levels=17))
    assert points.autoregressive and not images.autoregressive
    forced = FlowConfig(transform="coupling", bins=0).settings(DataInfo("p", "points", (2,), 9))
    assert not forced.autoregressive and forced.bins == 0
    model = NormalizingFlow(FlowConfig(), DataInfo("p", "points", (2,), 100))
    assert model.nfe() == 2 and model.describe()["transform"].startswith("autoregressive")
