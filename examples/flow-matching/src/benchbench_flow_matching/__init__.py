"""What this package brings to the bench; importing it loads no torch."""

from __future__ import annotations

from benchbench.api import ModelSpec, hookimpl

from benchbench_flow_matching.config import FlowMatchingConfig, FlowMatchingSampling

__all__ = ["bench_models"]


@hookimpl
def bench_models() -> list[ModelSpec]:
    """The model `flow-matching`."""
    return [
        ModelSpec(
            name="flow-matching",
            family="flow matching",
            kinds=frozenset({"points", "image", "signal"}),
            implementation="benchbench_flow_matching.model:FlowMatching",
            config=FlowMatchingConfig,
            sampling=FlowMatchingSampling,
            capabilities=frozenset({"log_prob", "denoise"}),
            summary="conditional flow matching with straight paths, in data space",
            reference="Lipman et al., Flow Matching for Generative Modeling, 2023; Liu et al., "
            "Flow Straight and Fast, 2023; Tong et al., Improving and Generalizing Flow-Based "
            "Generative Models with Minibatch Optimal Transport, 2024",
            api_version=2,
        )
    ]
