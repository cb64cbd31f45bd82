"""The built-in autoencoder, registered as a stranger's would be."""

from __future__ import annotations

from benchbench.api import ModelSpec, hookimpl
from benchbench_ae.config import AeConfig

__all__ = ["bench_models"]


@hookimpl
def bench_models() -> list[ModelSpec]:
    """The one model of this plugin."""
    return [
        ModelSpec(
            name="ae",
            family="autoencoder",
            kinds=frozenset({"points", "image", "signal"}),
            implementation="benchbench_ae.model:Autoencoder",
            config=AeConfig,
            capabilities=frozenset({"decode", "prior_log_prob"}),
            summary="reconstruction, then a mixture of Gaussians fitted to the codes",
            reference="Ghosh et al., 'From Variational to Deterministic Autoencoders', 2020; "
            "Cappé and Moulines, 'On-line expectation-maximization algorithm for latent data "
            "models', 2009",
        )
    ]
