"""What is timed: one computation, ours and each peer's, on the same arrays, with its agreement.

A peer is imported where it is called, so that this module loads without the extra `bench-peers`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchbench.metrics.kid import kernel_distance
from benchbench.metrics.moments import Moments, frechet_distance
from benchbench.metrics.prdc import prdc
from benchbench.metrics.vendi import vendi_score

__all__ = ["CASES", "PACKAGES", "Case"]

Values = dict[str, float]
Runner = Callable[[Any], Values]

PACKAGES = {
    "prdc": "prdc",
    "torch-fidelity": "torch_fidelity",
    "torchmetrics": "torchmetrics",
    "pytorch-fid": "pytorch_fid",
    "vendi-score": "vendi_score",
}
"""The module that a peer's distribution installs."""


@dataclass(frozen=True)
class Case:
    """One row of the table for each runner.

    shape: (rows of each side, features); small: the same computation in a normal test run.
    make: the inputs of a shape. runners: `ours` first. tolerance: absolute, of every value that
        both give; relative: the tolerance is relative instead.
    """

    name: str
    shape: tuple[int, int]
    small: tuple[int, int]
    make: Callable[[tuple[int, int]], Any]
    runners: Mapping[str, Runner]
    tolerance: float = 1e-4
    relative: bool = False
    asked: Mapping[str, str] = field(default_factory=dict)


def two_sets(shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Real and generated features, float32 (n, f), of slightly different width."""
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(shape, generator=generator) for _ in range(2))
    return real, 0.99 * fake + 0.01


def two_gaussians(shape: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Means (f,) and covariances (f, f) of two sets, float64."""
    real, fake = two_sets(shape)
    fake = fake * torch.linspace(0.5, 2, shape[1])
    a, b = Moments.of(real), Moments.of(fake)
    return a.mean, a.covariance, b.mean, b.covariance


def _prdc_ours(x: tuple[Tensor, Tensor]) -> Values:
    found = prdc(*x, k=5, k_density=5)
    names = ("precision", "recall", "density", "coverage")
    return {name: getattr(found, name) for name in names}


def _prdc_peer(x: tuple[Tensor, Tensor]) -> Values:
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        found = compute_prdc(x[0].numpy(), x[1].numpy(), 5)
    return {name: float(value) for name, value in found.items()}


def _prc_torch_fidelity(x: tuple[Tensor, Tensor]) -> Values:
    from torch_fidelity.metric_prc import prc_features_to_metric

    options = {"prc_batch_size": 10_000, "save_cpu_ram": False, "verbose": False}
    found = prc_features_to_metric(x[1], x[0], prc_neighborhood=5, **options)
    return {name: found[name] for name in ("precision", "recall")}


def _frechet_ours(x: tuple[Tensor, Tensor, Tensor, Tensor]) -> Values:
    return {"fid": frechet_distance(*x)}


def _frechet_torch_fidelity(x: tuple[Tensor, Tensor, Tensor, Tensor]) -> Values:
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    sides = [{"mu": m.numpy(), "sigma": s.numpy()} for m, s in (x[:2], x[2:])]
    return {"fid": fid_statistics_to_metric(*sides, False)["frechet_inception_distance"]}


def _frechet_torchmetrics(x: tuple[Tensor, Tensor, Tensor, Tensor]) -> Values:
    from torchmetrics.image.fid import _compute_fid

    return {"fid": float(_compute_fid(*x))}


def _frechet_pytorch_fid(x: tuple[Tensor, Tensor, Tensor, Tensor]) -> Values:
    from pytorch_fid.fid_score import calculate_frechet_distance

    return {"fid": float(calculate_frechet_distance(*(part.numpy() for part in x)))}


def _few_ours(x: tuple[Tensor, Tensor]) -> Values:
    return {"fid": Moments.of(x[0]).frechet(Moments.of(x[1]))}


def _few_torch_fidelity(x: tuple[Tensor, Tensor]) -> Values:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    sides = [fid_features_to_statistics(z) for z in x]
    return {"fid": fid_statistics_to_metric(*sides, False)["frechet_inception_distance"]}


def _kid_ours(x: tuple[Tensor, Tensor]) -> Values:
    return {"kid": kernel_distance(*x).value}


def _kid_torch_fidelity(x: tuple[Tensor, Tensor]) -> Values:
    """One subset of all rows is the estimate from all rows."""
    from torch_fidelity.metric_kid import kid_features_to_metric

    x = (x[0].double(), x[1].double())
    options = {"kid_subsets": 1, "kid_subset_size": len(x[0]), "verbose": False, "rng_seed": 0}
    return {"kid": kid_features_to_metric(*x, **options)["kernel_inception_distance_mean"]}


def _vendi_ours(x: tuple[Tensor, Tensor]) -> Values:
    return {"vendi": vendi_score(x[0])}


def _vendi_peer(x: tuple[Tensor, Tensor]) -> Values:
    from vendi_score import vendi

    return {"vendi": float(vendi.score_dual(x[0].double().numpy()))}


_PRDC = {"ours": _prdc_ours, "prdc": _prdc_peer, "torch-fidelity": _prc_torch_fidelity}

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case(
            "prdc 10000x2048",
            (10_000, 2048),
            (300, 300),
            two_sets,
            _PRDC,
            asked={"prdc": "3.5x, 20 %", "torch-fidelity": "1.5x, 20 %"},
        ),
        Case(
            "prdc 10000x64",
            (10_000, 64),
            (300, 64),
            two_sets,
            _PRDC,
            asked={"prdc": "5x, 8 %", "torch-fidelity": "5x, 8 %"},
        ),
        Case(
            "frechet 2048",
            (5_000, 2048),
            (300, 60),
            two_gaussians,
            {
                "ours": _frechet_ours,
                "torch-fidelity": _frechet_torch_fidelity,
                "torchmetrics": _frechet_torchmetrics,
                "pytorch-fid": _frechet_pytorch_fid,
            },
            tolerance=1e-6,
            relative=True,
            asked={"torch-fidelity": "2.5x", "torchmetrics": "2.5x", "pytorch-fid": "10x"},
        ),
        Case(
            "frechet 1000x2048",
            (1_000, 2048),
            (30, 60),
            two_sets,
            {"ours": _few_ours, "torch-fidelity": _few_torch_fidelity},
            tolerance=1e-6,
            relative=True,
            asked={"torch-fidelity": "10x"},
        ),
        Case(
            "kid 5000x2048",
            (5_000, 2048),
            (200, 40),
            two_sets,
            {"ours": _kid_ours, "torch-fidelity": _kid_torch_fidelity},
            tolerance=1e-9,
        ),
        Case(
            "vendi 5000x2048",
            (5_000, 2048),
            (200, 40),
            two_sets,
            {"ours": _vendi_ours, "vendi-score": _vendi_peer},
            tolerance=1e-9,
            relative=True,
        ),
        Case(
            "prdc 50000x2048",
            (50_000, 2048),
            (400, 300),
            two_sets,
            {"ours": _prdc_ours},
            asked={"ours": "under 2 GiB"},
        ),
    )
}
