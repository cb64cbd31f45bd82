"""The likelihood metric: −log p(x) of test examples, labelled by what is known of it.

nll = −(log p_model(x) + log |∂ model space/∂ data space|)   in nats, data space
bits/dim = (nll/D + log L)/log 2                             for images of L levels

Images are dequantised uniformly. The same examples, the first n of the test split with noise that
follows from the data's digest alone, serve every model and every seed. An estimate of log p from
weights is a lower bound in expectation, so the nll as printed is an upper bound; intervals are
those of `estimates.py`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from scipy.special import stdtrit
from torch import Tensor

from benchbench.api import Bound, Dataset, Evaluation, NotAvailable, Score
from benchbench.api.seeding import seeded_generator
from benchbench.metrics.likelihood.decoder import RELIABLE_ESS, DecoderLikelihood
from benchbench.metrics.likelihood.estimates import Estimates, Interval
from benchbench.metrics.precision import full_float32
from benchbench.metrics.specs_likelihood import LikelihoodConfig, fewer

__all__ = ["compute", "nll_scores", "reliability"]

# Share of examples whose ESS may be under RELIABLE_ESS. An example's bias is near −1/(2 ESS) nats,
# so half of them at an ESS of 5 pull the mean by 0.05 nats.
_MOST_BELOW = 0.5
# On data simulated from the model, log p lies between two bounds; the wider of them from it is
# wrong by no more than their distance.
_MOST_GAP = 1.0
_EXACT = {"estimator": "exact", "observation": "the model's own density"}


@full_float32()
def compute(evaluation: Evaluation, config: LikelihoodConfig) -> list[Score]:
    """Scores of one trained model, or of held-out data whose true density is known."""
    try:
        model = evaluation.model
    except NotAvailable:
        return _true_density(evaluation, config)
    capabilities = evaluation.capabilities
    scores: list[Score] = []
    if "log_prob" in capabilities:
        with torch.no_grad():
            log_prob = model.log_prob(_test(evaluation, config))
        scores += nll_scores(evaluation.dataset, log_prob, "exact", _EXACT)
    elif "decode" in capabilities and capabilities & {"standard_prior", "prior_log_prob"}:
        try:
            scores += _decoder_scores(evaluation, config)
        except NotAvailable as reason:
            if "elbo" not in capabilities:
                raise
            scores.append(Score("nll_nats", None, status="skipped", reason=str(reason)))
    if "elbo" in capabilities:
        scores.append(_native_bound(evaluation, config))
    if not scores:
        raise NotAvailable(
            "no likelihood: it takes log_prob, or decode with standard_prior or prior_log_prob, "
            f"or elbo; declared: {', '.join(sorted(capabilities)) or 'none of them'}"
        )
    return scores


def nll_scores(
    dataset: Dataset,
    log_prob: Tensor,
    bound: Bound,
    detail: dict[str, Any],
    estimates: Estimates | None = None,
) -> list[Score]:
    """nll_nats, and nll_bpd for images, from log p in model space (n,) nats.

    estimates: what log_prob comes from where it is not exact: the intervals are then its.
    """
    nll = -(log_prob.double().cpu() + dataset.log_jacobian)
    scores = [_mean_score("nll_nats", nll, bound, detail)]
    if dataset.info.levels is not None:
        # Of the discrete levels even an exact density of the dequantised image is only a bound.
        bits = (nll / dataset.info.dim + math.log(dataset.info.levels)) / math.log(2)
        scores.append(_mean_score("nll_bpd", bits, "upper", detail))
    if estimates is None or scores[0].status != "done":
        return scores
    whole, draws = estimates.over_examples(), estimates.over_draws()
    shared = {
        "ci_over": "examples and draws",
        "bias_nats": -float(estimates.total.mean()) / 2,
    }
    out = []
    for score, scale, offset in zip(
        scores,
        (1.0, 1 / (dataset.info.dim * math.log(2))),
        (0.0, math.log2(dataset.info.levels or 1)),
        strict=False,
    ):
        low, high = _of_nll(whole, dataset.log_jacobian, scale, offset)
        fixed = _of_nll(draws, dataset.log_jacobian, scale, offset)
        facts = {**score.detail, **shared, "ci_over_draws_alone": fixed}
        out.append(replace(score, ci_low=low, ci_high=high, detail=facts))
    return out


def _of_nll(interval: Interval, jacobian: float, scale: float, offset: float) -> list[float]:
    """An interval of the mean log p in model space as one of the nll that is printed."""
    ends = (-(interval.high + jacobian), -(interval.low + jacobian))
    return [end * scale + offset for end in ends]


def reliability(ess: Tensor, gap: Tensor | None = None) -> dict[str, Any]:
    """The detail's account of effective sample sizes (n,), and whether the value is reliable.

    gap: (m,) BDMC gap of simulated examples, nats. Unreliable: the mean gap is over 1 nat, the
    mean ESS under 10, or that of more than half of the examples. The gap sees modes that no draw
    has found, which no ESS can; the ESS is of the test examples themselves, which may be harder
    than what the model makes. So neither excuses the other.

    >>> reliability(torch.tensor([50.0, 40.0]))["reliable"]
    True
    """
    below = float((ess < RELIABLE_ESS).double().mean())
    facts: dict[str, Any] = {
        "ess_mean": float(ess.mean()),
        "ess_min": float(ess.min()),
        "ess_below_10": below,
    }
    complaints = []
    if facts["ess_mean"] < RELIABLE_ESS or below > _MOST_BELOW:
        complaints.append(
            f"effective sample size {facts['ess_mean']:.1f} on average, "
            f"under {RELIABLE_ESS:g} on {below:.0%} of the examples"
        )
    if gap is not None:
        facts |= {
            "bdmc_gap_nats": float(gap.mean()),
            "bdmc_gap_max_nats": float(gap.max()),
            "bdmc_examples": len(gap),
        }
        if not facts["bdmc_gap_nats"] <= _MOST_GAP:
            complaints.append(
                f"bounds {facts['bdmc_gap_nats']:.2f} nats apart on data simulated from the model"
            )
    facts["reliable"] = not complaints
    if complaints:
        facts["unreliable_reason"] = "; ".join(complaints)
    return facts


def _decoder_scores(evaluation: Evaluation, config: LikelihoodConfig) -> list[Score]:
    test, validation = _test(evaluation, config), _validation(evaluation, config)
    found = DecoderLikelihood(evaluation, config).run(validation, test)
    estimates = found.estimates
    detail = found.detail | reliability(estimates.ess, found.gap)
    scores = nll_scores(evaluation.dataset, estimates.log_prob, "upper", detail, estimates)
    scores.append(_mean_score("nll_ess", estimates.ess, "estimate", detail))
    scores.append(Score("nll_sigma", found.sigma, "estimate", n=len(validation), detail=detail))
    if found.gap is not None:
        scores.append(_mean_score("bdmc_gap_nats", found.gap, "upper", detail))
    return scores


def _native_bound(evaluation: Evaluation, config: LikelihoodConfig) -> Score:
    x, generator = _test(evaluation, config), _on_device(evaluation, "elbo")
    with torch.no_grad():
        draws = [
            evaluation.model.elbo(x, generator=generator).double() for _ in range(config.elbo_draws)
        ]
    bound = torch.stack(draws).mean(0).cpu() + evaluation.dataset.log_jacobian
    detail = {"estimator": "elbo", "draws": config.elbo_draws, "observation": "the model's own"}
    return _mean_score("nelbo_nats", -bound, "upper", detail)


def _true_density(evaluation: Evaluation, config: LikelihoodConfig) -> list[Score]:
    """The true density's own nll, for a row that is held-out data and nothing else."""
    dataset = evaluation.dataset
    if dataset.log_prob is None:
        raise NotAvailable("there is no model, and the data set's density is not known")
    if not _held_out(evaluation):
        raise NotAvailable("samples alone have no likelihood; it takes the model")
    nll = (
        -dataset.log_prob(dataset.test.raw[: fewer(config.examples, dataset.info.dim)])
        .double()
        .cpu()
    )
    detail = {"estimator": "true density of the data set", "observation": "true density"}
    return [_mean_score("nll_nats", nll, "exact", detail)]


