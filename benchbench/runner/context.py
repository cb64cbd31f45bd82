"""Facts about a run that its tables state: hardware, versions, threads, the plan."""

from __future__ import annotations

from benchbench.runner.plan import Plan
from benchbench.store.folder import ResultFolder

__all__ = ["run_context"]

_FACTS = ("benchbench", "torch", "python", "processor", "cores", "threads", "precision")


def run_context(plan: Plan, folder: ResultFolder) -> dict[str, str]:
    """Lines for the notes of a table; what differs between cells is listed in full."""
    found: dict[str, dict[str, None]] = {}
    for cell in plan.cells:
        provenance = folder.cell(cell.folder).status().get("provenance") or {}
        for key in _FACTS:
            if key in provenance:
                found.setdefault(key, {})[str(provenance[key])] = None
    context = {key: ", ".join(values) for key, values in found.items()}
    return dict(sorted({"suite": plan.name, **context}.items()))
