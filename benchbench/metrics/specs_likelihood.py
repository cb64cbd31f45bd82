"""Scores and options of the likelihood metric, readable without torch."""

from __future__ import annotations

from pydantic import Field

from benchbench.api import KINDS, Config, MetricSpec, ScoreSpec

__all__ = ["LIKELIHOOD_SPECS", "LikelihoodConfig", "fewer"]


class LikelihoodConfig(Config):
    """How log p(x) is estimated.

    The defaults take about half a minute a model on one CPU thread for small data, and up to
    three minutes where a convolutional decoder makes images of 28 × 28.
    """

    examples: int = Field(
        100,
        ge=2,
        description="Test examples, the first of the split; beyond 256 data dimensions D only "
        "256/D of them, at least 16.",
    )
    validation_examples: int = Field(
        48,
        ge=2,
        description="Validation examples on which σ is chosen, the first of the split; fewer "
        "beyond 256 data dimensions by the same rule.",
    )
    importance_samples: int = Field(
        512, ge=2, description="Latents drawn for each example from the fitted proposal."
    )
    widening: float = Field(
        1.3, ge=1, description="Half of the proposal has standard deviations this much larger."
    )
    restarts: int = Field(
        3,
        ge=1,
        description="Starting points of the search for modes; three times as many in few data "
        "dimensions, where they cost little.",
    )
    newton_steps: int = Field(
        6, ge=1, description="Most Levenberg-Marquardt steps from each starting point."
    )
    variational_rounds: int = Field(
        8, ge=1, description="Rounds that fit a Gaussian to the bulk around each mode."
    )
    prior_draws: int = Field(
        20_000, ge=64, description="Draws from the prior that supply starting points."
    )
    prior_proposal_dim: int = Field(
        8,
        ge=0,
        description="Up to this data dimension the prior draws are proposals themselves.",
    )
    chains: int = Field(32, ge=2, description="Annealed chains for each example.")
    temperatures: int = Field(
        40,
        ge=1,
        description="Steps from the proposal to the posterior; four times as many in a second run "
        "of the examples whose chain weights are uneven.",
    )
    annealing_flop: float = Field(
        3e12,
        gt=0,
        description="Most FLOPs of annealing in one cell: fewer temperatures where it would take "
        "more.",
    )
    leapfrog_steps: int = Field(4, ge=1, description="Leapfrog steps of one HMC transition.")
    simulated_examples: int = Field(
        16,
        ge=0,
        description="Examples drawn from the model itself, on which log p is bounded from both "
        "sides (bidirectional Monte Carlo); fewer beyond 256 data dimensions, at least 8; 0: none.",
    )
    prior_evaluations: int = Field(
        6000,
        ge=64,
        description="Most latents whose density a costly prior is asked for, σ's choice included.",
    )
    elbo_draws: int = Field(32, ge=1, description="Draws of z behind each native bound.")


def fewer(count: int, dim: int, *, least: int = 16) -> int:
    """How many examples of `dim` numbers stand for `count` of up to 256: their cost grows with dim.

    The rule looks at the data alone, so that every model is scored on the same examples.

    >>> [fewer(100, dim) for dim in (192, 784, 3072)]
    [100, 32, 16]
    """
    return count if dim <= 256 else min(count, max(least, count * 256 // dim))


LIKELIHOOD_SPECS: list[MetricSpec] = [
    MetricSpec(
        name="likelihood",
        kinds=frozenset(KINDS),  # type: ignore[arg-type]
        implementation="benchbench.metrics.likelihood.metric:compute",
        scores=(
            ScoreSpec(
                "nll_nats",
                "nats",
                "min",
                label="NLL (nats)",
                digits=2,
                summary="−log p(x) of a test example in data space; every decoder under the same "
                "observation model N(decode(z), σ² I), σ chosen on validation",
            ),
            ScoreSpec(
                "nll_bpd",
                "bits/dim",
                "min",
                label="NLL (bits/dim)",
                digits=3,
                summary="nll_nats of an image as bits for each dimension of its discrete levels",
            ),
            ScoreSpec(
                "nelbo_nats",
                "nats",
                "min",
                label="−ELBO (nats)",
                digits=2,
                summary="the model's own bound under its own observation noise, as trained; not "
                "comparable with nll_nats",
            ),
            ScoreSpec(
                "nll_ess",
                "1",
                "none",
                table=False,
                digits=1,
                summary="effective sample size of the weights behind nll_nats, mean over examples",
            ),
            ScoreSpec(
                "nll_sigma",
                "1",
                "none",
                table=False,
                digits=4,
                summary="σ of the observation model in model space, chosen on validation",
            ),
            ScoreSpec(
                "bdmc_gap_nats",
                "nats",
                "none",
                table=False,
                digits=3,
                summary="upper less lower bound on log p of examples simulated from the model, "
                "mean; how far nll_nats may be off",
            ),
        ),
        scope="model",
        # "samples": the held-out row of a data set whose density is known has an exact value too.
        needs="samples",
        config=LikelihoodConfig,
        summary="Log-likelihood of test examples: exact, by importance weights, or by AIS.",
        reference="Wu et al., 'On the Quantitative Analysis of Decoder-Based Generative Models', "
        "2017; Burda et al., 'Importance Weighted Autoencoders', 2016; Neal, 'Annealed Importance "
        "Sampling', 2001; Grosse et al., 'Measuring the reliability of MCMC inference with "
        "bidirectional Monte Carlo', 2016",
    )
]
