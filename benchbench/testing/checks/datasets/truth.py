"""What a data set says is true of it: its modes, its density, and who reads its labels."""

from __future__ import annotations

import math

import torch
from scipy.stats import chi2
from torch import Tensor

from benchbench.api import UsageError
from benchbench.api.data import GaussianModes, LabelModes
from benchbench.testing.dataset_subject import DatasetSubject
from benchbench.testing.outcomes import NotApplicable, ensure

__all__ = ["density", "extractor", "modes"]

REACH = 3.0
"""Within this many σ of a mode a sample is of high quality."""
ERRORS = 6
"""Standard errors by which a mean may be off."""
KERNELS, MOST_DIMENSIONS = 2000, 4
READ, LEAST_READ = 500, 0.5


def modes(subject: DatasetSubject) -> None:
    """the modes lie where the data are, as wide as they say, with as many examples each"""
    found = subject.dataset.modes
    if found is None:
        raise NotApplicable("the data set knows no modes")
    if isinstance(found, LabelModes):
        ensure(
            bool(subject.spec.extractor),
            "modes are labels, which an extractor reads, but the spec names no extractor",
        )
        return
    ensure(
        subject.spec.kind == "points" and tuple(found.centres.shape[1:]) == subject.spec.shape,
        f"centres of Gaussian modes are (m, d) for points (n, d), not {tuple(found.centres.shape)}",
    )
    ensure(found.centres.dtype == torch.float64, f"centres are {found.centres.dtype}, not float64")
    ensure(found.sigma > 0, f"sigma is {found.sigma}; it must be above 0")
    _where_the_data_are(found, subject.dataset.train.raw.double())


def _where_the_data_are(found: GaussianModes, x: Tensor) -> None:
    n, (m, d) = len(x), found.centres.shape
    distance, nearest = _distances(x, found.centres).min(dim=1)
    apart = _distances(found.centres, found.centres).fill_diagonal_(math.inf)
    ensure(float(apart.min()) > 0, "two modes have one centre")
    good = distance <= REACH * found.sigma
    share, expected = float(good.double().mean()), float(chi2.cdf(REACH**2, d))
    # Where modes overlap, an example may lie nearer to another centre than to its own.
    ensure(
        share >= expected - ERRORS * (expected * (1 - expected) / n) ** 0.5,
        f"{share:.1%} of training examples lie within {REACH:g} sigma of a mode; of the Gaussians "
        f"that are declared {expected:.1%} would",
    )
    if float(apart.min()) < 2 * REACH * found.sigma:
        return
    squared = distance[good].square().mean() / d
    true = found.sigma**2 * float(chi2.cdf(REACH**2, d + 2)) / expected
    width = math.sqrt(float(squared) / true)
    ensure(
        abs(width - 1) <= ERRORS / math.sqrt(2 * n * d),
        f"modes are {width:.3f} times as wide as sigma {found.sigma:g} says",
    )
    counts = torch.bincount(nearest, minlength=m).double()
    off = float((counts - n / m).abs().max())
    ensure(
        off <= ERRORS * math.sqrt(n / m),
        f"a mode has {off:.0f} training examples more or less than the {n / m:.0f} that equal "
        "modes have; mode_kl compares with a uniform histogram",
    )


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """(n, d) and (m, d) to (n, m), without the cancellation of a matrix product."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def density(subject: DatasetSubject) -> None:
    """log_prob is finite, (n,), integrates to one, and is the density of the data

    By importance sampling from a kernel estimate g of the training data: ∫ p = E_g[p/g], and
    E_p[log p] is the mean of log p over test examples.
    """
    data = subject.dataset
    if data.log_prob is None:
        raise NotApplicable("the data set's density is not known")
    test = data.log_prob(data.test.raw)
    ensure(
        tuple(test.shape) == (len(data.test),) and bool(test.isfinite().all()),
        f"log_prob of {len(data.test)} test examples has shape {tuple(test.shape)}, or values that "
        "are not finite",
    )
    if data.info.dim > MOST_DIMENSIONS:
        raise NotApplicable(f"integrated up to {MOST_DIMENSIONS} dimensions, not {data.info.dim}")
    y, log_g = _kernel_draws(data.train.raw.flatten(1).double())
    log_p = data.log_prob(y.float().reshape(-1, *data.info.shape)).double()
    weight = (log_p - log_g).exp()
    total, error = float(weight.mean()), float(weight.std()) / math.sqrt(len(y))
    ensure(
        abs(total - 1) <= ERRORS * error + 1e-3,
        f"exp(log_prob) integrates to {total:.4g} ± {error:.2g}",
    )
    inside = weight > 0
    mean = float((weight * log_p)[inside].sum() / weight.sum())
    spread = float(((weight * (log_p - mean))[inside]).square().sum().sqrt() / weight.sum())
    spread = math.hypot(spread, float(test.double().std()) / math.sqrt(len(test)))
    found = float(test.double().mean())
    ensure(
        abs(found - mean) <= ERRORS * spread,
        f"log_prob is {found:.4g} nats on test examples on average, where a draw of that density "
        f"would have {mean:.4g} ± {spread:.2g}: the data have another density",
    )


def _kernel_draws(x: Tensor) -> tuple[Tensor, Tensor]:
    """Draws of a kernel estimate of rows x (n, d), (k, d), and its log density there, (k,).

    Half of the kernels are as wide as the distance to the tenth neighbour, half four times that.
    """
    generator = torch.Generator().manual_seed(4)
    x = x[torch.randperm(len(x), generator=generator)[:KERNELS]]
    rank = min(11, len(x))
    width = _distances(x, x).kthvalue(rank, dim=1).values.clamp_min(1e-12)
    width = torch.stack([width, 4 * width])  # (2, n)
    n, d = x.shape
    noise = torch.randn(2, n, d, generator=generator, dtype=x.dtype)
    y = (x + width[:, :, None] * noise).flatten(0, 1).float().double()
    squared = _distances(y, x).square()  # (2n, n)
    parts = [
        -squared / (2 * w.square()) - d * w.log() - 0.5 * d * math.log(2 * math.pi) for w in width
    ]
    return y, torch.cat(parts, dim=1).logsumexp(dim=1) - math.log(2 * n)


def extractor(subject: DatasetSubject) -> None:
    """the extractor it names maps its examples to finite features, and reads its labels"""
    name, data = subject.spec.extractor, subject.dataset
    if not name:
        raise NotApplicable("the data set names no extractor")
    entry = subject.registry.extractor(name)
    ensure(
        subject.spec.kind in entry.spec.kinds,
        f"extractor {name!r} serves {', '.join(sorted(entry.spec.kinds))}, not {subject.spec.kind}",
    )
    try:
        found = subject.registry.load_extractor(name, subject.assets)
    except UsageError as reason:
        raise NotApplicable(str(reason)) from None
    x = data.to_model(data.test.raw[:READ])
    with torch.no_grad():
        features = found.features(x)
    ensure(
        features.ndim == 2 and len(features) == len(x) and bool(features.isfinite().all()),
        f"extractor {name!r} gives features of shape {tuple(features.shape)} for {len(x)} "
        "examples, or values that are not finite",
    )
    if isinstance(data.modes, LabelModes):
        assert data.test.labels is not None
        with torch.no_grad():
            read, _ = found.modes(x)
        right = float((read.cpu() == data.test.labels[: len(x)]).double().mean())
        ensure(
            right >= LEAST_READ,
            f"extractor {name!r} reads {right:.0%} of the labels of test examples: modes can't be "
            "counted with it",
        )
