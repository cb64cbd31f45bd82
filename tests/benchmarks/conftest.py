"""Benchmarks share cases with the tests of what they time."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in ("metrics/features", "metrics"):
    sys.path.append(str(Path(__file__).parents[1] / folder))
