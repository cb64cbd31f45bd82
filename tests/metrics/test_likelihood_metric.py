"""`compute`: what each declaration leads to, units and labels, σ, reliability, determinism."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from likelihood_cases import (
    FakeEvaluation,
    FakeModel,
    LinearGaussian,
    folded,
    integrated,
    points,
    standard_normal,
)
from torch import Tensor

from benchbench.api import DataInfo, Dataset, NotAvailable, Score, Split
from benchbench.metrics.likelihood.metric import compute, reliability
from benchbench.metrics.specs_likelihood import LIKELIHOOD_SPECS, LikelihoodConfig

SMALL = LikelihoodConfig(
    examples=60, validation_examples=60, prior_draws=4000, chains=16, temperatures=12
)


def named(scores: list[Score]) -> dict[str, Score]:
    assert len({s.metric for s in scores}) == len(scores)
    return {s.metric: s for s in scores}


def values(scores: list[Score]) -> list[object]:
    return [(s.metric, s.value, s.ci_low, s.ci_high) for s in scores]


def linear_evaluation(
    *, encoder: bool, d: int = 8, dim: int = 48, std: float = 3.0
) -> tuple[LinearGaussian, FakeEvaluation, Tensor]:
    """Data drawn from the decoder itself, so σ and the marginal are known."""
    case = LinearGaussian(d, dim)
    x = case.draw(60 + 200)
    dataset = points(x, held_out=100, std=std)
    model = FakeModel(dataset.info, d, case.decode, encode=case.posterior)
    capabilities = {"decode", "standard_prior"} | ({"encode"} if encoder else set())
    evaluation = FakeEvaluation(dataset, model, capabilities)
    return case, evaluation, evaluation.reference(60).double()


@pytest.mark.parametrize("encoder", [True, False])
def test_decoder_with_a_standard_prior(encoder: bool) -> None:
    case, evaluation, test = linear_evaluation(encoder=encoder)
    scores = named(compute(evaluation, SMALL))
    sigma = scores["nll_sigma"].value
    assert sigma == pytest.approx(case.sigma, rel=0.06)
    assert sigma is not None
    # The exact marginal at the chosen σ, in original units: x_data = 3 x_model.
    exact = -case.log_prob(test, sigma) + 48 * math.log(3)
    nll = scores["nll_nats"]
    assert nll.value == pytest.approx(float(exact.mean()), abs=0.1)
    half = 1.96 * float(exact.std()) / math.sqrt(60)
    assert nll.ci_low is not None and nll.ci_high is not None
    assert (nll.ci_high - nll.ci_low) / 2 == pytest.approx(half, rel=0.1)
    assert nll.bound == "upper" and nll.n == 60
    assert nll.detail["estimator"] == ("iwae" if encoder else "ais")
    assert nll.detail["reliable"] is True
    assert nll.detail["ess_mean"] == scores["nll_ess"].value
    if not encoder:
        assert nll.detail["chains"] == 16 and 0.4 < nll.detail["hmc_acceptance"] <= 1
    low, high = nll.detail["ci_over_draws_alone"]
    assert nll.ci_low < low <= high < nll.ci_high
    gap = scores["bdmc_gap_nats"]
    assert gap.value is not None and abs(gap.value) < 0.2
    assert gap.value == nll.detail["bdmc_gap_nats"]
    assert "nll_bpd" not in scores


def test_the_same_bits_twice_and_no_global_randomness() -> None:
    config = SMALL.model_copy(update={"examples": 6, "validation_examples": 6})
    _, evaluation, _ = linear_evaluation(encoder=False)
    before = torch.random.get_rng_state()
    first = compute(evaluation, config)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(99)
    assert values(first) == values(compute(evaluation, config))


def test_folded_decoder_without_an_encoder() -> None:
    """Points in two dimensions, four latents to most of them, against integration."""
    generator = torch.Generator().manual_seed(5)
    z = torch.randn(2000, 2, generator=generator, dtype=torch.float64)
    x = folded(z) + 0.1 * torch.randn(2000, 2, generator=generator, dtype=torch.float64)
    dataset = points(x, held_out=500)
    evaluation = FakeEvaluation(
        dataset, FakeModel(dataset.info, 2, folded), {"decode", "standard_prior"}
    )
    config = LikelihoodConfig(examples=20, validation_examples=100, prior_draws=5000)
    scores = named(compute(evaluation, config))
    sigma = scores["nll_sigma"].value
    assert sigma == pytest.approx(0.1, rel=0.2)
    assert sigma is not None
    exact = -integrated(folded, standard_normal, evaluation.reference(20), sigma)
    assert scores["nll_nats"].value == pytest.approx(float(exact.mean()), abs=0.05)
    assert scores["nll_nats"].detail["modes_per_example"] > 2


def ring_prior(z: Tensor) -> Tensor:
    """Four Gaussians of width 0.15 on a ring of radius 1: nothing like N(0, I)."""
    angle = torch.arange(4, device=z.device) * (math.pi / 2)
    centres = torch.stack([angle.cos(), angle.sin()], 1).to(z.dtype)
    squared = (z[:, None] - centres).square().sum(-1)
    return (-squared / (2 * 0.15**2)).logsumexp(1) - math.log(4 * 2 * math.pi * 0.15**2)


def stretched(z: Tensor) -> Tensor:
    """R² -> R², one to one: x = (z_1 + 0.2 z_2², 0.5 z_2)."""
    return torch.stack([z[:, 0] + 0.2 * z[:, 1].square(), 0.5 * z[:, 1]], 1)


@pytest.mark.parametrize("stand_in", ["good", "too wide"])
def test_prior_known_by_value_only(stand_in: str) -> None:
    """Against integration; σ is found also where the stand-in's own optimum is σ = 0.

    It is, where it is fitted to points that carry the observation noise already.
    """
    generator = torch.Generator().manual_seed(6)
    angle = torch.randint(4, (4800,), generator=generator) * (math.pi / 2)
    z = torch.stack([angle.cos(), angle.sin()], 1).double()
    z = z + 0.15 * torch.randn(4800, 2, generator=generator, dtype=torch.float64)
    clean = stretched(z)
    x = clean + 0.1 * torch.randn(4800, 2, generator=generator, dtype=torch.float64)
    dataset = points(x[:800], held_out=200)

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        second = 2 * x[:, 1]
        mean = torch.stack([x[:, 0] - 0.2 * second.square(), second], 1)
        return mean, torch.full_like(mean, 0.02)

    model = FakeModel(dataset.info, 2, stretched, encode=encode, prior=ring_prior)
    declared = {"decode", "encode", "prior_log_prob"}
    own = (clean if stand_in == "good" else x)[800:].float()
    evaluation = FakeEvaluation(dataset, model, declared, own)
    config = LikelihoodConfig(
        examples=40, validation_examples=100, prior_draws=2000, prior_evaluations=12_000
    )
    scores = named(compute(evaluation, config))
    assert model.prior_calls <= 12_000
    sigma = scores["nll_sigma"].value
    assert sigma is not None
    # σ = 0.1 made the data; on these validation points the chosen σ costs little against it, and
    # the stand-in's own choice in the second case would cost 0.4 nats.
    validation = dataset.to_model(dataset.validation.raw[:100])
    by_sigma = {
        s: float(integrated(stretched, ring_prior, validation, s, reach=3.0, cells=600).mean())
        for s in (0.1, sigma)
    }
    assert by_sigma[sigma] > by_sigma[0.1] - 0.05
    exact = -integrated(stretched, ring_prior, evaluation.reference(40), sigma, reach=3.0)
    assert scores["nll_nats"].value == pytest.approx(float(exact.mean()), abs=0.05)
    assert scores["nll_nats"].bound == "upper"
    assert scores["nll_nats"].detail["prior"] == "prior_log_prob"


def images(n: int = 90, levels: int = 5) -> Dataset:
    """(1, 2, 2) images of uniform random levels."""
    generator = torch.Generator().manual_seed(1)
    raw = torch.randint(levels, (3 * n, 1, 2, 2), generator=generator).to(torch.uint8)
    train, validation, test = (Split(part) for part in raw.split(n))
    info = DataInfo("images", "image", (1, 2, 2), n_train=n, levels=levels)
    return Dataset(info, train, validation, test, digest="0")


def test_jacobian_and_bits_on_a_uniform_model() -> None:
    """Uniform on the dequantised cube: density 1 in [0, 1] pixels, log2 L bits a dimension."""
    dataset = images()
    side = 2 + 2 / 4  # [−1 − 1/(L − 1), 1 + 1/(L − 1)]

    def uniform(x: Tensor) -> Tensor:
        assert float(x.min()) >= -side / 2 and float(x.max()) <= side / 2
        return torch.full((len(x),), -4 * math.log(side))

    model = FakeModel(dataset.info, 1, folded, exact=uniform)
    scores = named(compute(FakeEvaluation(dataset, model, {"log_prob"}), SMALL))
    assert scores["nll_nats"].value == pytest.approx(0, abs=1e-6)
    assert scores["nll_bpd"].value == pytest.approx(math.log2(5), abs=1e-6)
    assert scores["nll_nats"].bound == "exact" and scores["nll_nats"].n == 60
    # The bits of discrete levels are bounded by the dequantised density, not given by it.
    assert scores["nll_bpd"].bound == "upper"
    assert scores["nll_bpd"].value == pytest.approx(dataset.bits_per_dim(0.0))
    assert set(scores) == {"nll_nats", "nll_bpd"}


def test_native_bound_sits_below_the_exact_value() -> None:
    """ELBO of the exact posterior's diagonal: short of log p by a KL that is known."""
    case, evaluation, test = linear_evaluation(encoder=True, std=1.0)
    std = case.posterior(test)[1]

    def elbo(x: Tensor, generator: torch.Generator) -> Tensor:
        centre, spread = case.posterior(x)
        z = centre + spread * torch.randn(centre.shape, generator=generator)
        error = (x - case.decode(z)).square().sum(1) / (2 * case.sigma**2)
        log_likelihood = -error - 24 * math.log(2 * math.pi * case.sigma**2)
        kl = 0.5 * (centre.square() + spread.square() - 1 - 2 * spread.log()).sum(1)
        return log_likelihood - kl

    model = FakeModel(evaluation.dataset.info, 8, case.decode, encode=case.posterior, elbo=elbo)
    declared = {"decode", "encode", "standard_prior", "elbo"}
    both = named(compute(FakeEvaluation(evaluation.dataset, model, declared), SMALL))
    alone = named(compute(FakeEvaluation(evaluation.dataset, model, {"elbo"}), SMALL))
    assert set(alone) == {"nelbo_nats"}
    bound, exact = alone["nelbo_nats"], -float(case.log_prob(test).mean())
    assert bound.bound == "upper" and bound.value is not None
    assert both["nelbo_nats"].value == bound.value
    w = case.w / case.sigma
    precision = w.T @ w + torch.eye(8, dtype=torch.float64)
    # KL of N(m, diag s²) from N(m, P⁻¹).
    trace = float((precision.diagonal() * std[0].square()).sum()) - 8
    gap = 0.5 * (trace - float(std[0].square().log().sum() + torch.logdet(precision)))
    assert gap > 0.01 and bound.value > exact
    assert bound.value == pytest.approx(exact + gap, abs=0.15)


