"""Bounds from both sides, two estimators held against each other, and what reliability says."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from benchbench_vae.config import VaeConfig
from benchbench_vae.model import Vae
from likelihood_cases import FakeEvaluation, FakeModel, LinearGaussian, folded, points
from torch import Tensor

from benchbench.api import Budget
from benchbench.api.seeding import seeded_generator
from benchbench.metrics.likelihood.ais import Schedule, annealed_log_prob
from benchbench.metrics.likelihood.estimates import Estimates
from benchbench.metrics.likelihood.estimators import Estimators
from benchbench.metrics.likelihood.importance import importance_draws, with_exact_draw
from benchbench.metrics.likelihood.metric import _test, compute, reliability
from benchbench.metrics.likelihood.modes import Modes, find_modes
from benchbench.metrics.likelihood.observation import Observation
from benchbench.metrics.likelihood.priors import MixturePrior
from benchbench.metrics.likelihood.proposals import Proposal
from benchbench.metrics.likelihood.refine import refine
from benchbench.metrics.specs_likelihood import LikelihoodConfig, fewer
from benchbench.runner.training import CellTraining, fit_model
from benchbench.testing.cases import case as kit_case


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def modes_at(observation: Observation, x: Tensor, starts: Tensor, sigma: float) -> Modes:
    prior = MixturePrior.standard(observation.latent_dim)
    piece = torch.zeros(starts.shape[:2], dtype=torch.int64)
    return find_modes(observation, prior, x, starts, piece, sigma=sigma, steps=20)


def simulated(case: LinearGaussian, n: int) -> tuple[Tensor, Tensor]:
    """z from the prior and x given z."""
    z = torch.randn(n, case.d, generator=seeded(1), dtype=torch.float64)
    noise = torch.randn(n, case.dim, generator=seeded(2), dtype=torch.float64)
    return z, case.decode(z) + case.sigma * noise


def test_bounds_of_weights_enclose_the_exact_value() -> None:
    """A proposal fitted at 2 σ with few draws: both bounds are loose, and on their own side."""
    case = LinearGaussian(8, 48)
    observation = Observation(case.decode, latent_dim=8, dim=48)
    z, x = simulated(case, 200)
    prior = MixturePrior.standard(8)
    start = torch.zeros(200, 1, 8, dtype=torch.float64)
    proposal = Proposal(modes_at(observation, x, start, 2 * case.sigma), 1.3)
    draws = importance_draws(
        observation, prior, x, proposal, 8, generator=seeded(), independent=True
    )
    above = with_exact_draw(draws, observation, prior, x, proposal, z, generator=seeded(3))
    lower = draws.log_prob(case.sigma) - case.log_prob(x)
    upper = above.log_prob(case.sigma) - case.log_prob(x)
    assert float(lower.mean()) < -0.2 and float(upper.mean()) > 0.1
    # E 1/p̂ = 1/p(x) with the exact draw among them, as E p̂ = p(x) without.
    inverse = (-upper).exp()
    assert float(inverse.mean()) == pytest.approx(1, abs=4 * float(inverse.std()) / math.sqrt(200))


def test_bounds_of_chains_enclose_the_exact_value() -> None:
    case = LinearGaussian(8, 48)
    observation = Observation(case.decode, latent_dim=8, dim=48)
    z, x = simulated(case, 60)
    start = torch.zeros(60, 1, 8, dtype=torch.float64)
    proposal = Proposal(modes_at(observation, x, start, 3 * case.sigma), 1.3)
    gaps = []
    for temperatures in (1, 12):
        result = annealed_log_prob(
            observation,
            MixturePrior.standard(8),
            x,
            proposal,
            Schedule(4, temperatures, 3),
            sigma=case.sigma,
            generator=seeded(),
            exact=z,
        )
        upper = result.upper()
        assert upper is not None
        assert float((result.log_prob - case.log_prob(x)).mean()) < 0.05
        assert float((upper - case.log_prob(x)).mean()) > -0.05
        gaps.append(float((upper - result.log_prob).mean()))
    assert gaps[1] < gaps[0] / 2


def test_a_missed_mode_opens_the_gap_while_the_sample_size_looks_well() -> None:
    """Four latents decode to most points and the proposal knows one: no ESS can see that."""
    sigma = 0.05
    observation = Observation(folded, latent_dim=2, dim=2)
    prior = MixturePrior.standard(2)
    z = prior.sample(300, generator=seeded(3))
    noise = torch.randn(300, 2, generator=seeded(4), dtype=torch.float64)
    x = folded(z) + sigma * noise
    # Each proposal is fitted at the mirror image of the latent that made x.
    starts = (z * torch.tensor([-1.0, 1.0]))[:, None]
    proposal = Proposal(modes_at(observation, x, starts, sigma), 1.3)
    draws = importance_draws(
        observation, prior, x, proposal, 256, generator=seeded(), independent=True
    )
    above = with_exact_draw(draws, observation, prior, x, proposal, z, generator=seeded(5))
    gap = above.log_prob(sigma) - draws.log_prob(sigma)
    assert float(draws.ess(sigma).median()) > 50
    facts = reliability(draws.ess(sigma), gap)
    assert facts["reliable"] is False
    assert "nats apart" in facts["unreliable_reason"] and "sample size" not in str(
        facts["unreliable_reason"]
    )


def test_neither_gap_nor_sample_size_excuses_the_other() -> None:
    good, poor = torch.full((4,), 50.0), torch.full((4,), 2.0)
    assert reliability(good, torch.tensor([0.1, 0.2]))["reliable"] is True
    assert reliability(good, torch.tensor([0.1, 3.0]))["reliable"] is False
    assert reliability(poor, torch.tensor([0.0, 0.0]))["reliable"] is False
    assert reliability(good, torch.tensor([math.nan]))["reliable"] is False
    assert reliability(good)["reliable"] is True


def trained_vae() -> tuple[Vae, Any]:
    dataset = kit_case("image").dataset
    torch.manual_seed(0)
    config = VaeConfig(latent_dim=6, width=32, encoder_depth=1, decoder_depth=1, batch_size=64)
    model = Vae(config, dataset.info)
    training = CellTraining(dataset, Budget.parse("150step"), device=torch.device("cpu"), seed=0)
    training.attach(model)
    fit_model(model, training)
    return model.eval(), dataset


def test_ais_and_iwae_agree_on_a_trained_vae() -> None:
    """The same σ and proposals, random numbers of their own: they differ within their errors."""
    model, dataset = trained_vae()
    x = kit_case("image").held_out(16)
    sigma = float(model.variance.sqrt())
    observation = Observation(model.decode, latent_dim=6, dim=dataset.info.dim)
    prior, flat = MixturePrior.standard(6), x.flatten(1).double()
    with torch.no_grad():
        start = model.encode(x)[0].double()[:, None]
    modes = modes_at(observation, flat, start, sigma)
    fitted = refine(observation, prior, flat, modes, sigma=sigma, rounds=4, generator=seeded())
    proposal = Proposal(fitted, 1.3)
    estimators = Estimators(
        observation,
        prior,
        LikelihoodConfig(chains=16, temperatures=12),
        low_dim=False,
        generator=lambda name: seeded_generator("cpu", "vae", name),
    )
    iwae = estimators.importance(flat, proposal, sigma, "test")
    ais, facts = estimators.annealed(flat, proposal, sigma, "test")
    assert facts["estimator"] == "ais" and facts["annealed_n"] == 16
    error = math.sqrt(float(iwae.own.sum() + ais.own.sum())) / 16
    assert error < 0.2
    assert abs(iwae.corrected - ais.corrected) < 4 * error + 0.01
    # The bound the model was trained by lies below both.
    with torch.no_grad():
        draws = [model.elbo(x, generator=seeded(s)) for s in range(20)]
    assert float(torch.stack(draws).double().mean()) < iwae.corrected


def test_a_ceiling_cuts_temperatures_and_says_so() -> None:
    case = LinearGaussian(8, 48)

    def decode(z: Tensor) -> Tensor:
        return torch.nn.functional.linear(z, case.w.to(z.dtype), case.b.to(z.dtype))

    observation = Observation(decode, latent_dim=8, dim=48)
    x = case.draw(10)
    start = torch.zeros(10, 1, 8, dtype=torch.float64)
    proposal = Proposal(modes_at(observation, x, start, case.sigma), 1.3)
    # Forward and backward of a product of 8 × 48: 4 · 384 FLOPs, 10 examples, 4 chains, 4 steps.
    flop = 4 * 384 * 10 * 4 * 4
    for ceiling, temperatures in ((1e12, 6), (flop * 3, 3), (1.0, 1)):
        estimators = Estimators(
            observation,
            MixturePrior.standard(8),
            LikelihoodConfig(chains=4, temperatures=6, annealing_flop=ceiling),
            low_dim=False,
            generator=lambda name: seeded_generator("cpu", "ceiling", name),
        )
        _, facts = estimators.annealed(x, proposal, case.sigma, "test")
        assert facts["temperatures"] == temperatures
        # Four chains never have an effective size of ten: they run again if the ceiling lets them.
        assert ("reannealed_n" in facts) == (ceiling == 1e12)
        assert ("annealing_cut" in facts) == (ceiling < 1e12)


def test_estimates_merge_by_rows() -> None:
    first = Estimates.of_chains(torch.zeros(2, 4).double())
    second = Estimates.of_chains(torch.ones(1, 4).double())
    rows = torch.tensor([0, 2])
    merged = Estimates.merged(3, [(rows, first), (torch.tensor([1]), second)])
    assert merged.log_prob.tolist() == pytest.approx([0, 1, 0])
    assert merged.upper is None and float(merged.own.sum()) == 0
    replaced = Estimates.merged(2, [(torch.arange(2), first), (torch.tensor([1]), second)])
    assert replaced.log_prob.tolist() == pytest.approx([0, 1])


def test_every_model_and_seed_is_scored_on_the_same_dequantised_examples() -> None:
    dataset = kit_case("image").dataset
    seen = []
    for name in ("a", "b"):
        model = FakeModel(dataset.info, 1, folded, exact=lambda x: x.flatten(1).sum(1))
        evaluation = FakeEvaluation(dataset, model, {"log_prob"})
        evaluation.generator = lambda _, device="cpu", name=name: seeded(ord(name))  # type: ignore
        seen.append(_test(evaluation, LikelihoodConfig(examples=20)))
    assert torch.equal(seen[0], seen[1])
    step = 2 / (dataset.info.levels - 1)  # type: ignore[operator]
    assert not torch.equal(seen[0], dataset.to_model(dataset.test.raw[:20]))
    assert float((seen[0] - dataset.to_model(dataset.test.raw[:20])).abs().max()) <= step / 2


def test_large_data_are_scored_on_fewer_examples() -> None:
    """784 numbers: 256/784 of the examples, and 16 at least."""
    assert [fewer(100, d) for d in (2, 256, 784, 3072)] == [100, 100, 32, 16]
    assert fewer(10, 3072) == 10
    generator = seeded(0)
    data = points(torch.randn(120, 784, generator=generator, dtype=torch.float64), held_out=50)
    model = FakeModel(data.info, 1, folded, exact=lambda x: x.sum(1))
    score = compute(FakeEvaluation(data, model, {"log_prob"}), LikelihoodConfig(examples=40))[0]
    assert score.n == 16
