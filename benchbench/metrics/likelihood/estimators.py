"""The two estimators of log p(x) at a given σ, with bounds from above where z is known.

Importance weights (IWAE), or annealing from the proposal to the posterior. In few data dimensions
a pilot run of weights decides which examples are annealed; in many, weights can look even and miss
where the posterior is, so all are. A chain is hundreds of passes through the decoder, forwards and
back: annealing has a ceiling in FLOPs, counted from one gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchbench.metrics.flops import FlopCounter
from benchbench.metrics.likelihood.ais import Annealed, Schedule, annealed_log_prob
from benchbench.metrics.likelihood.estimates import Estimates
from benchbench.metrics.likelihood.importance import (
    Draws,
    PriorDraws,
    importance_draws,
    with_exact_draw,
)
from benchbench.metrics.likelihood.observation import Observation
from benchbench.metrics.likelihood.priors import MixturePrior
from benchbench.metrics.likelihood.proposals import Proposal
from benchbench.metrics.specs_likelihood import LikelihoodConfig

__all__ = ["RELIABLE_ESS", "Estimators"]

RELIABLE_ESS = 10.0
_SIMULATED = 4  # simulated examples are so many times fewer, about
_SLOWER = 4  # times as many temperatures where the weights of the chains are uneven


class Estimators:
    """Both estimators for one decoder.

    generator: a fresh one for each name, so that every step has random numbers of its own.
    low_dim: whether the prior's draws join the proposals.
    """

    def __init__(
        self,
        observation: Observation,
        prior: MixturePrior,
        config: LikelihoodConfig,
        *,
        low_dim: bool,
        generator: Callable[[str], torch.Generator],
    ) -> None:
        self.observation, self.prior, self.config = observation, prior, config
        self.low_dim, self.generator = low_dim, generator
        self._gradient_flop: int | None = None

    def draws(
        self, x: Tensor, proposal: Proposal, name: str, *, independent: bool = False
    ) -> Draws:
        """Weighted draws of the proposal, and of the prior where they join it."""
        return importance_draws(
            self.observation,
            self.prior,
            x,
            proposal,
            self.config.importance_samples,
            generator=self.generator(name),
            shared=self.prior_draws(f"shared/{name}") if self.low_dim else None,
            independent=independent,
        )

    def prior_draws(self, name: str) -> PriorDraws:
        """Fresh draws from the prior."""
        return PriorDraws.of(
            self.observation, self.prior, self.config.prior_draws, generator=self.generator(name)
        )

    def importance(
        self, x: Tensor, proposal: Proposal, sigma: float, name: str, exact: Tensor | None = None
    ) -> Estimates:
        """Importance weights; exact: (n, d) latents from p(z | x), for upper bounds as well."""
        draws = self.draws(x, proposal, name, independent=exact is not None)
        found = Estimates.of_draws(draws, sigma)
        if exact is None:
            return found
        above = with_exact_draw(
            draws,
            self.observation,
            self.prior,
            x,
            proposal,
            exact,
            generator=self.generator(f"slot/{name}"),
        )
        return replace(found, upper=above.log_prob(sigma).cpu())

    def annealed(
        self, x: Tensor, proposal: Proposal, sigma: float, name: str, exact: Tensor | None = None
    ) -> tuple[Estimates, dict[str, Any]]:
        """Annealed chains, in few data dimensions where the weights alone are too uneven.

        The ceiling of cost is the config's, a quarter of it where `exact` is given.
        """
        n = len(x)
        facts: dict[str, Any] = {}
        rows = torch.arange(n)
        parts: list[tuple[Tensor, Estimates]] = []
        if self.low_dim:
            # The pilot decides, fresh draws estimate: picking by the same weights would bias.
            uneven = self.draws(x, proposal, f"pilot/{name}").ess(sigma).cpu() < RELIABLE_ESS
            plain, rows = (~uneven).nonzero().squeeze(1), uneven.nonzero().squeeze(1)
            if len(plain):
                parts.append((plain, self._importance_of(plain, x, proposal, sigma, name, exact)))
            facts |= {
                "importance_samples": self.config.importance_samples,
                "prior_draws": self.config.prior_draws,
            }
        facts["estimator"] = _mixed_name(len(rows), n)
        ceiling = self.config.annealing_flop / (1 if exact is None else _SIMULATED)
        wanted, left = self.config.temperatures, ceiling
        for attempt in range(2):
            if not len(rows):
                break
            each = self._temperature_flop() * len(rows)
            temperatures = min(wanted, max(1, int(left / each)))
            if temperatures < wanted:
                facts["annealing_cut"] = f"ceiling of {ceiling:.3g} FLOP"
            if attempt and temperatures < 2 * self.config.temperatures:
                break
            result = self._chains(
                rows, x, proposal, sigma, temperatures, f"{name}/{attempt}", exact
            )
            left -= each * temperatures
            estimates = Estimates.of_chains(result.log_weights)
            upper = result.upper()
            parts.append((rows, replace(estimates, upper=None if upper is None else upper.cpu())))
            if attempt == 0:
                facts |= self._facts(result, temperatures)
            else:
                facts |= {"reannealed_n": len(rows), "reannealed_temperatures": temperatures}
            # Fresh and slower chains for the examples whose weights came out uneven.
            rows = rows[estimates.ess < RELIABLE_ESS]
            wanted *= _SLOWER
        return Estimates.merged(n, parts), facts

    def _importance_of(
        self,
        rows: Tensor,
        x: Tensor,
        proposal: Proposal,
        sigma: float,
        name: str,
        exact: Tensor | None,
    ) -> Estimates:
        index = rows.to(x.device)
        latents = None if exact is None else exact[index]
        return self.importance(x[index], proposal.rows(index), sigma, name, latents)

    def _chains(
        self,
        rows: Tensor,
        x: Tensor,
        proposal: Proposal,
        sigma: float,
        temperatures: int,
        name: str,
        exact: Tensor | None,
    ) -> Annealed:
        index = rows.to(x.device)
        return annealed_log_prob(
            self.observation,
            self.prior,
            x[index],
            proposal.rows(index),
            Schedule(self.config.chains, temperatures, self.config.leapfrog_steps),
            sigma=sigma,
            generator=self.generator(f"ais/{name}"),
            exact=None if exact is None else exact[index],
        )

    def _temperature_flop(self) -> float:
        """FLOPs of one temperature of one example's chains; 1 where the decoder counts none."""
        if self._gradient_flop is None:
            z = torch.zeros(1, self.observation.latent_dim, dtype=torch.float64)
            x = torch.zeros(1, self.observation.dim, dtype=torch.float64)
            device = self.observation.device
            with FlopCounter() as counter:
                self.observation.error_and_gradient(z.to(device), x.to(device))
            self._gradient_flop = max(1, counter.total)
        return self._gradient_flop * self.config.chains * self.config.leapfrog_steps

    def _facts(self, result: Annealed, temperatures: int) -> dict[str, Any]:
        return {
            "annealed_n": len(result.log_prob),
            "chains": self.config.chains,
            "temperatures": temperatures,
            "leapfrog_steps": self.config.leapfrog_steps,
            "hmc_acceptance": result.acceptance,
            "hmc_step_size": result.step_size,
        }


def _mixed_name(annealed: int, n: int) -> str:
    if annealed == n:
        return "ais"
    return "importance" if annealed == 0 else "importance; ais where a pilot's weights are uneven"
