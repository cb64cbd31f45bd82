"""The checks of a data set, in the order in which they run."""

from __future__ import annotations

from benchbench.testing.checks.datasets import loading, splits, stored, truth
from benchbench.testing.kit import Check

__all__ = ["DATASET_CHECKS"]

_STORED = ("load", "stored")

DATASET_CHECKS = (
    Check("declared", loading.declared),
    Check("load", loading.load),
    Check("deterministic", loading.deterministic, ("load",)),
    Check("digest", loading.digest, ("load", "deterministic")),
    Check("global_state", loading.global_state, ("load",)),
    Check("stored", stored.stored, ("load",)),
    Check("levels", stored.levels, _STORED),
    Check("labels", stored.labels, _STORED),
    Check("standardised", stored.standardised, _STORED),
    Check("spaces", stored.spaces, (*_STORED, "levels", "standardised")),
    Check("disjoint", splits.disjoint, _STORED),
    Check("held_out", splits.held_out, (*_STORED, "spaces")),
    Check("tuning_view", splits.tuning_view, (*_STORED, "spaces")),
    Check("modes", truth.modes, (*_STORED, "labels")),
    Check("density", truth.density, (*_STORED, "modes")),
    Check("extractor", truth.extractor, (*_STORED, "labels", "modes")),
)
