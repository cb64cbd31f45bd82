"""Mode coverage where the modes are known: how many are found, how evenly, how wide.

m modes, n samples, each counted at its nearest mode (points) or at the one a classifier reads:

    mode_kl       = Σ_i p_i log(p_i m), natural log, p the histogram of the n samples
    mode_kl_floor = (m − 1)/(2n), what it is on average, to leading order, for a perfect sampler

Gaussian modes, centres c_i and deviation σ in original units, dimension d:

    hq_share   = share of samples within 3σ of the nearest centre (98.9 % where d = 2)
    modes      = number of modes with a sample within 3σ
    mode_width = deviation of the samples within 3σ about the mean of their mode, pooled over modes
                 and axes, over the same of the true mode cut off at 3σ, which is
                 σ² P(χ²_{d+2} <= 9)/P(χ²_d <= 9) for its square

So the true distribution reads a width of 1; the cut keeps strays between modes out of it and lets
it read no more than about 1.5 (d = 2), where hq_share is low. A mode reads up to 3 % too wide
where it is so narrow that nothing is cut.

Srivastava et al., "VEEGAN", 2017; Lin et al., "PacGAN", 2018.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy.special import chdtr
from torch import Tensor

from benchbench.api import NotAvailable, Score
from benchbench.api.data import GaussianModes, LabelModes
from benchbench.metrics.counts import sample_count, sampling_detail
from benchbench.metrics.evaluation import SampleEvaluation
from benchbench.metrics.specs_quality import ModesConfig

__all__ = ["compute", "gaussian_scores", "kl_to_uniform", "label_scores", "mode_width"]

REACH = 3.0
"""High quality: within this many σ."""


def kl_to_uniform(counts: Tensor) -> float:
    """KL(histogram ‖ uniform) in nats of counts (m,), not all zero."""
    p = counts.double() / counts.sum()
    return max(0.0, float(torch.special.xlogy(p, p * len(p)).sum()))


def mode_width(x: Tensor, nearest: Tensor, modes: GaussianModes) -> float | None:
    """The width of modes over the true one, from samples within 3σ of their mode.

    x: (h, d) float64 in original units; nearest: (h,) the mode of each. None where no mode has
    two samples. The variance about each mode's own mean has n_i − 1 degrees of freedom.
    """
    count = torch.bincount(nearest, minlength=len(modes.centres))
    sums = torch.zeros_like(modes.centres).index_add_(0, nearest, x)
    means = sums / count.clamp_min(1).unsqueeze(1)
    freedom = int((count - 1).clamp_min(0).sum())
    if freedom == 0:
        return None
    d = x.shape[1]
    variance = float((x - means[nearest]).square().sum()) / (freedom * d)
    kept = chdtr(d + 2, REACH**2) / chdtr(d, REACH**2)
    return math.sqrt(variance / kept) / modes.sigma


def gaussian_scores(x: Tensor, modes: GaussianModes, detail: dict[str, Any]) -> list[Score]:
    """Scores of samples x: (n, d) in original units."""
    x = x.double().cpu()
    modes = GaussianModes(modes.centres.double().cpu(), modes.sigma)
    n, m = len(x), len(modes.centres)
    # At most a few thousand centres in a few dimensions: differences, without cancellation.
    distance, nearest = torch.cdist(
        x, modes.centres, compute_mode="donot_use_mm_for_euclid_dist"
    ).min(dim=1)
    good = distance <= REACH * modes.sigma
    width = mode_width(x[good], nearest[good], modes)
    detail = detail | {"of": m, "reach_sigma": REACH}
    return [
        Score("modes", len(nearest[good].unique()), n=n, detail=detail),
        Score("hq_share", 100 * float(good.double().mean()), n=n, detail=detail),
        Score("mode_width", width, n=n, detail=detail)
        if width is not None
        else _skipped("mode_width", "no mode has two high-quality samples"),
        *_kl_scores(torch.bincount(nearest, minlength=m), detail),
        _skipped("class_confidence", "modes are known Gaussians, no classifier reads them"),
    ]


def label_scores(
    read: Tensor, confidence: Tensor, modes: LabelModes, detail: dict[str, Any]
) -> list[Score]:
    """Scores of samples whose modes a classifier read: int64 (n,) and confidence (n,)."""
    n, detail = len(read), detail | {"of": modes.count}
    counts = torch.bincount(read.cpu(), minlength=modes.count)
    reason = "modes are classes, without a centre or a width"
    return [
        Score("modes", int((counts > 0).sum()), n=n, detail=detail),
        _skipped("hq_share", reason),
        _skipped("mode_width", reason),
        *_kl_scores(counts, detail),
        Score("class_confidence", float(confidence.double().mean()), n=n, detail=detail),
    ]


def _kl_scores(counts: Tensor, detail: dict[str, Any]) -> list[Score]:
    n, m = int(counts.sum()), len(counts)
    return [
        Score("mode_kl", kl_to_uniform(counts), n=n, detail=detail),
        Score("mode_kl_floor", (m - 1) / (2 * n), n=n, detail=detail),
    ]


def _skipped(metric: str, reason: str) -> Score:
    return Score(metric, None, status="skipped", reason=reason)


def compute(evaluation: SampleEvaluation, config: ModesConfig) -> list[Score]:
    """Coverage of the data set's modes by n samples."""
    modes = evaluation.dataset.modes
    n = sample_count(evaluation, config.n or evaluation.protocol_samples)
    detail = sampling_detail(evaluation)
    if isinstance(modes, GaussianModes):
        raw = evaluation.dataset.to_raw(evaluation.samples(n))
        return gaussian_scores(raw, modes, detail)
    if isinstance(modes, LabelModes):
        read, confidence = evaluation.modes("samples", n)
        return label_scores(read, confidence, modes, detail | evaluation.reader_detail())
    raise NotAvailable(f"{evaluation.dataset.info.name} has no known modes")
