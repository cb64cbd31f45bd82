"""The conformance kit: what every plugin can be asked before it stands in a table.

    from benchbench.testing import check_model, model_checks

    for outcome in check_model("mine", plugin="mine.py"):
        print(outcome.check, outcome.status, outcome.reason)

    @pytest.mark.parametrize("check", model_checks("mine", plugin="mine.py"))
    def test_contract(check):
        check()

Trainings take a few steps on small data sets of two modes, on the CPU; the harness itself runs
them. The checks one by one: `benchbench.testing.checks`.
"""

from __future__ import annotations

from benchbench.testing.checks import MODEL_CHECKS
from benchbench.testing.entry import check_model, model_checks, model_kit
from benchbench.testing.kit import Check, Kit
from benchbench.testing.outcomes import Breach, NotApplicable, Outcome
from benchbench.testing.subject import Subject

__all__ = [
    "MODEL_CHECKS",
    "Breach",
    "Check",
    "Kit",
    "NotApplicable",
    "Outcome",
    "Subject",
    "check_model",
    "model_checks",
    "model_kit",
]
