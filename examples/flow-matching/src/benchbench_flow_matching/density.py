"""The density of the flow, by the instantaneous change of variables with the exact trace.

In the angle θ = arctan(t/(1 − t)) the flow is dy/dθ = F(y, θ) from y(0) ~ N(0, I) to y(π/2) = x
(`velocity.py`), so

    ln p(x) = ln N(y(0); 0, I) − ∫_0^{π/2} tr ∂F/∂y dθ

("Neural Ordinary Differential Equations", Chen et al., 2018). Modes narrower than the noise act
near θ = π/2; with θ = π/2 (1 − (1 − w)³) they have their share of w in [0, 1]. Gauss-Legendre nodes
in w carry the integral, one Runge-Kutta step of fourth order the solution from node to node.

The trace is exact, from d forward-mode tangents: an estimate by random vectors is unbiased in ln p
only, and a declared log_prob is no estimate.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from benchbench.api import NotAvailable
from torch import Tensor
from torch.func import jvp, vmap

from benchbench_flow_matching.velocity import VelocityField

__all__ = ["MAX_DIM", "log_density"]

MAX_DIM = 64
"""Length of a vector up to which the exact trace is offered."""
NODES = {8: 96, MAX_DIM: 32}
"""Nodes of the integral for vectors up to a length: a trace costs an evaluation a dimension."""
ROWS = 4096
"""Rows times dimensions that are carried at once."""
CROWDING = 3


@torch.no_grad()
def log_density(field: VelocityField, x: Tensor, *, refine: int = 1) -> Tensor:
    """ln p(x) of data in deviations: (n, d) -> (n,) nats, float64.

    refine: multiplies the number of nodes. Raises NotAvailable above MAX_DIM numbers.
    """
    dim = x.shape[1]
    if dim > MAX_DIM:
        raise NotAvailable(
            f"the exact density of {dim} numbers costs too much: its trace is exact up to "
            f"{MAX_DIM}, and an estimated one would not be a density"
        )
    nodes = refine * next(count for length, count in NODES.items() if dim <= length)
    points, weights = np.polynomial.legendre.leggauss(nodes)
    rule = [((1 + float(p)) / 2, float(w) / 2) for p, w in zip(points, weights, strict=True)][::-1]
    rows = [_log_density(field, part, rule) for part in x.split(max(1, ROWS // dim))]
    return torch.cat(rows) if rows else x.new_zeros(0, dtype=torch.float64)


def _log_density(field: VelocityField, y: Tensor, rule: list[tuple[float, float]]) -> Tensor:
    """Backwards from the data. y: (n, d); rule: nodes w and their weights, descending in w."""
    integral = torch.zeros(len(y), dtype=torch.float64, device=y.device)
    w = 1.0
    for node, weight in rule:
        y, w = _runge_kutta(field, y, w, node), node
        integral += weight * _speed(w) * _trace(field, y, w).double()
    y = _runge_kutta(field, y, w, 0.0).double()
    normal = -0.5 * y.square().sum(1) - 0.5 * y.shape[1] * math.log(2 * math.pi)
    return normal - integral


def _time(w: float) -> float:
    """t at w."""
    theta = math.pi / 2 * (1 - (1 - w) ** CROWDING)
    return math.sin(theta) / (math.sin(theta) + math.cos(theta))


def _speed(w: float) -> float:
    """dθ/dw."""
    return math.pi / 2 * CROWDING * (1 - w) ** (CROWDING - 1)


def _slope(field: VelocityField, y: Tensor, w: float) -> Tensor:
    """dy/dw."""
    return _speed(w) * field.rotation(y, y.new_full((len(y), 1), _time(w)))


def _runge_kutta(field: VelocityField, y: Tensor, w: float, then: float) -> Tensor:
    h = then - w
    k1 = _slope(field, y, w)
    k2 = _slope(field, y + h / 2 * k1, w + h / 2)
    k3 = _slope(field, y + h / 2 * k2, w + h / 2)
    k4 = _slope(field, y + h * k3, then)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _trace(field: VelocityField, y: Tensor, w: float) -> Tensor:
    """tr ∂F/∂y of every row, (n,)."""
    t = y.new_full((len(y), 1), _time(w))

    def diagonal(direction: Tensor) -> Tensor:
        along = direction.expand_as(y)
        return (jvp(lambda z: field.rotation(z, t), (y,), (along,))[1] * along).sum(1)

    return vmap(diagonal)(torch.eye(y.shape[1], device=y.device, dtype=y.dtype)).sum(0)
