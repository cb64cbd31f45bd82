"""What a process does once, done before a clock runs.

The first step on a GPU loads cuBLAS and cuDNN and makes their handles, the first optimiser imports
half of torch's compiler, the first counted step sets up the counting: seconds, which a budget in
seconds would charge to whoever comes first, and to a model of two phases more than to others.
"""

from __future__ import annotations

import contextlib
import functools

import torch
from torch import nn

from benchbench.metrics.flops import FlopCounter

__all__ = ["warm_up"]


@functools.cache
def warm_up(device: torch.device, precision: str) -> None:
    """Two steps of a small network, one of them counted; once a process, device and precision.

    No random state changes.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(144, 8))
        net = net.to(device)
        optimiser = torch.optim.AdamW(net.parameters(), fused=True)
        autocast = torch.autocast(
            device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"
        )
        for counting in (True, False):
            with FlopCounter() if counting else contextlib.nullcontext():
                with autocast:
                    loss = net(torch.zeros(4, 1, 8, 8, device=device)).square().mean()
                loss.backward()
                optimiser.step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
