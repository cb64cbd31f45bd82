"""log p(x) by annealed importance sampling with Hamiltonian transitions.

f_β(z) = q(z)^{1−β} [p(z) p(x|z)]^β,   0 = β_0 < … < β_T = 1
log w = Σ_t (β_t − β_{t−1}) [log p(z_{t−1}) p(x|z_{t−1}) − log q(z_{t−1})],   z_t ~ T_{β_t}(z_{t−1})

E w = p(x), so the log of the mean weight of several chains is a lower bound in expectation (Neal,
"Annealed Importance Sampling", 2001; Wu et al., "On the Quantitative Analysis of Decoder-Based
Generative Models", 2017). The bridge starts at the fitted mixture q, not at the prior: from the
prior thousands of temperatures are needed for what a dozen do from q.

Each transition draws the mixture component r from its responsibility at z and then moves z by HMC
in the coordinates that whiten N(z_r, H_r⁻¹), accepting against the joint f_β(z) q_r(z)/q(z):
together they leave f_β invariant, and every mode is explored on its own scale.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from benchbench.metrics.likelihood.importance import effective_size
from benchbench.metrics.likelihood.observation import Observation, log_normaliser
from benchbench.metrics.likelihood.priors import MixturePrior
from benchbench.metrics.likelihood.proposals import Proposal

__all__ = ["Annealed", "Schedule", "annealed_log_prob"]

_TUNING_TRANSITIONS, _TARGET_ACCEPTANCE = 10, 0.8


@dataclass(frozen=True)
class Schedule:
    """chains per example, temperatures T, leapfrog steps of one transition."""

    chains: int
    temperatures: int
    leapfrog_steps: int


@dataclass(frozen=True)
class Annealed:
    """log p̂(x) (n,) nats, ESS of the chain weights (n,), mean acceptance, mean step size.

    log_weights: (n, C) of the chains. reverse: (n,) log weight of a chain run backwards from an
    exact draw, or None.
    """

    log_prob: Tensor
    ess: Tensor
    log_weights: Tensor
    acceptance: float
    step_size: float
    reverse: Tensor | None = None

    def upper(self) -> Tensor | None:
        """log p̂ with the last chain replaced by the reverse one: above log p(x) in expectation."""
        if self.reverse is None:
            return None
        log_weights = torch.cat([self.log_weights[:, :-1], self.reverse[:, None]], 1)
        return log_weights.logsumexp(1) - math.log(log_weights.shape[1])


def annealed_log_prob(
    observation: Observation,
    prior: MixturePrior,
    x: Tensor,
    proposal: Proposal,
    schedule: Schedule,
    *,
    sigma: float,
    generator: torch.Generator,
    exact: Tensor | None = None,
) -> Annealed:
    """AIS for each x (n, D). Step sizes are tuned on chains that are then thrown away.

    exact: draws from p(z | x), (n, d), from which one chain of each example runs back to q;
        the others then start independently.
    """
    target = _Bridge(observation, prior, x, proposal, sigma, schedule.leapfrog_steps, generator)
    step_size = _tune(target, schedule.chains)
    state = target.start(schedule.chains, independent=exact is not None)
    log_weights = torch.zeros_like(state.log_joint)
    betas = torch.linspace(0, 1, schedule.temperatures + 1, dtype=torch.float64).tolist()
    accepted = []
    for before, beta in itertools.pairwise(betas):
        log_weights = log_weights + (beta - before) * (state.log_joint - state.log_q)
        if beta < 1:
            state, rate = target.transition(state, beta, step_size)
            accepted.append(float(rate.mean()))
    return Annealed(
        log_prob=log_weights.logsumexp(1) - math.log(schedule.chains),
        ess=effective_size(log_weights),
        log_weights=log_weights,
        acceptance=sum(accepted) / len(accepted) if accepted else 1.0,
        step_size=float(step_size.mean()),
        reverse=None if exact is None else _reverse(target, exact, betas, step_size),
    )


def _reverse(target: _Bridge, exact: Tensor, betas: list[float], step: Tensor) -> Tensor:
    """Log weights (n,) of paths from the posterior back to q.

    The transitions are reversible, so the path of the forward chain is run through from its end:
    E 1/w = 1/p(x) (Grosse, Ancha and Roy, "Measuring the reliability of MCMC inference with
    bidirectional Monte Carlo", 2016).
    """
    state = target.at(exact[:, None])
    total = torch.zeros_like(state.log_joint)
    for beta, below in itertools.pairwise(reversed(betas)):
        total = total + (beta - below) * (state.log_joint - state.log_q)
        if below > 0:
            state, _ = target.transition(state, below, step)
    return total[:, 0]


def _tune(target: _Bridge, chains: int) -> Tensor:
    """A step size for each example (n, 1, 1), in whitened units, from transitions at β = 1."""
    n, d = len(target.proposal), target.observation.latent_dim
    log_step = torch.full((n, 1, 1), math.log(min(1.0, 1.3 * d**-0.25)), dtype=torch.float64)
    log_step = log_step.to(target.x.device)
    state = target.start(max(2, chains // 4))
    for t in range(_TUNING_TRANSITIONS):
        state, rate = target.transition(state, 1.0, log_step.exp())
        gain = 1.5 / (1 + t) ** 0.5
        log_step = (log_step + gain * (rate[:, None, None] - _TARGET_ACCEPTANCE)).clamp_max(0.0)
    return log_step.exp()


@dataclass(frozen=True)
class _State:
    """Chains at z (n, C, d), with everything that does not depend on β.

    log_joint: (n, C) log p(z) p(x|z), and its gradient slope (n, C, d); parts: (n, C, R)
    log π_r q_r(z), and their gradients (n, C, R, d).
    """

    z: Tensor
    log_joint: Tensor
    slope: Tensor
    parts: Tensor
    part_slopes: Tensor

    @property
    def log_q(self) -> Tensor:
        """log q(z): (n, C)."""
        return self.parts.logsumexp(-1)

    def target(self, beta: float, component: Tensor) -> tuple[Tensor, Tensor]:
        """log f_β(z) q_r(z)/q(z) = β (log p(z, x) − log q) + log q_r, and its gradient."""
        share = self.parts.softmax(-1)
        slope_q = (share[..., None] * self.part_slopes).sum(-2)
        own = self.parts.gather(-1, component[..., None]).squeeze(-1)
        index = component[..., None, None].expand(*component.shape, 1, self.z.shape[-1])
        slope_own = self.part_slopes.gather(-2, index).squeeze(-2)
        value = beta * (self.log_joint - self.log_q) + own
        return value, beta * (self.slope - slope_q) + slope_own


class _Bridge:
    """The family f_β of n examples and its transitions."""

    def __init__(
        self,
        observation: Observation,
        prior: MixturePrior,
        x: Tensor,
        proposal: Proposal,
        sigma: float,
        leapfrog_steps: int,
        generator: torch.Generator,
    ) -> None:
        self.observation, self.prior, self.x = observation, prior, x
        self.proposal, self.sigma = proposal, sigma
        self.leapfrog_steps, self.generator = leapfrog_steps, generator

    def start(self, chains: int, *, independent: bool = False) -> _State:
        """Chains drawn from q; independent: see `Proposal.sample`."""
        return self.at(
            self.proposal.sample(chains, generator=self.generator, independent=independent)
        )

    def transition(self, state: _State, beta: float, step: Tensor) -> tuple[_State, Tensor]:
        """One move that leaves f_β invariant; also the mean acceptance of each example, (n,)."""
        gumbel = -torch.log(-torch.log(self._uniform(state.parts.shape).clamp(1e-12, 1 - 1e-12)))
        component = (state.parts + gumbel).argmax(-1)
        # Step sizes vary between transitions so that no trajectory closes on itself.
        step = step * (0.8 + 0.4 * float(self._uniform((1,))))
        momentum = self._normal(state.z.shape)
        value, slope = state.target(beta, component)
        before = value - 0.5 * momentum.square().sum(-1)
        moving = state
        for _ in range(self.leapfrog_steps):
            momentum = momentum + 0.5 * step * self.proposal.whiten(slope, component)
            velocity = self.proposal.whiten(momentum, component, back=True)
            moving = self.at(moving.z + step * velocity)
            value, slope = moving.target(beta, component)
            momentum = momentum + 0.5 * step * self.proposal.whiten(slope, component)
        after = value - 0.5 * momentum.square().sum(-1)
        log_ratio = (after - before).nan_to_num(nan=-math.inf)
        accept = self._uniform(log_ratio.shape).log() < log_ratio
        return _choose(accept, moving, state), log_ratio.clamp_max(0).exp().mean(1)

    def at(self, z: Tensor) -> _State:
        """Chains at z (n, C, d)."""
        flat = z.flatten(0, 1)
        x = self.x.repeat_interleave(z.shape[1], 0)
        error, slope = self.observation.error_and_gradient(flat, x)
        norm = log_normaliser(self.sigma, self.observation.dim)
        log_joint = self.prior.log_prob(flat) + norm - error / (2 * self.sigma**2)
        slope = self.prior.gradient(flat) - slope / (2 * self.sigma**2)
        parts, part_slopes = self.proposal.component_log_probs(z)
        shape = z.shape[:2]
        return _State(
            z, log_joint.unflatten(0, shape), slope.unflatten(0, shape), parts, part_slopes
        )

    def _uniform(self, shape: tuple[int, ...] | torch.Size) -> Tensor:
        drawn = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return drawn.to(self.x.device)

    def _normal(self, shape: torch.Size) -> Tensor:
        drawn = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        return drawn.to(self.x.device)


def _choose(accept: Tensor, new: _State, old: _State) -> _State:
    """The new state where accepted, else the old one."""

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(accept.reshape(accept.shape + (1,) * (a.ndim - 2)), a, b)

    return _State(
        pick(new.z, old.z),
        pick(new.log_joint, old.log_joint),
        pick(new.slope, old.slope),
        pick(new.parts, old.parts),
        pick(new.part_slopes, old.part_slopes),
    )
