"""The hooks a plugin implements. Each returns specs that can be read without torch.

    from benchbench.api import ModelSpec, hookimpl

    @hookimpl
    def bench_models() -> list[ModelSpec]:
        return [ModelSpec(name="mine", implementation="my_package.model:Mine", ...)]

A package registers the module that holds its hook functions under the entry-point group
`benchbench`; a single file is handed over with `--plugin FILE`.
"""

from __future__ import annotations

import pluggy

from benchbench.api.specs import DatasetSpec, ExtractorSpec, MetricSpec, ModelSpec

__all__ = [
    "GROUP",
    "hookimpl",
    "hookspec",
    "bench_models",
    "bench_datasets",
    "bench_extractors",
    "bench_metrics",
]

GROUP = "benchbench"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def bench_models() -> list[ModelSpec]:
    """The generative models of this plugin, one spec each."""
    return []


@hookspec
def bench_datasets() -> list[DatasetSpec]:
    """The data sets of this plugin, one spec each."""
    return []


@hookspec
def bench_extractors() -> list[ExtractorSpec]:
    """The feature extractors of this plugin, one spec each."""
    return []


@hookspec
def bench_metrics() -> list[MetricSpec]:
    """The metrics of this plugin, one spec for each group of scores that are computed together."""
    return []
