"""The checks of a model, in the order in which they run, and those of data sets, metrics
and extractors."""

from __future__ import annotations

from benchbench.testing.checks import (
    declared,
    facts,
    latents,
    likelihood,
    sampling,
    training,
)
from benchbench.testing.checks.datasets import DATASET_CHECKS
from benchbench.testing.checks.extractors import EXTRACTOR_CHECKS
from benchbench.testing.checks.metrics import METRIC_CHECKS
from benchbench.testing.kit import Check

__all__ = ["DATASET_CHECKS", "EXTRACTOR_CHECKS", "METRIC_CHECKS", "MODEL_CHECKS"]

_TRAINED = ("fit",)
_SAME = ("fit", "deterministic")

MODEL_CHECKS = (
    Check("config_options", declared.config_options),
    Check("capabilities", declared.capabilities),
    Check("fit", training.fit),
    Check("budget", training.budget, _TRAINED),
    Check("reproducible", training.reproducible, _TRAINED),
    Check("resume", training.resume, ("fit", "reproducible")),
    Check("samples", sampling.samples, _TRAINED),
    Check("sizes", sampling.sizes, _TRAINED),
    Check("deterministic", sampling.deterministic, _TRAINED),
    Check("global_state", sampling.global_state, _TRAINED),
    Check("sampling_options", declared.sampling_options, _SAME),
    Check("checkpoint", training.checkpoint, ("fit", "deterministic", "reproducible")),
    Check("nfe", sampling.nfe, _TRAINED),
    Check("describe", facts.describe, _TRAINED),
    Check("encode", latents.encode, _TRAINED),
    Check("decode", latents.decode, _TRAINED),
    Check("standard_prior", latents.standard_prior, ("fit", "decode", "samples")),
    Check("prior_density", latents.prior_density, _TRAINED),
    Check("denoise", latents.denoise, _TRAINED),
    Check("log_prob", likelihood.log_prob, _TRAINED),
    Check("density_total", likelihood.density_total, ("fit", "log_prob")),
    Check("density_of_samples", likelihood.density_of_samples, ("density_total", "samples")),
    Check("elbo", likelihood.elbo, _TRAINED),
    Check("beats_gaussian", facts.beats_gaussian, ("fit", "samples")),
    Check("devices", sampling.devices, _TRAINED),
)
