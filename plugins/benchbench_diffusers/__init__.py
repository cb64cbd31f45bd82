"""`--models diffusers:FOLDER`: unconditional image pipelines that were saved by diffusers."""

from __future__ import annotations

from benchbench.api import ModelSpec, hookimpl
from benchbench_diffusers.options import PipelineSampling

__all__ = ["bench_models"]


@hookimpl
def bench_models() -> list[ModelSpec]:
    """One model for each folder."""
    return [
        ModelSpec(
            name="diffusers",
            family="diffusion",
            kinds=frozenset({"image"}),
            implementation="benchbench_diffusers.model:Pipeline",
            sampling=PipelineSampling,
            external=True,
            argument="FOLDER",
            instance="benchbench_diffusers.options:pipeline_instance",
            summary="a saved pipeline that makes images from noise alone, such as DDPMPipeline",
            reference="von Platen et al., Diffusers: State-of-the-art diffusion models, 2022",
        )
    ]
