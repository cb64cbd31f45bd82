"""Models that were trained elsewhere, built from their spec and never fitted."""

from __future__ import annotations

from benchbench.api import Config, ModelSpec, PluginError
from benchbench.api.data import DataInfo
from benchbench.api.external import CallableModel
from benchbench.api.model import Model
from benchbench.registry import Entry, resolve

__all__ = ["load_external"]


def load_external(entry: Entry[ModelSpec], config: Config, data: DataInfo) -> Model:
    """The model behind an external spec, ready to be sampled."""
    spec = entry.spec
    found = resolve(spec.implementation, entry.owner)
    if not isinstance(found, type):
        return CallableModel(config, data, found)
    argument = (spec.source[0],) if spec.source else ()
    model = found(config, data, *argument)
    if not isinstance(model, Model):
        raise PluginError(f"{spec.name}: the implementation is no benchbench.api.Model")
    return model
