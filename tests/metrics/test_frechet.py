"""The Fréchet distance against scipy's matrix square root and against closed forms."""

from __future__ import annotations

import pytest
import scipy.linalg
import torch
from torch import Tensor

from benchbench.metrics.frechet import BATCH, Moments, frechet_distance, root


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def covariance(f: int, rank: int, seed: int) -> Tensor:
    factor = torch.randn(f, rank, generator=seeded(seed), dtype=torch.float64)
    return factor @ factor.T / rank


@pytest.mark.parametrize("f", [1, 2, 17, 64])
def test_matches_scipy_sqrtm(f: int) -> None:
    means = torch.randn(2, f, generator=seeded(f), dtype=torch.float64)
    a, b = covariance(f, 2 * f + 3, 1), covariance(f, 3 * f + 3, 2)
    both = scipy.linalg.sqrtm((a @ b).numpy())
    gap = means[0] - means[1]
    expected = float(gap @ gap + a.trace() + b.trace()) - 2 * both.trace().real
    assert frechet_distance(means[0], a, means[1], b) == pytest.approx(expected, rel=1e-9)


def test_commuting_covariances_have_a_closed_form() -> None:
    """S₁ = Q A Qᵀ, S₂ = Q B Qᵀ: d² = |μ₁ − μ₂|² + Σ (√a − √b)²."""
    f = 40
    noise = torch.randn(f, f, generator=seeded(), dtype=torch.float64)
    q = torch.linalg.qr(noise).Q
    a = torch.logspace(-3, 2, f, dtype=torch.float64)
    b = a.flip(0)
    means = torch.randn(2, f, generator=seeded(1), dtype=torch.float64)
    expected = (means[0] - means[1]).square().sum() + (a.sqrt() - b.sqrt()).square().sum()
    found = frechet_distance(means[0], q * a @ q.T, means[1], q * b @ q.T)
    assert found == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("rank", [1, 5, 20])
def test_singular_covariances_keep_their_precision(rank: int) -> None:
    """One subspace, scaled by c: d² = tr S (1 − √c)². Rank 1: (uᵀv)² is the shared trace's."""
    f, zero = 50, torch.zeros(50, dtype=torch.float64)
    s = covariance(f, rank, 3)
    found = frechet_distance(zero, s, zero, 4 * s)
    assert found == pytest.approx(float(s.trace()), rel=1e-9)
    u, v = torch.randn(2, f, generator=seeded(4), dtype=torch.float64)
    expected = float(u @ u + v @ v - 2 * abs(u @ v))
    found = frechet_distance(zero, torch.outer(u, u), zero, torch.outer(v, v))
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_point_mass_is_as_far_as_the_spread_around_it() -> None:
    s = covariance(12, 30, 5)
    mean = torch.ones(12, dtype=torch.float64)
    nothing = torch.zeros(12, 12, dtype=torch.float64)
    assert frechet_distance(mean, s, 0 * mean, nothing) == pytest.approx(12 + float(s.trace()))


def test_symmetric_and_zero_between_equals() -> None:
    a, b = covariance(30, 70, 6), covariance(30, 90, 7)
    m = torch.randn(2, 30, generator=seeded(8), dtype=torch.float64)
    there = frechet_distance(m[0], a, m[1], b)
    assert frechet_distance(m[1], b, m[0], a) == pytest.approx(there, rel=1e-12)
    assert 0 <= frechet_distance(m[0], a, m[0], a) < 1e-12 * float(a.trace())


def test_root_is_a_root() -> None:
    s = covariance(25, 10, 9)
    torch.testing.assert_close(root(s) @ root(s).T, s, rtol=0, atol=1e-13)


def test_streamed_moments_are_those_of_all_rows() -> None:
    """Batches merge to the same mean and covariance, far from the origin as well."""
    x = torch.randn(2 * BATCH + 77, 6, generator=seeded(), dtype=torch.float64) + 1e4
    found = Moments.of(x)
    assert found.n == len(x)
    torch.testing.assert_close(found.mean, x.mean(0), rtol=1e-14, atol=0)
    torch.testing.assert_close(found.covariance, torch.cov(x.T), rtol=0, atol=1e-11)