def test_without_what_it_takes_it_says_so() -> None:
    dataset = images()
    model = FakeModel(dataset.info, 2, folded)
    for declared in ({"denoise"}, {"decode"}, {"encode", "prior_log_prob"}, set()):
        with pytest.raises(NotAvailable, match="log_prob, or decode with standard_prior"):
            compute(FakeEvaluation(dataset, model, declared), SMALL)


def test_a_prior_without_an_exact_density_is_skipped_with_its_reason() -> None:
    case, evaluation, _ = linear_evaluation(encoder=True)

    def refuse(z: Tensor) -> Tensor:
        raise NotAvailable("the trace is exact up to 64 dimensions")

    info = evaluation.dataset.info
    model = FakeModel(
        info,
        8,
        case.decode,
        encode=case.posterior,
        prior=refuse,
        elbo=lambda x, generator: torch.zeros(len(x)),
    )
    declared = {"decode", "encode", "prior_log_prob"}
    own = case.decode(torch.randn(8192, 8, generator=case.generator))
    with pytest.raises(NotAvailable, match="exact up to 64"):
        compute(FakeEvaluation(evaluation.dataset, model, declared, own), SMALL)
    bounded = FakeEvaluation(evaluation.dataset, model, declared | {"elbo"}, own)
    scores = named(compute(bounded, SMALL))
    assert scores["nll_nats"].status == "skipped" and "64" in scores["nll_nats"].reason
    assert scores["nelbo_nats"].value is not None


