"""The checks of a metric, in the order in which they run."""

from __future__ import annotations

from benchbench.testing.checks.metrics import behaviour, instruments, spec
from benchbench.testing.kit import Check

__all__ = ["METRIC_CHECKS"]

_COMPUTED = ("compute",)
_SAME = ("compute", "deterministic")
_VALUED = ("scores", "compute", "values", "names", "few")

METRIC_CHECKS = (
    Check("config_options", spec.config_options),
    Check("scores", spec.scores),
    Check("compute", spec.compute),
    Check("needs", spec.needs, _COMPUTED),
    Check("names", spec.names, ("scores", "compute")),
    Check("values", spec.values, _COMPUTED),
    Check("detail", spec.detail, _COMPUTED),
    Check("features", spec.features, _COMPUTED),
    Check("deterministic", behaviour.deterministic, _COMPUTED),
    Check("global_state", behaviour.global_state, _COMPUTED),
    Check("inputs", behaviour.inputs, _COMPUTED),
    Check("order", behaviour.order, (*_SAME, "values")),
    Check("few", behaviour.few, ("compute", "values")),
    Check("direction", instruments.direction, _VALUED),
    Check("catches", instruments.catches, (*_VALUED, "direction")),
)
