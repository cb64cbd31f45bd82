"""The likelihood metric: −log p(x) of test examples, labelled by what is known of it.

nll = −(log p_model(x) + log |∂ model space/∂ data space|)   in nats, data space
bits/dim = (nll/D + log L)/log 2                             for images of L levels

Images are dequantised uniformly. The same examples, the first n of the test split, serve every
model. An estimate of log p from weights is a lower bound in expectation, so the nll as printed is
an upper bound.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from benchbench.api import Bound, Dataset, Evaluation, NotAvailable, Score
from benchbench.metrics.likelihood.decoder import RELIABLE_ESS, DecoderLikelihood
from benchbench.metrics.specs_likelihood import LikelihoodConfig

__all__ = ["compute", "nll_scores", "reliability"]

# Share of examples whose ESS may be under RELIABLE_ESS. An example's bias is near −1/(2 ESS) nats,
# so half of them at an ESS of 5 pull the mean by 0.05 nats.
_MOST_BELOW = 0.5
_EXACT = {"estimator": "exact", "observation": "the model's own density"}


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
    dataset: Dataset, log_prob: Tensor, bound: Bound, detail: dict[str, Any]
) -> list[Score]:
    """nll_nats, and nll_bpd for images, from log p in model space (n,) nats."""
    nll = -(log_prob.double().cpu() + dataset.log_jacobian)
    scores = [_mean_score("nll_nats", nll, bound, detail)]
    if dataset.info.levels is not None:
        # Of the discrete levels even an exact density of the dequantised image is only a bound.
        bits = (nll / dataset.info.dim + math.log(dataset.info.levels)) / math.log(2)
        scores.append(_mean_score("nll_bpd", bits, "upper", detail))
    return scores


def reliability(ess: Tensor) -> dict[str, Any]:
    """The detail's account of effective sample sizes (n,), and whether the value is reliable.

    Unreliable: the mean is under 10, or that of more than half of the examples is.

    >>> reliability(torch.tensor([50.0, 40.0]))["reliable"]
    True
    """
    below = float((ess < RELIABLE_ESS).double().mean())
    facts: dict[str, Any] = {
        "ess_mean": float(ess.mean()),
        "ess_min": float(ess.min()),
        "ess_below_10": below,
        "reliable": float(ess.mean()) >= RELIABLE_ESS and below <= _MOST_BELOW,
    }
    if not facts["reliable"]:
        facts["unreliable_reason"] = (
            f"effective sample size {facts['ess_mean']:.1f} on average, "
            f"under {RELIABLE_ESS:g} on {below:.0%} of the examples"
        )
    return facts


def _decoder_scores(evaluation: Evaluation, config: LikelihoodConfig) -> list[Score]:
    test, validation = _test(evaluation, config), _validation(evaluation, config)
    estimate = DecoderLikelihood(evaluation, config).run(validation, test)
    ess = estimate.ess.double().cpu()
    detail = estimate.detail | reliability(ess)
    scores = nll_scores(evaluation.dataset, estimate.log_prob, "upper", detail)
    scores.append(_mean_score("nll_ess", ess, "estimate", detail))
    scores.append(Score("nll_sigma", estimate.sigma, "estimate", n=len(validation), detail=detail))
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
    nll = -dataset.log_prob(dataset.test.raw[: config.examples]).double().cpu()
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
    n = min(config.examples, len(evaluation.dataset.test))
    return _dequantised(evaluation, evaluation.reference(n), "test")


def _validation(evaluation: Evaluation, config: LikelihoodConfig) -> Tensor:
    dataset = evaluation.dataset
    raw = dataset.validation.raw[: config.validation_examples].to(evaluation.device)
    return _dequantised(evaluation, dataset.to_model(raw), "validation")


def _dequantised(evaluation: Evaluation, x: Tensor, split: str) -> Tensor:
    generator = evaluation.generator(f"likelihood/dequantise/{split}")
    return evaluation.dataset.dequantise(x.to(evaluation.device), generator=generator)


def _on_device(evaluation: Evaluation, name: str) -> torch.Generator:
    return evaluation.generator(f"likelihood/{name}", device=str(evaluation.device))


def _mean_score(metric: str, values: Tensor, bound: Bound, detail: dict[str, Any]) -> Score:
    """The mean over examples with a 95 % normal interval."""
    n = len(values)
    if not bool(values.isfinite().all()):
        bad = int((~values.isfinite()).sum())
        return Score(
            metric, None, n=n, status="error", reason=f"not finite on {bad} of {n} examples"
        )
    mean = float(values.mean())
    half = 1.96 * float(values.std()) / math.sqrt(n)
    return Score(metric, mean, bound, n=n, detail=detail, ci_low=mean - half, ci_high=mean + half)
