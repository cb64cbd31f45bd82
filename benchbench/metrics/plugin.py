"""Hook implementation: the specs of the built-in metrics, readable without torch.

Their order is the order of columns in a table.
"""

from __future__ import annotations

from benchbench.api import MetricSpec, hookimpl
from benchbench.metrics.specs_cost import COST_SPECS
from benchbench.metrics.specs_diffusion import DIFFUSION_SPECS
from benchbench.metrics.specs_distribution import DISTRIBUTION_SPECS
from benchbench.metrics.specs_likelihood import LIKELIHOOD_SPECS
from benchbench.metrics.specs_quality import QUALITY_SPECS
from benchbench.metrics.specs_signal import SIGNAL_SPECS

__all__ = ["bench_metrics"]


@hookimpl
def bench_metrics() -> list[MetricSpec]:
    """Fidelity, coverage, diversity, memorisation, likelihood, denoising and cost."""
    return [
        *QUALITY_SPECS,
        *DISTRIBUTION_SPECS,
        *SIGNAL_SPECS,
        *LIKELIHOOD_SPECS,
        *DIFFUSION_SPECS,
        *COST_SPECS,
    ]
