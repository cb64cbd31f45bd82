"""log p(z) of a diffusion model through its probability-flow ODE, with the exact trace.

In u = ln σ the ODE and the change of log density along its solution are ("Score-Based Generative
Modeling through Stochastic Differential Equations", Song et al., 2021)

    dX/du = X − f(X, σ²),      d ln p_σ(X)/du = −(d − tr ∂f/∂X)
    ln p(z) = ln N(X(u_max); 0, C + σ_max² I) + ∫ (d − tr ∂f/∂X) du,   X(ln σ_min) = z

- At σ_max, Z + σ_max·ε is taken for a Gaussian with its own covariance, C that of the latents.
  The samplers start from that Gaussian too.
- The ODE starts at σ_min with z itself. p is the density at noise level σ_min, and latents are
  draws from q(z | x), so they carry noise of their own above σ_min: nothing is added to z.
- The trace is exact, from d forward-mode tangents. Hutchinson's estimate is unbiased in ln p, but
  whoever averages p itself (importance weights) would read a bias upwards.
- The trajectory costs one evaluation a stage and the trace d more, so they are not discretised
  alike: Gauss-Legendre nodes in u carry the integral, Runge-Kutta steps of fourth order the
  solution from node to node. The part of the integral that a standard normal Z would give,
  d σ²/(σ² + 1), is done in closed form, and the quadrature sees the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.func import jvp, vmap

from benchbench.api import NotAvailable
from benchbench_ldm.solvers import Denoise

__all__ = ["MAX_DIM", "Trace", "autodiff_trace", "ode_log_prob"]

MAX_DIM = 64
"""Latent dimensions up to which the exact trace is offered."""
NODES = (4.0, 12.0)
"""Gauss-Legendre nodes for each unit of ln σ: at least, and at most."""
TRACES = 96.0
"""Directional derivatives for each unit of ln σ, which sets the nodes between those limits: few
dimensions can afford to resolve the sharp splits between modes that they tend to have."""
STEP = 0.25
"""The longest Runge-Kutta step in ln σ."""
CHUNK = 512
"""Latents that are carried at once on the CPU."""
TANGENTS = 768
"""Tangents that are carried at once on the CPU: what fits its caches."""

Trace = Callable[[Tensor, Tensor], Tensor]
"""(X (n, d), σ (n,)) -> tr ∂f/∂X of every row, (n,)."""


@torch.no_grad()
def ode_log_prob(
    denoise: Denoise,
    z: Tensor,
    *,
    sigma_min: float,
    sigma_max: float,
    covariance: Tensor,
    trace: Trace | None = None,
    refine: float = 1.0,
) -> Tensor:
    """ln p(z). z: (n, d) -> (n,) nats, float32.

    denoise: f, row by row. trace: of its Jacobian; None: by torch.func.
    covariance: C, (d, d). refine: multiplies nodes and Runge-Kutta steps.
    Raises NotAvailable above MAX_DIM dimensions.
    """
    dim = z.shape[1]
    if dim > MAX_DIM:
        raise NotAvailable(
            f"exact likelihood of {dim} latent dimensions costs too much: the trace is exact up "
            f"to {MAX_DIM}, and an estimated one would bias importance weights"
        )
    if z.shape[0] == 0:
        return z.new_zeros(0)
    low, high = math.log(sigma_min), math.log(sigma_max)
    density = refine * min(max(TRACES / dim, NODES[0]), NODES[1])
    nodes = max(2, math.ceil(density * (high - low)))
    large = 1 if z.device.type == "cpu" else 64
    exact = _in_parts(trace or autodiff_trace(denoise), large * max(1, TANGENTS // dim))
    end = torch.distributions.MultivariateNormal(
        torch.zeros(dim, device=z.device, dtype=torch.float64),
        covariance.double() + sigma_max**2 * torch.eye(dim, device=z.device, dtype=torch.float64),
    )
    with torch.autocast(z.device.type, enabled=False):
        rows = []
        for x in z.float().split(large * CHUNK):
            x, integral = _integrate(denoise, exact, x, low, high, nodes, STEP / refine)
            rows.append(end.log_prob(x.double()) + integral)
    return torch.cat(rows).float()


def autodiff_trace(denoise: Denoise) -> Trace:
    """tr ∂f/∂X for any f that torch.func can differentiate."""

    def trace(x: Tensor, sigma: Tensor) -> Tensor:
        def diagonal(direction: Tensor) -> Tensor:
            along = direction.expand_as(x)
            return (jvp(lambda y: denoise(y, sigma), (x,), (along,))[1] * along).sum(dim=1)

        basis = torch.eye(x.shape[1], device=x.device, dtype=x.dtype)
        return vmap(diagonal)(basis).sum(dim=0)

    return trace


def _in_parts(trace: Trace, rows: int) -> Trace:
    def parts(x: Tensor, sigma: Tensor) -> Tensor:
        pairs = zip(x.split(rows), sigma.split(rows), strict=True)
        return torch.cat([trace(a, b) for a, b in pairs])

    return parts


def _integrate(
    denoise: Denoise, trace: Trace, x: Tensor, low: float, high: float, nodes: int, step: float
) -> tuple[Tensor, Tensor]:
    """X(u_max), (n, d), and the integral of d − tr ∂f/∂X, (n,) float64."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    half, middle, dim = (high - low) / 2, (high + low) / 2, x.shape[1]
    closed = 0.5 * dim * (math.log1p(math.exp(2 * high)) - math.log1p(math.exp(2 * low)))
    integral = torch.full((x.shape[0],), closed, device=x.device, dtype=torch.float64)
    u = low
    for point, weight in zip(points, weights, strict=True):
        then = middle + half * float(point)
        x, u = _advance(denoise, x, u, then, step), then
        sigma = math.exp(u)
        rest = dim / (sigma**2 + 1) - trace(x, x.new_full((x.shape[0],), sigma)).double()
        integral += half * float(weight) * rest
    return _advance(denoise, x, u, high, step), integral


def _advance(denoise: Denoise, x: Tensor, u: float, then: float, step: float) -> Tensor:
    """The ODE's solution from ln σ = u to `then`, by the classical Runge-Kutta method."""

    def slope(y: Tensor, at: float) -> Tensor:
        return y - denoise(y, y.new_full((y.shape[0],), math.exp(at)))

    count = math.ceil((then - u) / step)
    h = (then - u) / count
    for _ in range(count):
        k1 = slope(x, u)
        k2 = slope(x + h / 2 * k1, u + h / 2)
        k3 = slope(x + h / 2 * k2, u + h / 2)
        k4 = slope(x + h * k3, u + h)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        u += h
    return x
