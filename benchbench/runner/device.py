"""The device that a plan asks for, and what stands for it in a key."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

from benchbench.api import UsageError

if TYPE_CHECKING:
    import torch

__all__ = ["device_name", "processor_name", "resolve_device", "torch_version"]


def resolve_device(given: str) -> torch.device:
    """`auto`: the first GPU, else the CPU; raises UsageError where there is no such device."""
    import torch

    available = torch.cuda.is_available()
    if given == "auto":
        return torch.device("cuda", 0) if available else torch.device("cpu")
    device = torch.device(given)
    if device.type == "cuda":
        if not available:
            raise UsageError(f"device {given!r} is not available: no CUDA here; use auto or cpu")
        index = device.index or 0
        if index >= torch.cuda.device_count():
            raise UsageError(
                f"device {given!r} does not exist; there are {torch.cuda.device_count()} GPUs"
            )
        return torch.device("cuda", index)
    return device


def device_name(device: torch.device) -> str:
    """The card, or the kind of processor: results of unlike machines share no key."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()


def torch_version() -> str:
    """As torch states it, build included."""
    import torch

    return torch.__version__


def processor_name() -> str:
    """The processor as the system states it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
