"""The smallest plugin: two functions in one file.

    def fit(training) -> nn.Module: ...
    def sample(module, n, *, generator) -> Tensor: ...

Optional beside them: NAME (else the file's stem), FAMILY, KINDS, and a docstring whose first line
becomes the summary.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from benchbench.api.errors import PluginError
from benchbench.api.specs import KINDS, ModelSpec

__all__ = ["spec_from_functions"]


def spec_from_functions(module: ModuleType, path: Path) -> ModelSpec:
    """The spec of a file that holds `fit` and `sample`.

    Raises PluginError where it holds neither hooks nor both functions.
    """
    fit, sample = getattr(module, "fit", None), getattr(module, "sample", None)
    if not callable(fit) or not callable(sample):
        raise PluginError(
            f"{path.name} has no @hookimpl function and not both of `fit(training)` and "
            "`sample(module, n, *, generator)`; write one or the other"
        )
    kinds: frozenset[Any] = frozenset(getattr(module, "KINDS", KINDS))
    doc = (module.__doc__ or "").strip().splitlines()
    return ModelSpec(
        name=getattr(module, "NAME", path.stem.lower().replace("_", "-")),
        family=getattr(module, "FAMILY", "unnamed"),
        kinds=kinds,
        implementation=_model_class(fit, sample),
        summary=doc[0] if doc else "",
    )


def _model_class(fit: Any, sample: Any) -> type:
    import torch
    from torch import Tensor, nn

    from benchbench.api.model import Model
    from benchbench.api.training import Training

    class FunctionModel(Model):
        """`fit` builds and trains the module; `sample` draws from it."""

        built_in_fit = True
        module: nn.Module

        def fit(self, training: Training) -> None:
            built = fit(training)
            if not isinstance(built, nn.Module):
                raise PluginError(
                    f"fit returned a {type(built).__name__}; it must return the trained nn.Module"
                )
            self.module = built.to(training.device).eval()

        def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
            return sample(self.module, n, generator=generator)

    return FunctionModel
