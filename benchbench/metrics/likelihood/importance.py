"""log p(x) by importance weights, with their effective sample size.

log p̂(x) = log 1/K Σ_k p(z_k) p(x | z_k) / q(z_k),   z_k ~ q:   E log p̂ <= log p

(Burda et al., "Importance Weighted Autoencoders", 2016). In few data dimensions, N draws from the
prior, shared by all examples, join the K draws of the proposal: then q is the mixture
(K q + N p)/(K + N) of which both are a sample (the balance heuristic of Veach and Guibas,
"Optimally Combining Sampling Techniques", 1995). The prior's draws find every latent region that
decodes near x, also where a folded decoder has more of them than a search would find.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchbench.metrics.likelihood.observation import Observation, log_normaliser
from benchbench.metrics.likelihood.priors import MixturePrior
from benchbench.metrics.likelihood.proposals import Proposal, systematic

__all__ = [
    "Draws",
    "PriorDraws",
    "Spread",
    "effective_size",
    "importance_draws",
    "successive_variance",
    "with_costly_prior",
    "with_exact_draw",
]

_SHARED_NUMBERS = 500_000  # held at once where shared latents meet every proposal


def effective_size(log_weights: Tensor) -> Tensor:
    """(Σ w)²/Σ w² of each row: (n, K) -> (n,), between 1 and K.

    >>> effective_size(torch.zeros(1, 8)).item()
    8.0
    """
    return (2 * log_weights.logsumexp(1) - (2 * log_weights).logsumexp(1)).exp()


def successive_variance(share: Tensor) -> Tensor:
    """Var Σ_k s_k of each row from successive differences: (n, K) -> (n,), K >= 2.

    K/(2(K − 1)) Σ (s_{k+1} − s_k)²: draws come in the order of the proposal's strata, and this
    takes no spread between strata for noise (Wolter, "Introduction to Variance Estimation", 1985).

    >>> successive_variance(torch.full((1, 4), 0.25)).item()
    0.0
    """
    count = share.shape[1]
    return share.diff(dim=1).square().sum(1) * (count / (2 * (count - 1)))


@dataclass(frozen=True)
class Spread:
    """Variance of log p̂ under fresh draws, nats², to first order.

    own: (n,) by the draws of that example alone; total: (n,) with those that examples share;
    shared: variance of the mean over the n examples that shared draws cause.
    """

    own: Tensor
    total: Tensor
    shared: float


@dataclass(frozen=True)
class PriorDraws:
    """Draws from the prior and what they decode to: z (N, d), means (N, D), log_prob (N,)."""

    z: Tensor
    means: Tensor
    log_prob: Tensor

    @classmethod
    def of(
        cls, observation: Observation, prior: MixturePrior, n: int, *, generator: torch.Generator
    ) -> PriorDraws:
        """n fresh draws."""
        z = prior.sample(n, generator=generator)
        return cls(z, observation.mean(z), prior.log_prob(z))


@dataclass(frozen=True)
class Draws:
    """Weighted latents for n examples, from which log p̂(x) follows at any σ.

    z: (n, K, d) latents of the proposal; squared: (n, K') errors |x − g(z)|² and log_ratio:
    (n, K') log p(z) − log q(z), K' = K or, with N draws of the prior after them, K + N.
    dim: D. shared: (N, d) those draws. known_spread: where it does not follow from the weights
    alone; at the σ they were made for.
    """

    z: Tensor
    squared: Tensor
    log_ratio: Tensor
    dim: int
    shared: Tensor | None = None
    known_spread: Spread | None = None

    def log_weights(self, sigma: float) -> Tensor:
        """log p(z) p(x|z)/q(z) at this σ: (n, K')."""
        return self.log_ratio - self.squared / (2 * sigma**2) + log_normaliser(sigma, self.dim)

    def log_prob(self, sigma: float) -> Tensor:
        """log p̂(x) at this σ: (n,) nats."""
        return self.log_weights(sigma).logsumexp(1) - math.log(self.squared.shape[1])

    def ess(self, sigma: float) -> Tensor:
        """Effective sample size of the weights at this σ: (n,)."""
        return effective_size(self.log_weights(sigma))

    def spread(self, sigma: float) -> Spread:
        """How far log p̂ at this σ would vary with fresh draws."""
        if self.known_spread is not None:
            return self.known_spread
        share = self.log_weights(sigma).softmax(1)
        count = self.z.shape[1]
        own = successive_variance(share[:, :count])
        if self.shared is None:
            return Spread(own, own, 0.0)
        others = share[:, count:]
        n = others.shape[1]
        return Spread(own, own + n * others.var(1), n * float(others.mean(0).var()))

    def with_exact(self, squared: Tensor, log_ratio: Tensor, in_shared: Tensor) -> Draws:
        """One draw of each row replaced by a latent from the posterior: log p̂ then lies above.

        Its error and log ratio (n,); in_shared: (n,) whether it takes the place of a shared draw.
        """
        column = torch.where(in_shared, self.squared.shape[1] - 1, self.z.shape[1] - 1)[:, None]
        return replace(
            self,
            squared=self.squared.scatter(1, column, squared[:, None]),
            log_ratio=self.log_ratio.scatter(1, column, log_ratio[:, None]),
        )

    def latents(self, index: Tensor) -> Tensor:
        """The latents of columns index (n, m): (n, m, d)."""
        own = self.z.shape[1]
        rows = torch.arange(len(index), device=index.device)[:, None]
        picked = self.z[rows, index.clamp_max(own - 1)]
        if self.shared is None:
            return picked
        other = self.shared[(index - own).clamp_min(0)]
        return torch.where((index < own)[:, :, None], picked, other)


def importance_draws(
    observation: Observation,
    prior: MixturePrior,
    x: Tensor,
    proposal: Proposal,
    count: int,
    *,
    generator: torch.Generator,
    shared: PriorDraws | None = None,
    independent: bool = False,
) -> Draws:
    """`count` latents of the proposal for each x (n, D), and those of the prior where given.

    independent: see `Proposal.sample`.
    """
    z = proposal.sample(count, generator=generator, independent=independent)
    log_prior, log_q = prior.log_prob(z), proposal.log_prob(z)
    squared = observation.squared_error(z, x)
    if shared is None:
        return Draws(z, squared, log_prior - log_q, observation.dim)
    log_q = _balanced(log_q, log_prior, count, len(shared.z))
    shared_q = _shared_log_q(proposal, shared.z)
    shared_prior = shared.log_prob.expand(len(x), -1)
    shared_q = _balanced(shared_q, shared_prior, count, len(shared.z))
    distance = torch.cdist(x, shared.means, compute_mode="donot_use_mm_for_euclid_dist")
    return Draws(
        z,
        torch.cat([squared, distance.square()], 1),
        torch.cat([log_prior - log_q, shared_prior - shared_q], 1),
        observation.dim,
        shared.z,
    )


def with_exact_draw(
    draws: Draws,
    observation: Observation,
    prior: MixturePrior,
    x: Tensor,
    proposal: Proposal,
    exact: Tensor,
    *,
    generator: torch.Generator,
) -> Draws:
    """Independent draws with one of each row replaced by an exact draw from p(z | x), (n, d).

    E 1/p̂ = 1/p(x) for these, so E log p̂ >= log p(x): the reverse half of a bidirectional estimate
    (Grosse, Ghahramani and Adams, "Sandwiching the marginal likelihood using bidirectional Monte
    Carlo", 2015). Where the prior's draws are proposals too, which of the two kinds gives way is
    drawn in proportion to their densities at the latent, N p to K q.
    """
    z = exact[:, None]
    log_prior, log_q = prior.log_prob(z), proposal.log_prob(z)
    in_shared = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    if draws.shared is not None:
        own, shared = draws.z.shape[1], len(draws.shared)
        log_q = _balanced(log_q, log_prior, own, shared)
        chance = (log_prior - log_q + math.log(shared / (own + shared))).exp()[:, 0]
        uniform = torch.rand(len(x), generator=generator, dtype=torch.float64).to(x.device)
        in_shared = uniform < chance
    squared = observation.squared_error(z, x)[:, 0]
    return draws.with_exact(squared, (log_prior - log_q)[:, 0], in_shared)


def _balanced(log_q: Tensor, log_prior: Tensor, own: int, shared: int) -> Tensor:
    """log (K q + N p)/(K + N)."""
    total = own + shared
    return torch.logaddexp(log_q + math.log(own / total), log_prior + math.log(shared / total))


def _shared_log_q(proposal: Proposal, z: Tensor) -> Tensor:
    """log q of every example at the same latents (N, d): (n, N)."""
    examples = torch.arange(len(proposal), device=z.device)
    size = max(1, _SHARED_NUMBERS // z.numel())
    return torch.cat(
        [
            proposal.rows(rows).log_prob(z.expand(len(rows), *z.shape))
            for rows in examples.split(size)
        ]
    )


def with_costly_prior(
    draws: Draws,
    surrogate: MixturePrior,
    log_prior: Callable[[Tensor], Tensor],
    *,
    sigma: float,
    count: int,
    generator: torch.Generator,
) -> Draws:
    """Replace the surrogate prior by the true one at no more than `count` latents an example.

    log p̂(x) = log 1/K Σ_k w_k + log 1/m Σ_i p(z_i)/p_s(z_i), the m latents resampled in
    proportion to the surrogate weights w_k: unbiased for p(x) like the plain weights, but what
    the costly density is spent on are latents that explain x. A latent that is drawn twice is
    asked for once and counts once in the effective sample size.
    """
    log_weights = draws.log_weights(sigma)
    index = systematic(log_weights.softmax(1), count, generator=generator)
    first = torch.ones_like(index, dtype=torch.bool)
    first[:, 1:] = index[:, 1:] != index[:, :-1]
    copies = (index[:, :, None] == index[:, None]).sum(-1).double()
    z = draws.latents(index)
    log_ratio = z.new_full(index.shape, -math.inf)
    asked = z[first]
    log_ratio[first] = log_prior(asked) - surrogate.log_prob(asked) + copies[first].log()
    squared = draws.squared.gather(1, index)
    # At this σ the likelihood cancels, as it is in the surrogate weights already.
    likelihood = log_normaliser(sigma, draws.dim) - squared / (2 * sigma**2)
    total = draws.log_prob(sigma)[:, None]
    spread = draws.spread(sigma)
    # Only ratios of these ratios matter: as they are, they overflow where the surrogate is far off.
    ratio = (log_ratio - log_ratio.amax(1, keepdim=True)).exp() / copies
    extra = _second_stage(log_weights.softmax(1).gather(1, index), ratio, copies * first)
    own = (spread.own + extra).clamp_min(0)
    spread = Spread(own, own + spread.total - spread.own, spread.shared)
    return Draws(z, squared, log_ratio + total - likelihood, draws.dim, known_spread=spread)


def _second_stage(share: Tensor, ratio: Tensor, copies: Tensor) -> Tensor:
    """Relative variance that ratios r add to that of Σ_k s_k: (n, m) -> (n,).

    share: s at the m resampled draws; ratio: r; copies: c, how often each was taken, 0 at a
    repeat. With ρ = r/R and R = Σ_j c_j r_j/m,

    Σ_k s_k² (ρ_k² − 1)                            each draw taken standing for 1/(m s_k) of them
    Σ_j (1 − min(1, m s_j)) (c_j (ρ_j − 1)/m)²     of the resampling: none where it is certain
    """
    m = share.shape[1]
    relative = ratio / ((copies * ratio).sum(1, keepdim=True) / m)
    weights = (copies * share * (relative.square() - 1)).sum(1) / m
    chance = (m * share).clamp_max(1)
    resampling = ((1 - chance) * (copies * (relative - 1) / m).square()).sum(1)
    return weights + resampling
