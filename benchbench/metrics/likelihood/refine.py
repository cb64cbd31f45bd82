"""From modes to Gaussians that cover the bulk of the posterior.

A mode can be a poor place to linearise a decoder: in many latent dimensions the mass sits far
from it, and the Jacobian there is another. `refine` therefore fits N(m, H⁻¹) by variational
inference with Gauss–Newton curvature, averaged over its own draws z ~ N(m, H⁻¹):

H ← (1 − ρ) H + ρ (E JᵀJ/σ² + P)
m ← m + ρ H⁻¹ (E Jᵀ(x − g(z))/σ² − P (m − m_c))

(Khan and Rue, "The Bayesian Learning Rule", 2023; Opper and Archambeau, "The Variational Gaussian
Approximation Revisited", 2009). Draws come in pairs m ± δ: on a linear decoder the noise cancels
and the posterior is a fixed point. A fit that ends below the mode it started from, by the
evidence lower bound, is not used.

`split` combines one such Gaussian with every component of a mixture prior in closed form.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from benchbench.metrics.likelihood.modes import Modes
from benchbench.metrics.likelihood.observation import Observation
from benchbench.metrics.likelihood.priors import MixturePrior

__all__ = ["refine", "rescaled", "split"]

_RATE, _CHECK_DRAWS = 0.6, 16


def refine(
    observation: Observation,
    prior: MixturePrior,
    x: Tensor,
    modes: Modes,
    *,
    sigma: float,
    rounds: int,
    generator: torch.Generator,
) -> Modes:
    """Variational fits that start at `modes`, for x (n, D); log_mass becomes their evidence."""
    shape = modes.piece.shape
    rows = x.repeat_interleave(shape[1], 0)
    piece, center, hessian = modes.piece.flatten(), modes.z.flatten(0, 1), modes.hessian
    precision = prior.roots[piece] @ prior.roots[piece].mT
    pulled_to = prior.means[piece]
    hessian = first = hessian.flatten(0, 1)
    for t in range(rounds):
        # Half of the rounds at the full rate, then averaging.
        rate = _RATE if 2 * t < rounds else 2 * _RATE / (2 + t - rounds // 2)
        slope, square = _expected(observation, rows, center, hessian, generator)
        hessian = (1 - rate) * hessian + rate * (square / sigma**2 + precision)
        lean = (precision @ (center - pulled_to)[:, :, None]).squeeze(-1)
        move = torch.linalg.solve(hessian, slope / sigma**2 - lean)
        center = center + rate * move
    noise = torch.randn(
        len(rows), _CHECK_DRAWS, modes.z.shape[-1], generator=generator, dtype=torch.float64
    ).to(x.device)
    before = _evidence(observation, prior, rows, piece, modes.z.flatten(0, 1), first, sigma, noise)
    after = _evidence(observation, prior, rows, piece, center, hessian, sigma, noise)
    better = after[0] > before[0]
    return Modes(
        torch.where(better[:, None], center, modes.z.flatten(0, 1)).unflatten(0, shape),
        modes.piece,
        torch.where(better[:, None, None], hessian, first).unflatten(0, shape),
        torch.where(better, after[1], before[1]).unflatten(0, shape),
    )


def split(modes: Modes, prior: MixturePrior, count: int) -> Modes:
    """The `count` heaviest products of a mode's likelihood with a component of the prior.

    With A = H − P the likelihood's curvature and m its mode under the component it was fitted
    with, another component (m_c, P_c) gives N(μ_c, H_c⁻¹):  H_c = A + P_c,
    H_c μ_c = A m + P (m − m_0) + P_c m_c.
    """
    own = prior.roots[modes.piece] @ prior.roots[modes.piece].mT
    curvature = modes.hessian - own
    # The likelihood's slope at m balances the prior's, as m is stationary.
    slope = (own @ (modes.z - prior.means[modes.piece])[..., None]).squeeze(-1)
    precision = prior.roots @ prior.roots.mT
    hessian = curvature[:, :, None] + precision
    offset = prior.means - modes.z[:, :, None]
    pull = slope[:, :, None] + (precision @ offset[..., None]).squeeze(-1)
    factor = torch.linalg.cholesky(hessian)
    move = torch.cholesky_solve(pull[..., None], factor).squeeze(-1)
    # log ∫ π_c N(z; m_c, P_c⁻¹) exp(slope·(z − m) − ½ (z − m)ᵀ A (z − m)) dz, up to a constant.
    gain = 0.5 * (pull * move).sum(-1)
    spread = 0.5 * torch.einsum("nrci,cij,nrcj->nrc", offset, precision, offset)
    roots = prior.roots.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    volume = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    mass = prior.log_shares + roots - volume + gain - spread
    # Modes differ in how well they explain x: their own mass less what their component gave it.
    base = mass.gather(2, modes.piece[:, :, None])
    mass = mass - base + modes.log_mass[:, :, None]
    z = modes.z[:, :, None] + move
    piece = torch.arange(len(prior.means), device=z.device).expand(mass.shape)
    return Modes(z.flatten(1, 2), piece.flatten(1), hessian.flatten(1, 2), mass.flatten(1)).best(
        count
    )


def rescaled(modes: Modes, prior: MixturePrior, ratio: float) -> Modes:
    """The same Gaussians at another σ: the likelihood's curvature times `ratio` = (σ_old/σ)²."""
    own = prior.roots[modes.piece] @ prior.roots[modes.piece].mT
    return replace(modes, hessian=(modes.hessian - own) * ratio + own)


def _expected(
    observation: Observation,
    x: Tensor,
    center: Tensor,
    hessian: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """E Jᵀ(x − g(z)) and E JᵀJ over one antithetic pair of draws."""
    noise = torch.randn(center.shape, generator=generator, dtype=torch.float64).to(center.device)
    root = torch.linalg.cholesky(hessian)
    shift = torch.linalg.solve_triangular(root.mT, noise[:, :, None], upper=True).squeeze(-1)
    _, pulled, square = observation.normal_equations(
        torch.cat([center + shift, center - shift]), torch.cat([x, x])
    )
    half = len(center)
    return (pulled[:half] + pulled[half:]) / 2, (square[:half] + square[half:]) / 2


def _evidence(
    observation: Observation,
    prior: MixturePrior,
    x: Tensor,
    piece: Tensor,
    center: Tensor,
    hessian: Tensor,
    sigma: float,
    noise: Tensor,
) -> tuple[Tensor, Tensor]:
    """Lower bound and importance estimate of the evidence from N(m, H⁻¹), up to a constant."""
    root = torch.linalg.cholesky(hessian)
    z = center[:, None] + torch.linalg.solve_triangular(root.mT, noise.mT, upper=True).mT
    white = (z - prior.means[piece][:, None]) @ prior.roots[piece]
    volume = prior.roots[piece].diagonal(dim1=-2, dim2=-1).log().sum(-1)
    volume = volume - root.diagonal(dim1=-2, dim2=-1).log().sum(-1) + prior.log_shares[piece]
    log_weights = (
        volume[:, None]
        - observation.squared_error(z, x) / (2 * sigma**2)
        - 0.5 * white.square().sum(-1)
        + 0.5 * noise.square().sum(-1)
    )
    return log_weights.mean(1), log_weights.logsumexp(1) - math.log(log_weights.shape[1])
