"""One torch thread for every test: small models are faster with it, and results do not depend on
what else the machine does."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Statistics of real data, decoded images and downloads of a test stay out of the user's cache.
_CACHE = tempfile.mkdtemp(prefix="benchbench-tests-")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
os.environ["XDG_CACHE_HOME"] = _CACHE
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest  # noqa: E402 - the variables come first
import torch  # noqa: E402

torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `gpu` are skipped where there is no CUDA device."""
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
