"""A saved pipeline of diffusers as a model: noise in, images out, no training.

A network evaluation is a call of one of the pipeline's networks; they are counted, because
multi-step and predictor-corrector schedulers call it more than once a step.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchbench.api import Config, DataInfo, PluginError
from benchbench.api.external import ExternalModel

__all__ = ["Pipeline"]


class Pipeline(ExternalModel):
    """The pipeline in a folder, in float32.

    folder: as `save_pretrained` wrote it; pickled weights are refused.
    """

    def __init__(self, config: Config, data: DataInfo, folder: str) -> None:
        super().__init__(config, data)
        self.pipeline = _load(folder)
        self._call = inspect.signature(type(self.pipeline).__call__).parameters
        needed = [
            name
            for name, parameter in list(self._call.items())[1:]
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        ]
        kind = type(self.pipeline).__name__
        if needed or not {"batch_size", "generator", "output_type"} <= set(self._call):
            raise PluginError(f"{kind} does not make images from noise alone, so it has no row")
        parts = {n: c for n, c in self.pipeline.components.items() if isinstance(c, nn.Module)}
        self.networks = nn.ModuleDict(parts)
        self._counted: dict[int | None, int] = {}

    def sample(
        self, n: int, *, generator: torch.Generator, steps: int | None = None, **sampling: Any
    ) -> Tensor:
        options = {} if steps is None else {"num_inference_steps": steps}
        made = self.pipeline(batch_size=n, generator=generator, output_type="np", **options)
        images = torch.from_numpy(np.ascontiguousarray(made.images, dtype=np.float32))
        return (2 * images.movedim(-1, 1) - 1).to(generator.device)  # (n, H, W, C) in [0, 1]

    def nfe(self, *, steps: int | None = None, **sampling: Any) -> int:
        """Counted while one sample is drawn, of the network that is called most."""
        if steps not in self._counted:
            self._counted[steps] = self._count(steps)
        return self._counted[steps]

    def _count(self, steps: int | None) -> int:
        counts = dict.fromkeys(self.networks, 0)

        def counter(name: str) -> Any:
            def count(*_: Any) -> None:
                counts[name] += 1

            return count

        hooks = [net.register_forward_pre_hook(counter(n)) for n, net in self.networks.items()]
        device = next(self.networks.parameters()).device
        try:
            with torch.no_grad():
                self.sample(1, generator=torch.Generator(device).manual_seed(0), steps=steps)
        finally:
            for hook in hooks:
                hook.remove()
        return max(counts.values())

    def describe(self) -> dict[str, Any]:
        """The classes of pipeline and scheduler."""
        parts = self.pipeline.components
        scheduler = type(parts["scheduler"]).__name__ if "scheduler" in parts else "none"
        return {"pipeline": type(self.pipeline).__name__, "scheduler": scheduler}


def _load(folder: str) -> Any:
    from diffusers import DiffusionPipeline
    from diffusers.utils import logging

    logging.disable_progress_bar()
    try:
        pipeline = DiffusionPipeline.from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        ).to(torch.float32)
    except Exception as error:  # whatever a damaged file raises
        raise PluginError(f"diffusers can't load {Path(folder).name}: {error}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
