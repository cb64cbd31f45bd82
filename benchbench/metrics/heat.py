"""The forward process as physics: particles that it moves against the heat equation.

    ∂u/∂t = ½ Δu,   u(x, 0) = 2^{−k} on the cube [−1, 1]^k, 0 outside

has the solution u(x, t) = Π_j ½ [Φ((x_j + 1)/√t) − Φ((x_j − 1)/√t)], since its kernel is N(0, t I).
n particles start on the cube and X = Z + sqrt(t) ε moves them; the model's own `add_noise` does
it, in the first k of its d dimensions, k = 1 and 2. With p_c the solution's mass of cell c and
h_c the share of particles found there (all that left the grid make one cell),

    heat_error = sqrt(mean over repeats of Σ_c (h_c − p_c)²)

whose square is (1 − Σ p_c²)/n in expectation where the process solves the equation, and has a
floor that no n removes where it does not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.api import Evaluation, Model, NotAvailable, Score
from benchbench.metrics.specs_diffusion import HeatConfig

__all__ = ["cell_masses", "compute", "heat_error"]

REACH = 4.0
"""The grid covers [−REACH, REACH] in each dimension."""
CELLS = {1: 64, 2: 16}
"""Cells along an axis, by number of dimensions."""


def cell_masses(k: int, t: float) -> Tensor:
    """The solution's mass of each cell, (CELLS[k]^k + 1,) float64; the last is all outside."""
    edges = torch.linspace(-REACH, REACH, CELLS[k] + 1, dtype=torch.float64)
    # ∫ Φ(v) dv = v Φ(v) + φ(v), so the distribution function of U[−1, 1] + N(0, t) is closed.
    below = (_integral((edges + 1) / t**0.5) - _integral((edges - 1) / t**0.5)) * t**0.5 / 2
    axis = below.diff()
    inside = axis if k == 1 else torch.outer(axis, axis).flatten()
    return torch.cat([inside, (1 - inside.sum()).reshape(1)])


def _integral(v: Tensor) -> Tensor:
    density = torch.exp(-0.5 * v.square()) / (2 * torch.pi) ** 0.5
    return v * torch.special.ndtr(v) + density


def heat_error(
    model: Model, latent_dim: int, k: int, n: int, config: HeatConfig, generator: torch.Generator
) -> float:
    """The error of n particles in k dimensions. generator: on the model's device."""
    mass = cell_masses(k, config.t)
    t = torch.full((n,), config.t, device=generator.device)
    total = 0.0
    for _ in range(config.repeats):
        z = torch.zeros(n, latent_dim, device=generator.device)
        z[:, :k] = 2 * torch.rand(n, k, generator=generator, device=generator.device) - 1
        x = model.add_noise(z, t, generator=generator)[:, :k].double().cpu()
        total += float((_shares(x, k, len(mass)) - mass).square().sum())
    return (total / config.repeats) ** 0.5


def _shares(x: Tensor, k: int, cells: int) -> Tensor:
    """x: (n, k) -> the share of particles in each cell, (cells,)."""
    place = ((x + REACH) / (2 * REACH) * CELLS[k]).floor()
    outside = ((place < 0) | (place >= CELLS[k])).any(dim=1)
    weights = torch.tensor([CELLS[k] ** j for j in range(k)], dtype=torch.float64)
    index = (place @ weights).long()
    index[outside] = cells - 1
    return torch.bincount(index, minlength=cells).double() / len(x)


@torch.no_grad()
def compute(evaluation: Evaluation, config: HeatConfig) -> list[Score]:
    """`heat_error` for each number of dimensions and of particles."""
    if "denoise" not in evaluation.capabilities:
        raise NotAvailable("the model declares no diffusion process (capability denoise)")
    model = evaluation.model
    z = _one_latent(evaluation)
    scores = []
    for k in (1, 2):
        for n in config.particles:
            condition = f"dim={k},n={n}"
            if len(z) < k:
                reason = f"the process runs in {len(z)} dimension"
                scores.append(
                    Score("heat_error", None, condition=condition, status="skipped", reason=reason)
                )
                continue
            generator = evaluation.generator(f"heat/{condition}", device=str(evaluation.device))
            value = heat_error(model, len(z), k, n, config, generator)
            detail = {"t": config.t, "repeats": config.repeats}
            scores.append(Score("heat_error", value, n=n, condition=condition, detail=detail))
    return scores


def _one_latent(evaluation: Evaluation) -> Tensor:
    """A vector as long as those that the process moves, (d,)."""
    x = evaluation.reference(1)
    if "encode" in evaluation.capabilities:
        return evaluation.model.encode(x)[0][0]
    return x.flatten()
