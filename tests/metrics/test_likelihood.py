"""The estimators against closed forms and brute-force integration."""

from __future__ import annotations

import math

import pytest
import torch
from likelihood_cases import LinearGaussian, folded, integrated, standard_normal
from torch import Tensor

from benchbench.metrics.likelihood.ais import Schedule, annealed_log_prob
from benchbench.metrics.likelihood.importance import (
    Draws,
    PriorDraws,
    effective_size,
    importance_draws,
    with_costly_prior,
)
from benchbench.metrics.likelihood.modes import Modes, find_modes, nearest_starts
from benchbench.metrics.likelihood.observation import Observation
from benchbench.metrics.likelihood.priors import MixturePrior
from benchbench.metrics.likelihood.proposals import Proposal, systematic
from benchbench.metrics.likelihood.refine import refine, split
from benchbench.metrics.likelihood.sigma import choose_sigma

LINEAR = [(2, 6), (8, 48), (32, 192)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear_case(d: int, dim: int, n: int) -> tuple[LinearGaussian, Observation, Tensor]:
    case = LinearGaussian(d, dim)
    return case, Observation(case.decode, latent_dim=d, dim=dim), case.draw(n)


def modes_from(
    observation: Observation, prior: MixturePrior, x: Tensor, starts: Tensor, sigma: float
) -> Modes:
    piece = prior.likeliest(starts.flatten(0, 1), 1).unflatten(0, starts.shape[:2])[..., 0]
    return find_modes(observation, prior, x, starts, piece, sigma=sigma, steps=40)


def linear_proposal(
    observation: Observation, x: Tensor, sigma: float, widening: float = 1.3
) -> tuple[MixturePrior, Proposal]:
    prior = MixturePrior.standard(observation.latent_dim)
    start = prior.sample(len(x), generator=seeded(7))[:, None]
    return prior, Proposal(modes_from(observation, prior, x, start, sigma), widening)


def test_linearisation_is_the_jacobian() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.SiLU(), torch.nn.LayerNorm(16))
    observation = Observation(net, latent_dim=3, dim=16)
    z, x = torch.randn(5, 3, generator=seeded()).double(), torch.zeros(5, 16).double()
    error, pulled, square = observation.normal_equations(z, x)
    for i in range(5):
        jacobian = torch.autograd.functional.jacobian(lambda v: net(v[None])[0], z[i].float())
        assert isinstance(jacobian, Tensor)
        jacobian = jacobian.double()
        residual = x[i] - net(z[i : i + 1].float())[0].detach().double()
        torch.testing.assert_close(square[i], jacobian.T @ jacobian, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(pulled[i], jacobian.T @ residual, rtol=1e-5, atol=1e-5)
    direct, gradient = observation.error_and_gradient(z, x)
    torch.testing.assert_close(direct, error)
    torch.testing.assert_close(gradient, -2 * pulled, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("d", "dim"), LINEAR)
def test_mode_of_a_linear_decoder_is_its_posterior(d: int, dim: int) -> None:
    case, observation, x = linear_case(d, dim, 10)
    _, proposal = linear_proposal(observation, x, case.sigma)
    mean, std = case.posterior(x)
    torch.testing.assert_close(proposal.means[:, 0], mean, rtol=0, atol=1e-3)
    covariance = torch.cholesky_inverse(proposal.roots[:, 0])
    torch.testing.assert_close(covariance.diagonal(dim1=1, dim2=2).sqrt(), std, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("d", "dim"), LINEAR)
def test_importance_weights_on_a_linear_decoder(d: int, dim: int) -> None:
    case, observation, x = linear_case(d, dim, 100)
    prior, proposal = linear_proposal(observation, x, case.sigma)
    draws = importance_draws(observation, prior, x, proposal, 256, generator=seeded())
    error = draws.log_prob(case.sigma) - case.log_prob(x)
    assert abs(float(error.mean())) < 0.02
    assert float(error.abs().max()) < 0.3
    # The unwidened half of the proposal is exact here, so no weight exceeds twice the mean.
    assert float(draws.ess(case.sigma).min()) > 128 * 0.9


@pytest.mark.parametrize(("d", "dim"), LINEAR)
def test_annealing_on_a_linear_decoder(d: int, dim: int) -> None:
    case, observation, x = linear_case(d, dim, 100)
    prior, proposal = linear_proposal(observation, x, case.sigma)
    result = annealed_log_prob(
        observation, prior, x, proposal, Schedule(16, 12, 3), sigma=case.sigma, generator=seeded()
    )
    error = result.log_prob - case.log_prob(x)
    assert abs(float(error.mean())) < 0.1
    assert float(result.ess.mean()) > 10
    assert 0.5 < result.acceptance <= 1


def test_annealing_corrects_a_wrong_proposal_better_than_weights_do() -> None:
    """A proposal fitted at σ = 0.5 for a posterior at σ = 0.25, 8 latents."""
    case, observation, x = linear_case(8, 48, 60)
    prior, proposal = linear_proposal(observation, x, 2 * case.sigma, widening=1.0)
    plain = importance_draws(observation, prior, x, proposal, 16, generator=seeded())
    annealed = annealed_log_prob(
        observation, prior, x, proposal, Schedule(16, 40, 3), sigma=case.sigma, generator=seeded()
    )
    true = case.log_prob(x)
    plain_error = float((plain.log_prob(case.sigma) - true).mean())
    annealed_error = float((annealed.log_prob - true).mean())
    assert plain_error < -0.3
    assert abs(annealed_error) < 0.1
    assert float(annealed.ess.mean()) > 2 * float(plain.ess(case.sigma).mean())


def folded_case(n: int, sigma: float) -> tuple[Observation, Tensor]:
    z = torch.randn(n, 2, generator=seeded(3), dtype=torch.float64)
    noise = torch.randn(n, 2, generator=seeded(4), dtype=torch.float64)
    return Observation(folded, latent_dim=2, dim=2), folded(z) + sigma * noise


def folded_proposal(
    observation: Observation, x: Tensor, sigma: float
) -> tuple[MixturePrior, Proposal]:
    prior = MixturePrior.standard(2)
    pool = prior.sample(5000, generator=seeded(5))
    starts = nearest_starts(x, pool, observation.mean(pool), 10, 64)
    return prior, Proposal(modes_from(observation, prior, x, starts, sigma), 1.3)


@pytest.mark.parametrize("sigma", [0.2, 0.05])
def test_several_modes_against_integration(sigma: float) -> None:
    observation, x = folded_case(20, sigma)
    prior, proposal = folded_proposal(observation, x, sigma)
    true = integrated(folded, standard_normal, x, sigma)
    assert proposal.modes_per_example() > 2
    plain = importance_draws(observation, prior, x, proposal, 2000, generator=seeded())
    error = plain.log_prob(sigma) - true
    assert abs(float(error.mean())) < 0.05
    result = annealed_log_prob(
        observation, prior, x, proposal, Schedule(32, 30, 5), sigma=sigma, generator=seeded()
    )
    assert abs(float((result.log_prob - true).mean())) < 0.1
    single = Proposal(modes_from(observation, prior, x, proposal.means[:, :1].clone(), sigma), 1.3)
    one_mode = importance_draws(observation, prior, x, single, 2000, generator=seeded())
    assert float((one_mode.log_prob(sigma) - true).mean()) < -0.3


def test_prior_draws_join_the_proposal() -> None:
    """With one mode's proposal only, shared draws of the prior still find the others."""
    sigma = 0.1
    observation, x = folded_case(20, sigma)
    prior, proposal = folded_proposal(observation, x, sigma)
    single = Proposal(modes_from(observation, prior, x, proposal.means[:, :1].clone(), sigma), 1.3)
    shared = PriorDraws.of(observation, prior, 20_000, generator=seeded(8))
    draws = importance_draws(observation, prior, x, single, 256, generator=seeded(), shared=shared)
    error = draws.log_prob(sigma) - integrated(folded, standard_normal, x, sigma)
    assert abs(float(error.mean())) < 0.05
    assert draws.squared.shape == (20, 20_256)


@pytest.mark.parametrize(("d", "dim"), LINEAR)
def test_variational_fit_keeps_a_linear_posterior(d: int, dim: int) -> None:
    """The posterior is a fixed point, and is found from a Gaussian that is not it."""
    case, observation, x = linear_case(d, dim, 10)
    prior = MixturePrior.standard(d)
    start = prior.sample(10, generator=seeded(7))[:, None]
    exact = modes_from(observation, prior, x, start, case.sigma)
    kept = refine(observation, prior, x, exact, sigma=case.sigma, rounds=6, generator=seeded())
    torch.testing.assert_close(kept.z, exact.z, rtol=0, atol=1e-4)
    torch.testing.assert_close(kept.hessian, exact.hessian, rtol=1e-5, atol=1e-3)
    off = Modes(exact.z + 0.3, exact.piece, 2 * exact.hessian, exact.log_mass)
    found = refine(observation, prior, x, off, sigma=case.sigma, rounds=12, generator=seeded())
    torch.testing.assert_close(found.z, exact.z, rtol=0, atol=0.02)
    torch.testing.assert_close(found.hessian, exact.hessian, rtol=0.05, atol=1e-2)


def test_variational_fit_covers_what_a_mode_does_not() -> None:
    """g(z) = W z³ is flat at z = 0 and steep where the mass of twelve latents is."""
    generator = seeded(11)
    w = torch.randn(24, 12, generator=generator, dtype=torch.float64)

    def decode(z: Tensor) -> Tensor:
        return (z**3) @ w.to(z.dtype).T * 0.1

    observation, sigma = Observation(decode, latent_dim=12, dim=24), 0.5
    prior = MixturePrior.standard(12)
    z = prior.sample(20, generator=generator)
    x = decode(z) + sigma * torch.randn(20, 24, generator=generator, dtype=torch.float64)
    modes = modes_from(observation, prior, x, z[:, None].clone(), sigma)
    fitted = refine(observation, prior, x, modes, sigma=sigma, rounds=10, generator=seeded())
    sizes = []
    for candidate in (modes, fitted):
        proposal = Proposal(candidate, 1.3)
        draws = importance_draws(observation, prior, x, proposal, 1000, generator=seeded())
        sizes.append(float(draws.ess(sigma).mean()))
    assert sizes[1] > 1.5 * sizes[0]


def test_split_is_the_exact_posterior_under_a_mixture_prior() -> None:
    """Linear decoder, two-piece prior: masses are the pieces' true posterior shares."""
    case, observation, x = linear_case(2, 6, 12)
    eye = torch.eye(2, dtype=torch.float64)
    prior = MixturePrior(
        torch.tensor([0.3, 0.7]).double().log(),
        torch.tensor([[0.5, -0.5], [-0.2, 0.3]]).double(),
        torch.stack([eye / 0.3, eye / 0.8]),
    )
    piece = torch.ones(12, 1, dtype=torch.int64)
    start = torch.zeros(12, 1, 2).double()
    modes = find_modes(observation, prior, x, start, piece, sigma=case.sigma, steps=20)
    both = split(modes, prior, 2)
    noise = case.sigma**2 * torch.eye(6, dtype=torch.float64)
    log_marginal = torch.stack(
        [
            torch.distributions.MultivariateNormal(
                case.b + case.w @ prior.means[c],
                case.w @ torch.linalg.inv(prior.roots[c] @ prior.roots[c].mT) @ case.w.T + noise,
            ).log_prob(x)
            + prior.log_shares[c]
            for c in range(2)
        ],
        dim=1,
    )
    true = log_marginal.log_softmax(1).gather(1, both.piece)
    torch.testing.assert_close(both.log_mass.log_softmax(1), true, rtol=0, atol=1e-3)
    draws = importance_draws(observation, prior, x, Proposal(both, 1.0), 400, generator=seeded())
    error = draws.log_prob(case.sigma) - log_marginal.logsumexp(1)
    assert abs(float(error.mean())) < 0.02


def mixture_prior(z: Tensor) -> Tensor:
    """0.3 N((−1.5, 0), 0.2² I) + 0.7 N((1, 0.5), 0.4² I)."""
    left = torch.distributions.Normal(z.new_tensor([-1.5, 0.0]), 0.2).log_prob(z).sum(-1)
    right = torch.distributions.Normal(z.new_tensor([1.0, 0.5]), 0.4).log_prob(z).sum(-1)
    return torch.logaddexp(left + math.log(0.3), right + math.log(0.7))


def mixture_latents(n: int, seed: int) -> Tensor:
    generator = seeded(seed)
    left = torch.rand(n, 1, generator=generator) < 0.3
    noise = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    centre = torch.where(left, torch.tensor([[-1.5, 0.0]]), torch.tensor([[1.0, 0.5]]))
    return centre.double() + torch.where(left, 0.2, 0.4) * noise


def test_a_fitted_prior_is_close_to_the_density_it_stands_in_for() -> None:
    prior = MixturePrior.fitted(mixture_latents(6000, 0), generator=seeded())
    held = mixture_latents(2000, 1)
    divergence = float((mixture_prior(held) - prior.log_prob(held)).mean())
    assert -0.02 < divergence < 0.15
    drawn = prior.sample(4000, generator=seeded(2))
    torch.testing.assert_close(drawn.mean(0), held.mean(0), rtol=0, atol=0.15)
    slope = torch.autograd.functional.jacobian(lambda z: prior.log_prob(z).sum(), held[:20])
    assert isinstance(slope, Tensor)
    torch.testing.assert_close(prior.gradient(held[:20]), slope)


@pytest.mark.parametrize("stand_in", ["fitted", "standard"])
def test_true_prior_in_the_final_weights(stand_in: str) -> None:
    """Against integration, with a good and with a poor stand-in for the prior."""
    sigma = 0.3

    def decode(z: Tensor) -> Tensor:
        return torch.stack([z[:, 0] + 0.3 * z[:, 1].sin(), z[:, 1], z[:, 0] * z[:, 1]], dim=1)

    observation = Observation(decode, latent_dim=2, dim=3)
    z = mixture_latents(25, 2)
    x = decode(z) + sigma * torch.randn(25, 3, generator=seeded(3), dtype=torch.float64)
    prior = MixturePrior.standard(2)
    if stand_in == "fitted":
        prior = MixturePrior.fitted(mixture_latents(6000, 4), generator=seeded())
    broad = torch.full((25, 1), len(prior.means) - 1)
    modes = find_modes(observation, prior, x, z[:, None], broad, sigma=sigma, steps=40)
    if stand_in == "fitted":
        modes = split(modes, prior, 8)
    proposal = Proposal(modes, 1.3)
    draws = importance_draws(observation, prior, x, proposal, 512, generator=seeded())
    asked = []

    def log_prior(latents: Tensor) -> Tensor:
        asked.append(len(latents))
        return mixture_prior(latents)

    true = integrated(decode, mixture_prior, x, sigma)
    result = with_costly_prior(draws, prior, log_prior, sigma=sigma, count=32, generator=seeded())
    error = result.log_prob(sigma) - true
    assert abs(float(error.mean())) < (0.03 if stand_in == "fitted" else 0.1)
    assert sum(asked) <= 25 * 32
    assert float(result.ess(sigma).max()) <= 32 + 1e-9
    # The same draws serve a σ nearby: the weights are a function of σ.
    near = result.log_prob(1.1 * sigma) - integrated(decode, mixture_prior, x, 1.1 * sigma)
    assert abs(float(near.mean())) < 0.1


def test_resampled_weights_are_unbiased_for_the_same_mean() -> None:
    """Averaged over resamplings, the costly weights equal the plain ones: Σ_k w_k p/p_s."""
    sigma = 0.25
    observation, x = folded_case(3, sigma)
    prior, proposal = folded_proposal(observation, x, sigma)
    draws = importance_draws(observation, prior, x, proposal, 64, generator=seeded())
    plain = (draws.log_weights(sigma) + mixture_prior(draws.z) - prior.log_prob(draws.z)).exp()
    generator, total = seeded(1), torch.zeros(3).double()
    for _ in range(2000):
        part = with_costly_prior(
            draws, prior, mixture_prior, sigma=sigma, count=4, generator=generator
        )
        total += part.log_prob(sigma).exp()
    torch.testing.assert_close(total / 2000, plain.mean(1), rtol=0.05, atol=0)


def test_the_interval_does_not_depend_on_how_far_the_surrogate_is_off() -> None:
    """Thousands of nats off, as under an untrained prior, nothing overflows."""
    sigma = 0.25
    observation, x = folded_case(3, sigma)
    prior, proposal = folded_proposal(observation, x, sigma)
    draws = importance_draws(observation, prior, x, proposal, 64, generator=seeded())

    def off_by(nats: float) -> Draws:
        return with_costly_prior(
            draws,
            prior,
            lambda z: mixture_prior(z) + nats,
            sigma=sigma,
            count=8,
            generator=seeded(1),
        )

    near = off_by(0.0)
    for nats in (2000.0, -2000.0):
        far = off_by(nats)
        torch.testing.assert_close(far.spread(sigma).own, near.spread(sigma).own)
        torch.testing.assert_close(far.log_prob(sigma), near.log_prob(sigma) + nats)


def test_proposal_density_integrates_to_one_and_matches_its_draws() -> None:
    sigma = 0.3
    observation, x = folded_case(2, sigma)
    _, proposal = folded_proposal(observation, x, sigma)
    axis = torch.linspace(-8, 8, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis).expand(2, -1, -1)
    density = proposal.log_prob(grid).exp()
    torch.testing.assert_close(density.sum(1) * 0.02**2, torch.ones(2).double(), rtol=1e-3, atol=0)
    drawn = proposal.sample(20_000, generator=seeded())
    by_density = (density[..., None] * grid).sum(1) * 0.02**2
    torch.testing.assert_close(drawn.mean(1), by_density, rtol=0, atol=0.03)
    parts, slopes = proposal.component_log_probs(drawn[:, :50])
    torch.testing.assert_close(parts.logsumexp(-1), proposal.log_prob(drawn[:, :50]))
    point = drawn[:, :50].clone().requires_grad_()
    (slope,) = torch.autograd.grad(proposal.log_prob(point).sum(), point)
    torch.testing.assert_close((parts.softmax(-1)[..., None] * slopes).sum(-2), slope)


def test_systematic_resampling_keeps_each_share() -> None:
    shares = torch.tensor([[0.5, 0.0, 0.25, 0.25]]).double()
    index = systematic(shares, 8, generator=seeded())
    assert torch.bincount(index[0], minlength=4).tolist() == [4, 0, 2, 2]
    assert effective_size(torch.tensor([[0.0, -math.inf, 0.0]])).item() == pytest.approx(2)


def test_sigma_of_a_linear_decoder_is_found_from_afar() -> None:
    """σ that generated the data, from starts a factor 6 off on either side."""
    case, observation, x = linear_case(8, 48, 100)
    prior = MixturePrior.standard(8)
    start = torch.zeros(100, 1, 8, dtype=torch.float64)

    def draws_at(sigma: float):  # type: ignore[no-untyped-def]
        proposal = Proposal(modes_from(observation, prior, x, start, sigma), 1.3)
        return importance_draws(observation, prior, x, proposal, 128, generator=seeded())

    found = [choose_sigma(draws_at, first, rounds=8).sigma for first in (0.04, 1.5)]
    assert found[0] == pytest.approx(found[1], rel=0.01)
    assert found[0] == pytest.approx(case.sigma, rel=0.05)
    best = max((case.log_prob(x, s).mean().item(), s) for s in torch.linspace(0.2, 0.3, 101))[1]
    assert found[0] == pytest.approx(float(best), rel=0.015)
