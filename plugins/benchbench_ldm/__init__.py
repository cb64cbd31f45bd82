"""Latent diffusion as a plugin: this module says what there is, and loads no torch."""

from __future__ import annotations

from benchbench.api import ModelSpec, hookimpl
from benchbench_ldm.config import DDPMConfig, DDPMSampling, LDMConfig, LDMSampling

__all__ = ["bench_models"]


@hookimpl
def bench_models() -> list[ModelSpec]:
    """The models `ldm` and `ddpm`."""
    return [
        ModelSpec(
            name="ldm",
            family="latent diffusion",
            kinds=frozenset({"points", "image", "signal"}),
            implementation="benchbench_ldm.model:LatentDiffusion",
            config=LDMConfig,
            sampling=LDMSampling,
            capabilities=frozenset({"encode", "decode", "prior_log_prob", "denoise"}),
            summary="autoencoder with a KL-regularised latent and a diffusion prior on it",
            reference="Rombach et al., High-Resolution Image Synthesis with Latent Diffusion "
            "Models, 2022; Karras et al., Elucidating the Design Space of Diffusion-Based "
            "Generative Models, 2022",
        ),
        ModelSpec(
            name="ddpm",
            family="diffusion",
            kinds=frozenset({"points", "image", "signal"}),
            implementation="benchbench_ldm.data_space:DataDiffusion",
            config=DDPMConfig,
            sampling=DDPMSampling,
            capabilities=frozenset({"log_prob", "denoise"}),
            summary="diffusion in data space: the ldm without its autoencoder",
            reference="Ho et al., Denoising Diffusion Probabilistic Models, 2020; Karras et al., "
            "Elucidating the Design Space of Diffusion-Based Generative Models, 2022",
        ),
    ]
