"""Most memory in use at once while something runs, over what was in use before it began.

CUDA: the caching allocator's peak (`torch.cuda.max_memory_allocated`) after a reset.
CPU: the process's peak resident memory, VmHWM, after a reset through /proc/self/clear_refs
(Linux; proc(5)). Memory that is freed but still resident would hide an allocation that reuses
it, so the C library is asked to give it back first, where it can (glibc's malloc_trim). The
kernel counts pages per core before it adds them up: differences below half a megabyte are noise.
Elsewhere there is no honest figure, and `NotAvailable` says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

import torch

from benchbench.api.errors import NotAvailable

__all__ = ["peak_bytes"]

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"


def peak_bytes(run: Callable[[], object], device: torch.device) -> tuple[int, str]:
    """Peak bytes over the baseline while `run` runs, and how they were measured.

    Raises NotAvailable where the platform can't say.
    """
    if device.type == "cuda":
        return _cuda(run, device), "peak of the CUDA allocator over its baseline"
    if device.type != "cpu":
        raise NotAvailable(f"peak memory is not measured on device {device.type!r}")
    return _resident(run), "peak resident memory (VmHWM) over its baseline"


def _cuda(run: Callable[[], object], device: torch.device) -> int:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _resident(run: Callable[[], object]) -> int:
    gc.collect()
    _give_back_freed()
    try:
        _CLEAR.write_text(_RESET_PEAK)
        before = _high_water()
    except (OSError, KeyError) as error:
        raise NotAvailable(
            f"peak resident memory needs {_CLEAR} and VmHWM in {_STATUS} (Linux): {error}"
        ) from None
    run()
    return max(0, _high_water() - before)


def _give_back_freed() -> None:
    """Return freed heap pages to the system; C libraries other than glibc have no such call."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _high_water() -> int:
    """VmHWM in bytes; KeyError where the kernel does not report it."""
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
    return int(fields["VmHWM"].split()[0]) * 1024
