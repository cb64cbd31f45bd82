"""Memorisation: are samples nearer to the training data than data that was never trained on?

x a generated sample, t(x) the training example nearest to it, d the distance in features:

    auth_pct = share of samples with d(x, t(x)) > min_{t' ≠ t(x)} d(t(x), t'), in per cent
    ct       = (U − nm/2) / sqrt(nm(n + m + 1)/12),  U = #{(x, h) : d(x, t(x)) > d(h, t(h))}
               with ties counted half, over n samples x and m held-out test examples h

DOWN means copying. auth_pct is 0 for copies of training data; what a perfect sampler has depends on
the data, so compare with the row `real`, which holds data that was not trained on. ct is a standard
normal z-score for a perfect sampler: below −3, samples lie nearer to the training data than unseen
data do (copying); above 3 they lie farther away (underfitting). Noise passes both: they accuse,
and never praise. Where examples share parts, as triples of the same few digits do, they are not
independent draws, the null is wider, and the row `real` can read several units: compare with it.
ct is taken over the whole space; a model that copies in one region and misses
another can balance out.

Held out is the test split: the row `real` is the validation split, which against itself would be
no test. Only the first `n_train` training examples are searched, and a copy of another one goes
unnoticed: `searched` in the detail is the share of the training split that they are.

Alaa et al., "How Faithful is your Synthetic Data? Sample-level Metrics for Evaluating and Auditing
Generative Models", 2022; Meehan et al., "A Non-Parametric Test to Detect Data-Copying in
Generative Models", 2020.
"""

from __future__ import annotations

import torch
from scipy.stats import rankdata
from torch import Tensor

from benchbench.api import NotAvailable, Score
from benchbench.metrics.counts import paired_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.neighbours import nearest
from benchbench.metrics.specs_distribution import MemorisationConfig
from benchbench.metrics.tiles import Cloud, shared_frame

__all__ = ["authentic_share", "compute", "copying_score"]


def authentic_share(train: Tensor, samples: Tensor) -> float:
    """Per cent of samples (n, f) that lie farther from their training neighbour than it from its
    own; train: (t, f), t >= 2."""
    frame = shared_frame(train, samples)
    cloud = Cloud.of(train, frame)
    away, which = nearest(Cloud.of(samples, frame), cloud)
    near, back = which.unique(return_inverse=True)
    apart, _ = nearest(cloud.at(near), cloud, own=near)
    return 100 * float((away > apart[back] + frame.rounding).double().mean())


def copying_score(distances: Tensor, held_out: Tensor) -> float:
    """C_T of distances to the nearest training example: (n,) of samples, (m,) of held-out data."""
    n, m = len(distances), len(held_out)
    ranks = rankdata(torch.cat([distances, held_out]).cpu().numpy())
    u = float(ranks[:n].sum()) - n * (n + 1) / 2
    return (u - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5


def compute(evaluation: SampleEvaluation, config: MemorisationConfig) -> list[Score]:
    """`auth_pct` and `ct` of n samples."""
    n = paired_count(evaluation, config.n)
    train = evaluation.split_features("train", config.n_train)
    if len(train) < 2:
        raise NotAvailable(f"{len(train)} training examples have no neighbours")
    samples, held_out = evaluation.features("samples", n), evaluation.features("reference", n)
    detail = evaluation.extractor_detail() | sampling_detail(evaluation)
    searched = len(train) / len(evaluation.dataset.train)
    detail |= {"reference": f"train:{len(train)}, test:{n}", "searched": searched}
    frame = shared_frame(train, samples, held_out)
    cloud = Cloud.of(train, frame)
    away, unseen = (nearest(Cloud.of(x, frame), cloud)[0] for x in (samples, held_out))
    return [
        Score("auth_pct", authentic_share(train, samples), n=n, detail=detail),
        Score("ct", copying_score(away, unseen), n=n, detail=detail),
    ]
