"""Scores and options of fidelity, diversity and mode coverage, readable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchbench.api import Config, MetricSpec, ScoreSpec

__all__ = [
    "COMPARED",
    "PIPELINES",
    "QUALITY_SPECS",
    "FrechetConfig",
    "ModesConfig",
    "Pipeline",
    "PrdcConfig",
]

Pipeline = Literal["ours", "torch-fidelity"]
PIPELINES = (
    "Who computes: ours, or torch-fidelity on the same images and weights, to reproduce a "
    "published number (needs the extractor inception; a column of its own)."
)

COMPARED = "Samples and test examples compared; all there are, where there are fewer."


class FrechetConfig(Config):
    """How many samples a FID compares, and who computes it."""

    n: int = Field(10_000, ge=2, description=COMPARED)
    pipeline: Pipeline = Field("ours", description=PIPELINES)
    resamplings: int = Field(
        0,
        ge=0,
        description="Bootstrap resamplings behind a 95 % interval of one evaluation; 0: no "
        "interval. Each costs about as much as the FID itself.",
    )


class PrdcConfig(Config):
    """How many samples, and which neighbours."""

    n: int = Field(5_000, ge=2, description=COMPARED)
    k: int = Field(3, ge=1, description="Neighbour that sets the radius of precision and recall.")
    k_density: int = Field(
        5, ge=1, description="Neighbour that sets the radius of density and coverage."
    )


class ModesConfig(Config):
    """How many samples are counted."""

    n: int | None = Field(
        None, ge=1, description="Samples counted; none: as many as the data set's protocol says."
    )


QUALITY_SPECS: list[MetricSpec] = [
    MetricSpec(
        name="fid",
        kinds=frozenset({"image"}),
        implementation="benchbench.metrics.frechet:compute",
        scores=(
            ScoreSpec(
                "fid",
                "1",
                "min",
                label="FID",
                digits=2,
                summary="squared Fréchet distance of Gaussians fitted to the extractor's features",
                catches=("collapsed", "mode-dropper", "noise", "blur"),
            ),
        ),
        features=True,
        config=FrechetConfig,
        summary="Fréchet distance to test data in the features of the data set's extractor.",
        reference="Heusel et al., 'GANs Trained by a Two Time-Scale Update Rule Converge to a "
        "Local Nash Equilibrium', 2017",
    ),
    MetricSpec(
        name="prdc",
        kinds=frozenset({"points", "image"}),
        implementation="benchbench.metrics.prdc:compute",
        scores=(
            ScoreSpec(
                "precision",
                "1",
                "max",
                label="precision",
                digits=3,
                summary="share of samples inside the neighbourhoods of test data",
                catches=("noise", "blur"),
            ),
            ScoreSpec(
                "recall",
                "1",
                "max",
                label="recall",
                digits=3,
                summary="share of test data inside the neighbourhoods of samples",
                catches=("collapsed", "mode-dropper"),
            ),
            ScoreSpec(
                "density",
                "1",
                "max",
                label="density",
                digits=3,
                summary="how many neighbourhoods of test data hold a sample, over those expected; "
                "about 1 for a perfect sampler, and can exceed it",
                catches=("noise", "blur"),
            ),
            ScoreSpec(
                "coverage",
                "1",
                "max",
                label="coverage",
                digits=3,
                summary="share of test data whose neighbourhood holds a sample",
                catches=("collapsed", "mode-dropper", "noise", "blur"),
            ),
        ),
        features=True,
        config=PrdcConfig,
        summary="Precision, recall, density and coverage by nearest neighbours among features.",
        reference="Kynkäänniemi et al., 'Improved Precision and Recall Metric for Assessing "
        "Generative Models', 2019; Naeem et al., 'Reliable Fidelity and Diversity Metrics for "
        "Generative Models', 2020",
    ),
    MetricSpec(
        name="modes",
        kinds=frozenset({"points", "image"}),
        implementation="benchbench.metrics.modes:compute",
        scores=(
            ScoreSpec(
                "modes",
                "1",
                "max",
                label="modes",
                digits=1,
                summary="modes covered",
                catches=("collapsed", "mode-dropper"),
            ),
            ScoreSpec(
                "hq_share",
                "%",
                "none",
                label="HQ %",
                digits=1,
                summary="samples within 3 sigma of a mode; 98.9 for the true distribution in two "
                "dimensions, so more is not better",
                catches=("noise", "blur"),
            ),
            ScoreSpec(
                "mode_width",
                "1",
                "none",
                label="width",
                digits=2,
                summary="standard deviation within modes over the true one; 1 is right",
            ),
            ScoreSpec(
                "mode_kl",
                "nats",
                "min",
                label="mode KL",
                digits=4,
                summary="KL(histogram over modes || uniform)",
                catches=("collapsed", "mode-dropper"),
            ),
            ScoreSpec(
                "mode_kl_floor",
                "nats",
                "none",
                label="KL floor",
                digits=4,
                summary="the mode_kl a perfect sampler has on average at this sample size",
            ),
            ScoreSpec(
                "class_confidence",
                "1",
                "none",
                label="confidence",
                digits=3,
                summary="mean probability the classifier gives to the mode it reads; compare with "
                "real data",
            ),
        ),
        config=ModesConfig,
        summary="How many known modes the samples cover, how evenly and how wide.",
        reference="Srivastava et al., 'VEEGAN: Reducing Mode Collapse in GANs using Implicit "
        "Variational Learning', 2017; Lin et al., 'PacGAN: The Power of Two Samples in Generative "
        "Adversarial Networks', 2018",
    ),
]
