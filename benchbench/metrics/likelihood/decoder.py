"""log p(x) of a decoder with a prior: from declared capabilities to an estimator.

What is declared             starts of the mode search       estimator
encode, standard prior       the encoder's mean              importance weights (IWAE)
encode, prior_log_prob       the encoder's mean              importance weights, true prior last
no encoder, standard prior   prior draws that decode near x  annealed importance sampling
no encoder, prior_log_prob   prior draws that decode near x  importance weights, true prior last

In few data dimensions the prior's own draws are proposals beside the fitted ones; there a model
without an encoder is annealed only on the examples whose weights are too uneven in a pilot run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchbench.api import Evaluation, NotAvailable
from benchbench.metrics.likelihood.estimates import Estimates
from benchbench.metrics.likelihood.estimators import RELIABLE_ESS, Estimators
from benchbench.metrics.likelihood.importance import Draws, with_costly_prior
from benchbench.metrics.likelihood.modes import Modes, find_modes, nearest_starts
from benchbench.metrics.likelihood.observation import Observation
from benchbench.metrics.likelihood.priors import MixturePrior
from benchbench.metrics.likelihood.proposals import Proposal
from benchbench.metrics.likelihood.refine import refine, rescaled, split
from benchbench.metrics.likelihood.sigma import (
    SigmaChoice,
    choose_sigma,
    corrected_sigma,
    open_levels,
)
from benchbench.metrics.specs_likelihood import LikelihoodConfig, fewer

__all__ = ["RELIABLE_ESS", "DecoderEstimate", "DecoderLikelihood"]

_LATENT_LIMIT = 256  # a Jacobian costs one forward pass for each latent dimension
_PRIOR_FIT = 8192  # encoded samples of the model behind the stand-in of a costly prior
_PIECES = 8  # products of a mode and a component of that stand-in, for each example
_FIRST_STEPS, _KEPT_MODES = 3, 2  # descent from every start, then from the best
_POOL = 64  # prior draws near x among which starting points are spread
_SIGMA_ROUNDS, _CORRECTIONS = 8, 6  # refits in σ's search; σ at which a costly prior is asked
_FIRST_SIGMA = 0.05  # at least, where the search for σ starts


@dataclass(frozen=True)
class DecoderEstimate:
    """Estimates in model space, σ, and the facts for the score's detail.

    gap: (m,) upper less lower bound on log p of data simulated from the model, nats; None where
    the prior has no exact draws.
    """

    estimates: Estimates
    sigma: float
    gap: Tensor | None
    detail: dict[str, Any] = field(default_factory=dict)


class DecoderLikelihood:
    """The estimate for one trained model, in the order it is made.

    evaluation: of a model that declares decode and a prior. config: sizes of the estimators.
    asked: latents whose density the costly prior has been asked for.
    """

    def __init__(self, evaluation: Evaluation, config: LikelihoodConfig) -> None:
        self.evaluation, self.config, self.model = evaluation, config, evaluation.model
        d = self.model.latent_dim
        if d > _LATENT_LIMIT:
            raise NotAvailable(f"{d} latent dimensions; the proposal's Jacobian is cut off at 256")
        self.encoded = "encode" in evaluation.capabilities
        self.costly = "standard_prior" not in evaluation.capabilities
        self.asked = 0
        self.observation = Observation(
            self.model.decode,
            latent_dim=d,
            dim=evaluation.dataset.info.dim,
            device=evaluation.device,
        )
        self.low_dim = self.observation.dim <= config.prior_proposal_dim
        self.prior = self._prior()
        self.estimators = Estimators(
            self.observation,
            self.prior,
            config,
            low_dim=self.low_dim,
            generator=self._generator,
        )
        self.pool = self.estimators.prior_draws("pool")

    def run(self, validation: Tensor, test: Tensor) -> DecoderEstimate:
        """Choose σ on validation, estimate on test: both (n, *shape) float32, model space."""
        choice = self._choose_sigma(validation)
        x = test.flatten(1).double()
        proposal = self._proposal(self._modes(test, choice.sigma, "test"))
        detail = {
            "observation": "N(decode(z), σ²I)",
            "sigma_from": "validation split",
            "sigma": choice.sigma,
            "sigma_rounds": choice.rounds,
            "validation_n": len(validation),
            "validation_nll_model_space": -choice.log_prob,
            "latent_dim": self.observation.latent_dim,
            "prior": "prior_log_prob" if self.costly else "N(0, I)",
            "proposal": "Gauss-Newton Laplace mixture" + (", prior draws" if self.low_dim else ""),
            "modes_per_example": proposal.modes_per_example(),
            "widening": self.config.widening,
        }
        if self.costly:
            estimates, facts = self._with_costly_prior(x, proposal, choice.sigma)
        else:
            estimates, facts = self._estimate(x, proposal, choice.sigma, "test")
        gap = None if self.costly else self._gap(choice.sigma)
        return DecoderEstimate(estimates, choice.sigma, gap, detail | facts)

    # Estimators

    def _estimate(
        self, x: Tensor, proposal: Proposal, sigma: float, name: str, exact: Tensor | None = None
    ) -> tuple[Estimates, dict[str, Any]]:
        """Under N(0, I); exact: posterior draws (n, d), for upper bounds as well."""
        if not self.encoded:
            return self.estimators.annealed(x, proposal, sigma, name, exact)
        facts: dict[str, Any] = {
            "estimator": "iwae",
            "importance_samples": self.config.importance_samples,
        }
        if self.low_dim:
            facts["prior_draws"] = self.config.prior_draws
        return self.estimators.importance(x, proposal, sigma, name, exact), facts

    def _with_costly_prior(
        self, x: Tensor, proposal: Proposal, sigma: float
    ) -> tuple[Estimates, dict[str, Any]]:
        # All that σ's choice has left over.
        count = max(2, (self.config.prior_evaluations - self.asked) // len(x))
        draws = self._true_prior(self._draws(x, proposal, "test"), sigma, count, "resample/test")
        facts = {
            "estimator": "iwae, surrogate weights resampled" if self.encoded else "importance",
            "importance_samples": self.config.importance_samples,
            "prior_evaluations": self.asked,
            "prior_evaluations_per_example": count,
        }
        return Estimates.of_draws(draws, sigma), facts

    def _gap(self, sigma: float) -> Tensor | None:
        """Upper less lower bound on log p of examples that the model itself makes at σ: (m,).

        z from the prior and x = g(z) + N(0, σ² I), so z is an exact draw from p(z | x). The
        examples then pass through all that a test example passes, the search for modes included.
        """
        n = fewer(self.config.simulated_examples, self.observation.dim, least=8)
        if not n:
            return None
        generator = self._generator("simulated")
        z = self.prior.sample(n, generator=generator)
        noise = torch.randn(n, self.observation.dim, generator=generator, dtype=torch.float64)
        flat = self.observation.mean(z) + sigma * noise.to(z.device)
        x = flat.float().unflatten(1, self.evaluation.dataset.info.shape)
        proposal = self._proposal(self._modes(x, sigma, "simulated"))
        # The model sees float32; so does the estimate, and z is exact for that x.
        found, _ = self._estimate(x.flatten(1).double(), proposal, sigma, "simulated", z)
        return None if found.upper is None else found.upper - found.log_prob

    # σ

    def _choose_sigma(self, validation: Tensor) -> SigmaChoice:
        x = validation.flatten(1).double()
        last: list[tuple[float, Modes]] = []

        def fitted(sigma: float) -> Draws:
            warm = None
            if last:
                warm = rescaled(last[-1][1], self.prior, (last[-1][0] / sigma) ** 2)
            last.append((sigma, self._modes(validation, sigma, "validation", warm)))
            return self._draws(x, self._proposal(last[-1][1]), "validation")

        choice = choose_sigma(fitted, self._first_sigma(validation), rounds=_SIGMA_ROUNDS)
        if not self.costly:
            return choice
        count = max(2, self.config.prior_evaluations // (4 * _CORRECTIONS * len(x)))

        def correction(sigma: float) -> float:
            draws = fitted(sigma)
            true = self._true_prior(draws, sigma, count, "resample/validation")
            return float((true.log_prob(sigma) - draws.log_prob(sigma)).mean())

        levels = open_levels(fitted, choice.sigma)
        return corrected_sigma(levels, correction, evaluations=_CORRECTIONS)

    def _first_sigma(self, x: Tensor) -> float:
        """Root mean square error per number of the best start, or a little where that is less."""
        error = self.observation.squared_error(self._starts(x), x.flatten(1).double()).amin(1)
        return max(_FIRST_SIGMA, float((error.mean() / self.observation.dim).sqrt()))

    # Proposals

    def _starts(self, x: Tensor) -> Tensor:
        """Starting points of the mode search, (n, R, d): the encoder's mean, then prior draws."""
        flat, found = x.flatten(1).double(), []
        if self.encoded:
            with torch.no_grad():
                found.append(self.model.encode(x)[0].double()[:, None])
        wanted = self.config.restarts * (3 if self.low_dim else 1) - len(found)
        if wanted:
            found.append(nearest_starts(flat, self.pool.z, self.pool.means, wanted, _POOL))
        return torch.cat(found, 1)

    def _modes(self, x: Tensor, sigma: float, name: str, warm: Modes | None = None) -> Modes:
        """Gaussian pieces of the posterior at σ; `warm`: those of a σ nearby."""
        flat, rounds = x.flatten(1).double(), self.config.variational_rounds
        if warm is None:
            warm = self._searched(x, sigma)
        else:
            rounds = (rounds + 1) // 2
        return refine(
            self.observation,
            self.prior,
            flat,
            warm,
            sigma=sigma,
            rounds=rounds,
            generator=self._generator(f"refine/{name}"),
        )

    def _searched(self, x: Tensor, sigma: float) -> Modes:
        """Modes by descent: a few steps from every start, then the rest from the best."""
        flat, starts = x.flatten(1).double(), self._starts(x)
        # Of a mixture prior the broad component, the last, does not prejudge where z is.
        piece = torch.full_like(starts[:, :, 0], len(self.prior.means) - 1, dtype=torch.int64)
        keep = starts.shape[1] if self.low_dim else _KEPT_MODES
        first = min(_FIRST_STEPS, self.config.newton_steps)
        for steps in (first, self.config.newton_steps - first):
            modes = find_modes(
                self.observation, self.prior, flat, starts, piece, sigma=sigma, steps=steps
            ).best(keep)
            starts, piece = modes.z, modes.piece
        return modes

    def _proposal(self, modes: Modes) -> Proposal:
        if len(self.prior.means) > 1:
            modes = split(modes, self.prior, _PIECES)
        return Proposal(modes, self.config.widening)

    def _draws(self, x: Tensor, proposal: Proposal, name: str) -> Draws:
        return self.estimators.draws(x, proposal, name)

    # Priors

    def _prior(self) -> MixturePrior:
        """N(0, I), or what stands in for a costly prior: fitted to encoded samples of the model.

        Its own samples and not the data, so that σ answers for the prior the model has learned.
        """
        if not (self.costly and self.encoded):
            return MixturePrior.standard(self.observation.latent_dim, self.observation.device)
        x = self.evaluation.samples(_PRIOR_FIT).to(self.observation.device)
        with torch.no_grad():
            z = torch.cat([self.model.encode(part)[0] for part in x.split(1024)]).double()
        return MixturePrior.fitted(z, generator=self._generator("prior"))

    def _true_prior(self, draws: Draws, sigma: float, count: int, name: str) -> Draws:
        def log_prior(z: Tensor) -> Tensor:
            self.asked += len(z)
            with torch.no_grad():
                return self.model.prior_log_prob(z.float()).double()

        return with_costly_prior(
            draws,
            self.prior,
            log_prior,
            sigma=sigma,
            count=count,
            generator=self._generator(name),
        )

    def _generator(self, name: str) -> torch.Generator:
        return self.evaluation.generator(f"likelihood/{name}")
