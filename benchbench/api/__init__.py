"""What a plugin imports: contracts, hook markers and errors, and nothing else of the bench.

Importing this package loads neither torch nor pandas: the specs a hook returns must be readable
by `bench list` at once. What needs torch (`Model`, `Dataset` and its relatives) is loaded on
first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchbench.api.assets import Assets
from benchbench.api.budget import UNITS, Budget, Unit
from benchbench.api.config import Config
from benchbench.api.errors import (
    BenchError,
    Diverged,
    NotAvailable,
    PluginError,
    UsageError,
    nearest,
    unknown,
)
from benchbench.api.hooks import hookimpl, hookspec
from benchbench.api.score import CONTROL_DRAWS, CONTROLS, Bound, Direction, Score, ScoreSpec
from benchbench.api.specs import (
    API_VERSION,
    CAPABILITIES,
    KINDS,
    Capability,
    DatasetSpec,
    ExtractorSpec,
    Kind,
    MetricSpec,
    ModelSpec,
)

if TYPE_CHECKING:
    from benchbench.api.data import DataInfo, Dataset, GaussianModes, LabelModes, Split
    from benchbench.api.evaluation import Evaluation, Extractor
    from benchbench.api.model import Model
    from benchbench.api.tensors import digest_tensors
    from benchbench.api.training import Training

_LAZY = {
    "DataInfo": "data",
    "Dataset": "data",
    "GaussianModes": "data",
    "LabelModes": "data",
    "Split": "data",
    "Evaluation": "evaluation",
    "Extractor": "evaluation",
    "Model": "model",
    "Training": "training",
    "digest_tensors": "tensors",
}

__all__ = [
    "API_VERSION",
    "Assets",
    "Bound",
    "BenchError",
    "Budget",
    "CAPABILITIES",
    "CONTROLS",
    "CONTROL_DRAWS",
    "Capability",
    "Config",
    "DataInfo",
    "Dataset",
    "DatasetSpec",
    "Direction",
    "Diverged",
    "Evaluation",
    "Extractor",
    "ExtractorSpec",
    "GaussianModes",
    "KINDS",
    "Kind",
    "LabelModes",
    "MetricSpec",
    "Model",
    "ModelSpec",
    "NotAvailable",
    "PluginError",
    "Score",
    "ScoreSpec",
    "Split",
    "Training",
    "UNITS",
    "Unit",
    "UsageError",
    "digest_tensors",
    "hookimpl",
    "hookspec",
    "nearest",
    "unknown",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"benchbench.api.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'benchbench.api' has no attribute {name!r}")
