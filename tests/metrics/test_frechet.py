"""The Fréchet distance against scipy's matrix square root and against closed forms."""

from __future__ import annotations

import pytest
import scipy.linalg
import torch
from torch import Tensor

from benchbench.metrics.frechet import bootstrap_deviation
from benchbench.metrics.moments import BATCH, Moments, frechet_distance, root


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


def test_batches_of_a_stream_are_read_one_at_a_time() -> None:
    """Any division into batches; rows are kept only while they are no more than features."""
    x = torch.randn(500, 40, generator=seeded(10))
    whole = Moments.of(x)
    for step in (1, 7, 39, 41, 500):
        found = Moments.of(iter(x.split(step)))
        torch.testing.assert_close(found.mean, whole.mean, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(found.covariance, whole.covariance, rtol=1e-12, atol=1e-12)


def test_float32_features_far_from_zero_keep_their_spread() -> None:
    """A mean of 1e4 over 50,000 rows: sums kept in float32 are off by a good part of the spread.

    torch-fidelity 0.4 takes the mean of float32 features in float32: 0.065 off for one such
    feature of deviation 1. E[x²] − E[x]² in float32 gives a variance of 0 for the true 1.
    """
    x = torch.randn(50_000, 3, generator=seeded(11)) + 1e4
    found = Moments.of(x)
    true = x.double()
    torch.testing.assert_close(found.mean, true.mean(0), rtol=1e-14, atol=0)
    torch.testing.assert_close(found.covariance, torch.cov(true.T), rtol=1e-10, atol=1e-12)
    naive = x.square().mean(0) - x.mean(0).square()
    assert (naive - true.var(0)).abs().min() > 0.1
    assert found.frechet(Moments.of(true)) < 1e-9


@pytest.mark.parametrize("n", [(20, 30), (20, 400), (400, 30), (50, 51)])
def test_fewer_rows_than_features(n: tuple[int, int]) -> None:
    """Through the rows themselves: as from the singular covariances, to nine digits.

    For 1,000 rows of 2,048 normal features torch-fidelity's eigenvalues of a product of singular
    covariances are off by 1e-5 (2651.369383 for 2651.369371).
    """
    f = 50
    x = torch.randn(n[0], f, generator=seeded(12), dtype=torch.float64)
    y = torch.randn(n[1], f, generator=seeded(13), dtype=torch.float64) * 1.3 + 0.2
    a, b = Moments.of(x), Moments.of(y)
    torch.testing.assert_close(a.covariance, torch.cov(x.T), rtol=0, atol=1e-13)
    rows = [(z - z.mean(0)) / (len(z) - 1) ** 0.5 for z in (x, y)]
    shared = torch.linalg.svdvals(rows[0] @ rows[1].T).sum()
    gap = x.mean(0) - y.mean(0)
    expected = float(gap @ gap + torch.cov(x.T).trace() + torch.cov(y.T).trace() - 2 * shared)
    assert a.frechet(b) == pytest.approx(expected, rel=1e-9)
    assert b.frechet(a) == pytest.approx(expected, rel=1e-9)


def test_few_rows_have_a_closed_form() -> None:
    """y = c x + b for 10 rows in 300 dimensions: d² = |μ₁ − μ₂|² + (1 − c)² tr S."""
    x = torch.randn(10, 300, generator=seeded(14), dtype=torch.float64)
    y = 3 * x + 0.5
    expected = (x.mean(0) - y.mean(0)).square().sum() + 4 * torch.cov(x.T).trace()
    assert Moments.of(x).frechet(Moments.of(y)) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("n", [5, 500])
def test_constant_features_have_no_spread(n: int) -> None:
    """Two points: d² is the squared distance between them; scipy's sqrtm of zeros gives NaN."""
    x, y = (torch.full((n, 40), v) for v in (0.1, 0.4))
    gap = float(x[0, 0].double() - y[0, 0].double())
    assert Moments.of(x).frechet(Moments.of(y)) == pytest.approx(40 * gap**2, rel=1e-9)
    assert Moments.of(x).frechet(Moments.of(x)) == 0
    some = torch.randn(n, 40, generator=seeded(15), dtype=torch.float64)
    some[:, 7] = 3.0
    expected = (some.mean(0) - x[0]).square().sum() + torch.cov(some.T).trace()
    assert Moments.of(some).frechet(Moments.of(x)) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused(bad: float) -> None:
    """A clear failure, not a score of NaN."""
    x = torch.zeros(10, 3)
    x[4, 1] = bad
    with pytest.raises(ValueError, match="1 of 10 rows of features are not finite"):
        Moments.of(x)


def test_a_covariance_needs_two_rows() -> None:
    one = Moments.of(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="needs 2 rows"):
        one.frechet(one)


def test_bootstrap_covers_the_spread_over_fresh_samples() -> None:
    """Its deviation agrees with that of the distance over independent draws."""
    n, f = 400, 5
    real = Moments.of(torch.randn(20_000, f, generator=seeded(16)))
    draws = [1.4 * torch.randn(n, f, generator=seeded(100 + i)) for i in range(60)]
    true = torch.tensor([real.frechet(Moments.of(x)) for x in draws]).std()
    found = bootstrap_deviation(real, draws[0], resamplings=100, generator=seeded(17))
    assert found == pytest.approx(float(true), rel=0.4)