def test_held_out_data_carry_the_true_density_and_other_samples_do_not() -> None:
    case = LinearGaussian(2, 6)
    plain = points(case.draw(600), held_out=200, std=2.0)
    known = dataclasses.replace(
        plain, log_prob=lambda raw: case.log_prob(raw.double() / 2) - 6 * math.log(2)
    )
    held = known.to_model(known.validation.raw)
    scores = named(compute(FakeEvaluation(known, None, set(), held), SMALL))
    exact = -case.log_prob(known.to_model(known.test.raw[:60])) + 6 * math.log(2)
    assert scores["nll_nats"].value == pytest.approx(float(exact.mean()), abs=1e-6)
    assert scores["nll_nats"].bound == "exact" and set(scores) == {"nll_nats"}
    with pytest.raises(NotAvailable, match="density is not known"):
        compute(FakeEvaluation(plain, None, set(), held), SMALL)
    replayed = known.to_model(known.train.raw)
    with pytest.raises(NotAvailable, match="samples alone"):
        compute(FakeEvaluation(known, None, set(), replayed), SMALL)


def test_values_that_are_not_finite_are_errors() -> None:
    dataset = images()
    model = FakeModel(dataset.info, 1, folded, exact=lambda x: torch.full((len(x),), math.nan))
    score = compute(FakeEvaluation(dataset, model, {"log_prob"}), SMALL)[0]
    assert score.status == "error" and score.value is None and "60 of 60" in score.reason


