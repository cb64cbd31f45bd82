"""How many samples a score takes, and what its detail says of how they were made."""

from __future__ import annotations

from typing import Any

from benchbench.api.errors import NotAvailable
from benchbench.metrics.evaluation import SampleEvaluation

__all__ = ["paired_count", "sample_count", "sampling_detail"]


def sample_count(evaluation: SampleEvaluation, wanted: int) -> int:
    """`wanted`, or all the samples of a row that has fewer; n is part of the score."""
    available = evaluation.available
    return wanted if available is None else min(wanted, available)


def paired_count(evaluation: SampleEvaluation, wanted: int) -> int:
    """How many samples to compare with as many test examples.

    `wanted`, but no more than the validation split has, which makes the row of held-out real
    data: else that row would differ in n from all others and stand in a column of its own.
    """
    data = evaluation.dataset
    n = sample_count(evaluation, min(wanted, len(data.test), len(data.validation)))
    if n < 2:
        raise NotAvailable(f"at least 2 samples and test examples needed, there are {n}")
    return n


def sampling_detail(evaluation: SampleEvaluation) -> dict[str, Any]:
    """Network evaluations and sampling options of a model's row; empty for samples alone."""
    if evaluation.available is not None:
        return {}
    detail: dict[str, Any] = {"sampling": evaluation.sampling}
    try:
        detail["nfe"] = evaluation.model.nfe(**evaluation.sampling)
    except NotAvailable:  # a function from elsewhere that doesn't say so
        detail["nfe"] = None
    return detail
