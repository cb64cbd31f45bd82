"""The built-in generative adversarial networks, registered as a stranger's would be."""

from __future__ import annotations

from benchbench.api import ModelSpec, hookimpl
from benchbench_gan.config import GanConfig
from benchbench_gan.presets import (
    NonSaturatingConfig,
    PacGanConfig,
    R3GanConfig,
    WganGpConfig,
)

__all__ = ["bench_models"]


@hookimpl
def bench_models() -> list[ModelSpec]:
    """The GAN, and configurations of it that the literature knows by name."""
    return [
        _spec(
            "gan",
            GanConfig,
            "relativistic loss, gradient penalties on real and generated data, EMA",
            "Huang et al., 'The GAN is dead; long live the GAN! A Modern GAN Baseline', "
            "2024; Mescheder et al., 'Which Training Methods for GANs do actually Converge?', 2018",
        ),
        _spec(
            "gan-ns",
            NonSaturatingConfig,
            "the classic GAN: non-saturating loss, no penalty",
            "Goodfellow et al., 'Generative Adversarial Nets', 2014",
        ),
        _spec(
            "pacgan",
            PacGanConfig,
            "the classic GAN with a critic of pairs",
            "Lin et al., 'PacGAN: The power of two samples in generative adversarial networks', "
            "2018",
        ),
        _spec(
            "r3gan",
            R3GanConfig,
            "relativistic loss, R1 and R2 at every step, no normalisation",
            "Huang et al., 'The GAN is dead; long live the GAN! A Modern GAN Baseline', 2024",
        ),
        _spec(
            "wgan-gp",
            WganGpConfig,
            "Wasserstein loss with gradient penalty",
            "Gulrajani et al., 'Improved Training of Wasserstein GANs', 2017",
        ),
    ]


def _spec(name: str, config: type[GanConfig], summary: str, reference: str) -> ModelSpec:
    return ModelSpec(
        name=name,
        family="gan",
        kinds=frozenset({"points", "image", "signal"}),
        implementation="benchbench_gan.model:Gan",
        config=config,
        capabilities=frozenset({"decode", "standard_prior"}),
        summary=summary,
        reference=reference,
    )
