"""Small models for points, in a state that needs no training."""

from __future__ import annotations

from typing import Any

import torch
from benchbench.api import DataInfo

from benchbench_flow_matching.config import FlowMatchingConfig
from benchbench_flow_matching.model import FlowMatching

__all__ = ["perturbed", "untrained"]

SMALL: dict[str, Any] = {"width": 16, "depth": 1, "fourier": 0}


def untrained(dim: int, **options: Any) -> FlowMatching:
    """Its network is zero, so the flow is that of data N(0, I)."""
    torch.manual_seed(0)
    info = DataInfo("toy", "points", (dim,), 1000)
    return FlowMatching(FlowMatchingConfig(**{**SMALL, **options}), info).eval()


def perturbed(dim: int) -> FlowMatching:
    """In double precision, its averaged network moved far from zero."""
    model = untrained(dim).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.average.module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model
