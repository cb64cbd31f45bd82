"""The conformance kit: what every plugin can be asked before it stands in a table.

    from benchbench.testing import check_model, model_checks

    for outcome in check_model("mine", plugin="mine.py"):
        print(outcome.check, outcome.status, outcome.reason)

    @pytest.mark.parametrize("check", model_checks("mine", plugin="mine.py"))
    def test_contract(check):
        check()

`check_dataset` and `dataset_checks`, `check_metric` and `metric_checks`, `check_extractor` and
`extractor_checks` do the same for data sets, metrics and extractors. Models train a few steps on
small data sets of two modes, on the CPU; the harness itself runs them. Metrics measure small data
sets of ten modes, and controls of them; extractors read a few examples of many shapes. The checks
one by one: `benchbench.testing.checks`.
"""

from __future__ import annotations

from benchbench.testing.checks import (
    DATASET_CHECKS,
    EXTRACTOR_CHECKS,
    METRIC_CHECKS,
    MODEL_CHECKS,
)
from benchbench.testing.dataset_subject import DatasetSubject
from benchbench.testing.entry import (
    check_dataset,
    check_extractor,
    check_metric,
    check_model,
    dataset_checks,
    dataset_kit,
    extractor_checks,
    extractor_kit,
    metric_checks,
    metric_kit,
    model_checks,
    model_kit,
)
from benchbench.testing.extractor_subject import ExtractorSubject
from benchbench.testing.kit import Check, Kit
from benchbench.testing.metric_subject import MetricSubject
from benchbench.testing.outcomes import Breach, NotApplicable, Outcome
from benchbench.testing.subject import Subject

__all__ = [
    "DATASET_CHECKS",
    "EXTRACTOR_CHECKS",
    "METRIC_CHECKS",
    "MODEL_CHECKS",
    "Breach",
    "Check",
    "DatasetSubject",
    "ExtractorSubject",
    "Kit",
    "MetricSubject",
    "NotApplicable",
    "Outcome",
    "Subject",
    "check_dataset",
    "check_extractor",
    "check_metric",
    "check_model",
    "dataset_checks",
    "dataset_kit",
    "extractor_checks",
    "extractor_kit",
    "metric_checks",
    "metric_kit",
    "model_checks",
    "model_kit",
]
