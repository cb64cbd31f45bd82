"""Where the recording behind `pulse` lies, without loading torch or HeartPy."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from benchbench.api import Assets, DatasetSpec

__all__ = ["where_pulse"]


def where_pulse(spec: DatasetSpec, assets: Assets) -> Path | None:
    """The recording's file, or None where HeartPy is not installed."""
    found = importlib.util.find_spec("heartpy")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "data" / "data3.csv"
    return path if path.is_file() else None
