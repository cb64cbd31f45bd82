"""Scores and options of noising and denoising, readable without torch."""

from __future__ import annotations

from pydantic import Field

from benchbench.api import KINDS, Config, MetricSpec, ScoreSpec

__all__ = ["DIFFUSION_SPECS", "DenoisingConfig", "HeatConfig"]


class DenoisingConfig(Config):
    """At which noise levels, and on how many test examples."""

    n: int = Field(4096, ge=2, description="Test examples, the first of the split.")
    sigmas: tuple[float, ...] = Field(
        (0.02, 0.1, 0.5, 2.0),
        min_length=1,
        description="Noise levels sigma = sqrt(t), in standard deviations of the latents.",
    )


class HeatConfig(Config):
    """How many particles, and for how long they spread."""

    particles: tuple[int, ...] = Field(
        (256, 1024, 4096, 16384), min_length=2, description="Particles released; ascending."
    )
    repeats: int = Field(16, ge=1, description="Independent releases behind each error.")
    t: float = Field(0.25, gt=0, description="Diffusion time; the kernel has variance t.")


DIFFUSION_SPECS: list[MetricSpec] = [
    MetricSpec(
        name="denoising",
        kinds=frozenset(KINDS),  # type: ignore[arg-type]
        implementation="benchbench.metrics.denoising:compute",
        scores=(
            ScoreSpec(
                "noise_variance",
                "1",
                "none",
                table=False,
                summary="mean of (X − Z)² over examples and dimensions; t where X = Z + sqrt(t) ε",
            ),
            ScoreSpec(
                "denoise_error",
                "1",
                "min",
                table=False,
                summary="mean of (Z − Ẑ)² over examples and dimensions, Ẑ the network's estimate",
            ),
            ScoreSpec(
                "denoise_best",
                "1",
                "none",
                table=False,
                summary="the same of E[Z | X] in closed form, where data are known Gaussians",
            ),
            ScoreSpec(
                "denoise_ratio",
                "1",
                "min",
                table=False,
                summary="denoise_error over denoise_best; 1 for a perfect network",
            ),
        ),
        scope="model",
        needs="model",
        config=DenoisingConfig,
        summary="What a diffusion model's network makes of noisy latents.",
    ),
    MetricSpec(
        name="heat",
        kinds=frozenset(KINDS),  # type: ignore[arg-type]
        implementation="benchbench.metrics.heat:compute",
        scores=(
            ScoreSpec(
                "heat_error",
                "1",
                "none",
                table=False,
                summary="root mean squared distance of particles' histogram to the heat "
                "equation's solution; falls as 1/sqrt(particles)",
            ),
        ),
        scope="model",
        needs="model",
        config=HeatConfig,
        summary="A diffusion model's forward process against the heat equation.",
    ),
]
