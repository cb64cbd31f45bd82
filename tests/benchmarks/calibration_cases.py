"""Likelihoods whose value is known: linear-Gaussian decoders and the three ways to estimate them.

x = W z + b + N(0, σ² I),  z ~ N(0, I):   log p(x) = log N(x; b, W Wᵀ + σ² I),
                                         E log p = −½ log det 2πe (W Wᵀ + σ² I)

One replicate draws fresh examples and fresh latents. Its estimate is held against the mean of
log p over the same examples, and its interval for fresh examples against E log p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from benchbench_ldm.likelihood import ode_log_prob
from likelihood_cases import LinearGaussian
from torch import Tensor

from benchbench.api.seeding import seeded_generator
from benchbench.metrics.likelihood.estimates import Estimates
from benchbench.metrics.likelihood.estimators import Estimators
from benchbench.metrics.likelihood.importance import with_costly_prior
from benchbench.metrics.likelihood.modes import find_modes
from benchbench.metrics.likelihood.observation import Observation
from benchbench.metrics.likelihood.priors import MixturePrior
from benchbench.metrics.likelihood.proposals import Proposal
from benchbench.metrics.likelihood.refine import split
from benchbench.metrics.specs_likelihood import LikelihoodConfig

__all__ = ["DIMENSIONS", "METHODS", "Replicate", "replicate"]

DIMENSIONS = {2: 6, 8: 48, 32: 192}
"""Latent dimensions and the data's."""
METHODS = ("iwae", "ais", "ode", "iwae, misfit", "ais, misfit")
"""`misfit`: the proposal is fitted at 1.5 σ, so that the weights are uneven."""
MISFIT = 1.5
SIGMA_MIN, SIGMA_MAX = 2e-3, 40.0
EVALUATIONS = 40
"""Latents of each example whose density the ODE is asked for; 60 in the metric as it stands."""


@dataclass(frozen=True)
class Replicate:
    """Nats of mean log p, and which intervals hold their target.

    error: of the value as printed; corrected: of the centre of the intervals.
    half_width: of the interval over draws. ess: mean.
    """

    error: float
    corrected: float
    half_width: float
    covers_draws: bool
    covers_examples: bool
    ess: float


def replicate(d: int, method: str, seed: int, *, examples: int = 100) -> Replicate:
    """Fresh examples and draws of this seed."""
    case = LinearGaussian(d, DIMENSIONS[d])
    case.generator = seeded_generator("cpu", "calibration", d, method, seed)
    x = case.draw(examples)
    found = _estimates(case, x, method, seed)
    exact = float(case.log_prob(x).mean())
    draws, whole = found.over_draws(), found.over_examples()
    return Replicate(
        error=float(found.log_prob.mean()) - exact,
        corrected=found.corrected - exact,
        half_width=(draws.high - draws.low) / 2,
        covers_draws=draws.low <= exact <= draws.high,
        covers_examples=whole.low <= expected_log_prob(case) <= whole.high,
        ess=float(found.ess.mean()),
    )


def expected_log_prob(case: LinearGaussian) -> float:
    """E log p(x) over x ~ p: minus the entropy."""
    covariance = case.w @ case.w.T + case.sigma**2 * torch.eye(case.dim, dtype=torch.float64)
    return -0.5 * float(torch.logdet(covariance)) - 0.5 * case.dim * (1 + math.log(2 * math.pi))


def _estimates(case: LinearGaussian, x: Tensor, method: str, seed: int) -> Estimates:
    observation = Observation(case.decode, latent_dim=case.d, dim=case.dim)
    # Annealing is asked of every example, also where the metric would ask for none.
    low_dim = method.startswith("iwae") and case.dim <= LikelihoodConfig().prior_proposal_dim
    prior = _stand_in(case.d) if method == "ode" else MixturePrior.standard(case.d)
    estimators = Estimators(
        observation,
        prior,
        LikelihoodConfig(),
        low_dim=low_dim,
        generator=lambda name: seeded_generator("cpu", "calibration", d, method, seed, name),
    )
    d = case.d
    fitted_at = case.sigma * (MISFIT if method.endswith("misfit") else 1.0)
    proposal = _proposal(observation, prior, x, fitted_at)
    if method.startswith("ais"):
        return estimators.annealed(x, proposal, case.sigma, "test")[0]
    if method.startswith("iwae"):
        return estimators.importance(x, proposal, case.sigma, "test")
    draws = with_costly_prior(
        estimators.draws(x, proposal, "test"),
        prior,
        gaussian_ode,
        sigma=case.sigma,
        count=EVALUATIONS,
        generator=estimators.generator("resample"),
    )
    return Estimates.of_draws(draws, case.sigma)


def _proposal(observation: Observation, prior: MixturePrior, x: Tensor, sigma: float) -> Proposal:
    start = x.new_zeros(len(x), 1, observation.latent_dim)
    piece = torch.full((len(x), 1), len(prior.means) - 1)
    modes = find_modes(observation, prior, x, start, piece, sigma=sigma, steps=6)
    if len(prior.means) > 1:
        modes = split(modes, prior, 8)
    return Proposal(modes, LikelihoodConfig().widening)


def gaussian_ode(z: Tensor) -> Tensor:
    """log N(z; 0, I) through ldm's probability-flow ODE, its denoiser exact: (n, d) -> (n,)."""
    d = z.shape[1]

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return x / (1 + sigma[:, None].square())

    def trace(x: Tensor, sigma: Tensor) -> Tensor:
        return d / (1 + sigma.square())

    return ode_log_prob(
        denoise,
        z,
        sigma_min=SIGMA_MIN,
        sigma_max=SIGMA_MAX,
        covariance=torch.eye(d),
        trace=trace,
    ).double()


@cache
def _stand_in(d: int) -> MixturePrior:
    """As the metric has it: fitted to 8,192 encoded samples of the model."""
    case = LinearGaussian(d, DIMENSIONS[d])
    z = case.posterior(case.draw(8192))[0]
    return MixturePrior.fitted(z, generator=seeded_generator("cpu", "calibration", d, "prior"))
