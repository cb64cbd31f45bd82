"""Scores and options of distances between distributions, diversity, bins and memorisation.

All are in scores.csv; the comparison table shows `kid` alone, so that it stays readable.
"""

from __future__ import annotations

from pydantic import Field

from benchbench.api import Config, Kind, MetricSpec, ScoreSpec
from benchbench.metrics.specs_quality import COMPARED, PIPELINES, Pipeline

__all__ = [
    "DISTRIBUTION_SPECS",
    "BinsConfig",
    "ClassesConfig",
    "ExtrapolationConfig",
    "KernelConfig",
    "MemorisationConfig",
    "VendiConfig",
]


class KernelConfig(Config):
    """How many samples a KID compares, at once or in subsets, and who computes it."""

    n: int = Field(10_000, ge=2, description=COMPARED)
    subsets: int = Field(
        0, ge=0, description="Random subsets averaged over, as published; 0: all samples at once."
    )
    subset_size: int = Field(1000, ge=3, description="Samples in each subset.")
    pipeline: Pipeline = Field("ours", description=PIPELINES)


class ExtrapolationConfig(Config):
    """The sample sizes that FID is extrapolated from."""

    n: int = Field(10_000, ge=2, description=COMPARED)
    points: int = Field(15, ge=3, description="Sample sizes, evenly spaced, up to n.")


class VendiConfig(Config):
    """How many samples, for the score grows with them."""

    n: int = Field(5_000, ge=2, description=COMPARED)


class BinsConfig(Config):
    """How many samples, in how many bins."""

    n: int = Field(10_000, ge=2, description=COMPARED)
    bins: int = Field(100, ge=2, description="Bins of k-means over training data.")


class ClassesConfig(Config):
    """How many samples are counted."""

    n: int | None = Field(
        None, ge=1, description="Samples counted; none: as many as the data set's protocol says."
    )


class MemorisationConfig(Config):
    """How many samples, and how much of the training data is searched."""

    n: int = Field(2_000, ge=2, description=COMPARED)
    n_train: int = Field(
        1_000_000, ge=2, description="Training examples searched, from the first on."
    )


_BOTH: frozenset[Kind] = frozenset({"points", "image"})
_IMAGE: frozenset[Kind] = frozenset({"image"})

DISTRIBUTION_SPECS: list[MetricSpec] = [
    MetricSpec(
        name="kid",
        kinds=_IMAGE,
        implementation="benchbench.metrics.kid:compute",
        scores=(
            ScoreSpec(
                "kid",
                "1",
                "min",
                label="KID",
                digits=5,
                summary="unbiased squared maximum mean discrepancy under a cubic kernel of "
                "features; can be negative",
                catches=("collapsed", "mode-dropper", "noise", "blur"),
            ),
        ),
        features=True,
        config=KernelConfig,
        summary="Kernel distance to test data in the features of the extractor.",
        reference="Bińkowski et al., 'Demystifying MMD GANs', 2018",
    ),
    MetricSpec(
        name="fid_infinity",
        kinds=_IMAGE,
        implementation="benchbench.metrics.fid_infinity:compute",
        scores=(
            ScoreSpec(
                "fid_infinity",
                "1",
                "min",
                label="FID∞",
                digits=2,
                table=False,
                summary="FID extrapolated to infinitely many samples; the bias of the reference "
                "stays",
                catches=("collapsed", "mode-dropper", "noise", "blur"),
            ),
        ),
        features=True,
        config=ExtrapolationConfig,
        summary="Fréchet distance in the limit of many samples.",
        reference="Chong and Forsyth, 'Effectively Unbiased FID and Inception Score and Where to "
        "Find Them', 2020",
    ),
    MetricSpec(
        name="vendi",
        kinds=_BOTH,
        implementation="benchbench.metrics.vendi:compute",
        scores=(
            ScoreSpec(
                "vendi",
                "1",
                "none",
                label="Vendi",
                digits=2,
                table=False,
                summary="effective number of different samples; compare with real data",
                catches=("collapsed",),
            ),
        ),
        features=True,
        config=VendiConfig,
        summary="Diversity of samples by themselves.",
        reference="Friedman and Dieng, 'The Vendi Score: A Diversity Evaluation Metric for "
        "Machine Learning', 2023",
    ),
    MetricSpec(
        name="ndb",
        kinds=_BOTH,
        implementation="benchbench.metrics.ndb:compute",
        scores=(
            ScoreSpec(
                "ndb",
                "1",
                "min",
                label="NDB/m",
                digits=3,
                table=False,
                summary="share of bins whose share of samples differs at the 5 % level; 0.05 for "
                "a perfect sampler",
                catches=("collapsed", "mode-dropper", "noise"),
            ),
            ScoreSpec(
                "ndb_holm",
                "1",
                "min",
                label="NDB/m (Holm)",
                digits=3,
                table=False,
                summary="the same with all bins tested together",
                catches=("collapsed", "noise"),
            ),
        ),
        features=True,
        config=BinsConfig,
        summary="Bins of the feature space that hold too many or too few samples.",
        reference="Richardson and Weiss, 'On GANs and GMMs', 2018",
    ),
    MetricSpec(
        name="classes",
        kinds=_IMAGE,
        implementation="benchbench.metrics.classes:compute",
        scores=(
            ScoreSpec(
                "class_kl",
                "nats",
                "min",
                label="class KL",
                digits=4,
                table=False,
                summary="KL(classes read in samples || labels of test data)",
                catches=("collapsed", "mode-dropper"),
            ),
            ScoreSpec(
                "class_kl_floor",
                "nats",
                "none",
                label="class KL floor",
                digits=4,
                table=False,
                summary="the class_kl a perfect sampler has on average at this sample size",
            ),
            ScoreSpec(
                "rarest_class_share",
                "1",
                "max",
                label="rarest class",
                digits=3,
                table=False,
                summary="least share of a class over its share of test data",
                catches=("collapsed", "mode-dropper"),
            ),
        ),
        features=True,
        config=ClassesConfig,
        summary="Classes of samples against those of test data.",
    ),
    MetricSpec(
        name="memorisation",
        kinds=_BOTH,
        implementation="benchbench.metrics.memorisation:compute",
        scores=(
            ScoreSpec(
                "auth_pct",
                "%",
                "none",
                label="AuthPct",
                digits=1,
                table=False,
                summary="samples farther from their training neighbour than it from its own; 0 "
                "for copies, compare with real data",
                catches=("memoriser",),
            ),
            ScoreSpec(
                "ct",
                "1",
                "none",
                label="C_T",
                digits=2,
                table=False,
                summary="z-score of distances to training data against held-out data; far below "
                "0: copying",
                catches=("memoriser",),
            ),
        ),
        features=True,
        config=MemorisationConfig,
        summary="Whether samples copy training data.",
        reference="Alaa et al., 'How Faithful is your Synthetic Data?', 2022; Meehan et al., 'A "
        "Non-Parametric Test to Detect Data-Copying in Generative Models', 2020",
    ),
]
