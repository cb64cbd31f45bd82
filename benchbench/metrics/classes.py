"""Classes of the samples against those of the test split, where labels exist.

p the histogram of the classes that the data set's own classifier reads in n samples, q that of the
test split's labels:

    class_kl            = Σ_i p_i log(p_i/q_i), nats
    class_kl_floor      = (m − 1)/(2n), what it is on average for a perfect sampler
    rarest_class_share  = min_i p_i/q_i: 1 for a perfect sampler, 0 where a class is missing

The detail says the share of each class in per cent, of samples (`shares`) and of test labels
(`true_shares`), where there are no more than 100. A classifier that misreads a class shifts p:
compare with the row `real`. rarest_class_share is the least of m noisy ratios, so it lies below 1
for a perfect sampler too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchbench.api import NotAvailable, Score
from benchbench.api.data import LabelModes
from benchbench.metrics.counts import sample_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.specs_distribution import ClassesConfig

__all__ = ["class_scores", "compute"]

MAX_LISTED = 100


def class_scores(read: Tensor, labels: Tensor, classes: int, detail: dict[str, Any]) -> list[Score]:
    """read: (n,) classes of samples; labels: (t,) of test data; both int64 in [0, classes)."""
    n = len(read)
    counts, true = (torch.bincount(z.cpu(), minlength=classes).double() for z in (read, labels))
    p, q = counts / n, true / len(labels)
    if bool((q == 0).any()):
        raise NotAvailable(f"{int((q == 0).sum())} of {classes} classes have no test example")
    detail = detail | {"reference": f"test:{len(labels)}", "of": classes}
    if classes <= MAX_LISTED:
        shares = {"shares": p, "true_shares": q}
        detail |= {k: [round(100 * v, 4) for v in z.tolist()] for k, z in shares.items()}
    kl = max(0.0, float(torch.special.xlogy(p, p / q).sum()))
    return [
        Score("class_kl", kl, n=n, detail=detail),
        Score("class_kl_floor", (classes - 1) / (2 * n), n=n, detail=detail),
        Score("rarest_class_share", float((p / q).min()), n=n, detail=detail),
    ]


def compute(evaluation: SampleEvaluation, config: ClassesConfig) -> list[Score]:
    """The class histogram of n samples."""
    modes, labels = evaluation.dataset.modes, evaluation.dataset.test.labels
    if not isinstance(modes, LabelModes) or labels is None:
        raise NotAvailable(f"{evaluation.dataset.info.name} has no labels that are read")
    n = sample_count(evaluation, config.n or evaluation.protocol_samples)
    read, _ = evaluation.modes("samples", n)
    detail = sampling_detail(evaluation) | evaluation.reader_detail()
    return class_scores(read, labels, modes.count, detail)
