"""The built-in normalizing flow, registered as a stranger's would be."""

from __future__ import annotations

from benchbench.api import ModelSpec, hookimpl
from benchbench_flow.config import FlowConfig

__all__ = ["bench_models"]


@hookimpl
def bench_models() -> list[ModelSpec]:
    """The one model of this plugin."""
    return [
        ModelSpec(
            name="flow",
            family="normalizing flow",
            kinds=frozenset({"points", "image", "signal"}),
            implementation="benchbench_flow.model:NormalizingFlow",
            config=FlowConfig,
            capabilities=frozenset({"log_prob"}),
            summary="neural spline flow with an exact density, the reference row of likelihoods",
            reference="Durkan et al., 'Neural Spline Flows', 2019; Dinh et al., 'Density "
            "estimation using Real NVP', 2017; Rozet et al., 'Zuko: Normalizing flows in PyTorch', "
            "2022",
        )
    ]
