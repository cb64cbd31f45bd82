"""The built-in variational autoencoder, registered as a stranger's would be."""

from __future__ import annotations

from benchbench.api import ModelSpec, hookimpl
from benchbench_vae.config import VaeConfig, VaeSampling

__all__ = ["bench_models"]


@hookimpl
def bench_models() -> list[ModelSpec]:
    """The one model of this plugin."""
    return [
        ModelSpec(
            name="vae",
            family="vae",
            kinds=frozenset({"points", "image", "signal"}),
            implementation="benchbench_vae.model:Vae",
            config=VaeConfig,
            sampling=VaeSampling,
            capabilities=frozenset({"encode", "decode", "standard_prior", "elbo"}),
            summary="evidence lower bound with learned observation noise",
            reference="Kingma and Welling, 'Auto-Encoding Variational Bayes', 2014; Rybkin et al., "
            "'Simple and Effective VAE Training with Calibrated Decoders', 2021",
        )
    ]