def test_reliability_rule() -> None:
    assert reliability(torch.tensor([12.0, 30.0]))["reliable"] is True
    low = reliability(torch.tensor([9.0, 9.0]))
    assert low["reliable"] is False and "9.0 on average" in low["unreliable_reason"]
    uneven = reliability(torch.tensor([100.0, 2.0, 2.0]))
    assert uneven["reliable"] is False and uneven["ess_min"] == 2.0
    assert reliability(torch.tensor([100.0, 100.0, 2.0]))["reliable"] is True


def test_a_poor_proposal_marks_the_value_unreliable() -> None:
    """Two importance samples cannot have an effective size of ten."""
    _, evaluation, _ = linear_evaluation(encoder=True)
    config = SMALL.model_copy(update={"importance_samples": 2})
    detail = named(compute(evaluation, config))["nll_nats"].detail
    assert detail["reliable"] is False and detail["ess_mean"] <= 2


def test_every_score_is_declared() -> None:
    (spec,) = LIKELIHOOD_SPECS
    assert spec.scope == "model" and spec.config is LikelihoodConfig
    declared = {score.name for score in spec.scores}
    known = {"nll_nats", "nll_bpd", "nelbo_nats", "nll_ess", "nll_sigma", "bdmc_gap_nats"}
    assert declared == known
    assert all(field.description for field in LikelihoodConfig.model_fields.values())
