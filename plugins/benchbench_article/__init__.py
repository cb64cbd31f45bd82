"""The article's own network, the shortest example of a model plugin."""

from __future__ import annotations

from pydantic import Field

from benchbench.api import Config, ModelSpec, hookimpl

__all__ = ["ArticleConfig", "bench_models"]


class ArticleConfig(Config):
    """Training options."""

    levels: int = Field(20, ge=2, le=10_000, description="Noise levels, geometric in sqrt(t).")
    sigma_min: float = Field(0.05, gt=0, le=1, description="sqrt(t) of the lowest level.")
    sigma_max: float = Field(5.0, ge=1, le=1000, description="sqrt(t) of the highest level.")
    batch_size: int = Field(64, ge=1, le=65_536, description="Images in a step.")
    lr: float = Field(0.01, gt=0, le=1, description="Learning rate of Adam.")


@hookimpl
def bench_models() -> list[ModelSpec]:
    """The one model of this plugin."""
    return [
        ModelSpec(
            name="article",
            family="denoiser",
            kinds=frozenset({"image"}),
            implementation="benchbench_article.model:Article",
            config=ArticleConfig,
            summary="one 3x3 convolution, trained to denoise, without a time input",
            reference="the sample code of an introductory article on latent diffusion",
        )
    ]
