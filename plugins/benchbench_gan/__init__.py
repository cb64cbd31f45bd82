"""The built-in generative adversarial network, registered as a stranger's would be."""

from __future__ import annotations

from benchbench.api import ModelSpec, hookimpl
from benchbench_gan.config import GanConfig

__all__ = ["bench_models"]


@hookimpl
def bench_models() -> list[ModelSpec]:
    """The one model of this plugin."""
    return [
        ModelSpec(
            name="gan",
            family="gan",
            kinds=frozenset({"points", "image", "signal"}),
            implementation="benchbench_gan.model:Gan",
            config=GanConfig,
            capabilities=frozenset({"decode", "standard_prior"}),
            summary="relativistic loss, gradient penalties on real and generated data, EMA",
            reference="Huang et al., 'The GAN is dead; long live the GAN! A Modern GAN Baseline', "
            "2024; Mescheder et al., 'Which Training Methods for GANs do actually Converge?', 2018",
        )
    ]