def _held_out(evaluation: Evaluation) -> bool:
    """Whether this row's samples are held-out examples, each of them."""
    dataset = evaluation.dataset
    x = evaluation.samples(32).flatten(1).cpu()
    held = torch.cat([dataset.validation.raw, dataset.test.raw])
    stored = dataset.to_model(held).flatten(1).cpu()
    # Standardised on another device, the same point may differ in its last bits.
    return all(float((stored - row).abs().amax(1).min()) < 1e-6 for row in x)


def _test(evaluation: Evaluation, config: LikelihoodConfig) -> Tensor:
    dataset = evaluation.dataset
    n = min(fewer(config.examples, dataset.info.dim), len(dataset.test))
    return _dequantised(evaluation, evaluation.reference(n), "test")


def _validation(evaluation: Evaluation, config: LikelihoodConfig) -> Tensor:
    dataset = evaluation.dataset
    n = fewer(config.validation_examples, dataset.info.dim)
    raw = dataset.validation.raw[:n].to(evaluation.device)
    return _dequantised(evaluation, dataset.to_model(raw), "validation")


def _dequantised(evaluation: Evaluation, x: Tensor, split: str) -> Tensor:
    """Noise from the data's digest: the same dequantised examples for every model and seed."""
    dataset = evaluation.dataset
    generator = seeded_generator("cpu", dataset.digest, "likelihood", "dequantise", split)
    return dataset.dequantise(x.to(evaluation.device), generator=generator)


def _on_device(evaluation: Evaluation, name: str) -> torch.Generator:
    return evaluation.generator(f"likelihood/{name}", device=str(evaluation.device))


def _mean_score(metric: str, values: Tensor, bound: Bound, detail: dict[str, Any]) -> Score:
    """The mean over examples with a 95 % interval (Student's t)."""
    n = len(values)
    if not bool(values.isfinite().all()):
        bad = int((~values.isfinite()).sum())
        return Score(
            metric, None, n=n, status="error", reason=f"not finite on {bad} of {n} examples"
        )
    mean = float(values.mean())
    half = float(stdtrit(n - 1, 0.975)) * float(values.std()) / math.sqrt(n)
    return Score(metric, mean, bound, n=n, detail=detail, ci_low=mean - half, ci_high=mean + half)
