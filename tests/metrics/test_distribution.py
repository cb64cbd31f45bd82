"""KID, FID∞, Vendi, NDB and class histograms on cases whose answers are known."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from benchbench.api import NotAvailable
from benchbench.metrics.classes import class_scores
from benchbench.metrics.fid_infinity import distances, extrapolate, sizes
from benchbench.metrics.kid import kernel_distance, subset_distance
from benchbench.metrics.moments import Moments
from benchbench.metrics.ndb import bin_centres, different_bins, holm, nearest_bin
from benchbench.metrics.vendi import vendi_score


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, f: int, seed: int) -> Tensor:
    return torch.randn(n, f, generator=seeded(seed), dtype=torch.float64)


def test_kid_is_its_definition() -> None:
    x, y = normal(60, 4, 0), normal(60, 4, 1) + 0.3
    xx, yy, xy = ((a @ b.T / 4 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    other = ~torch.eye(60, dtype=torch.bool)
    expected = xx[other].mean() + yy[other].mean() - 2 * xy.mean()
    assert kernel_distance(x, y).value == pytest.approx(float(expected), rel=1e-12)


def test_kid_is_unbiased_and_its_error_honest() -> None:
    """One feature, x ~ N(0, 1), y ~ N(a, 1): E over (1 + xy)³ has a closed form.

    E k = 1 + 3 m₁m₁' + 3 m₂m₂' + m₃m₃', with the moments of each side.
    """
    a, n, runs = 0.5, 50, 400
    m, w = (0.0, 1.0, 0.0), (a, a**2 + 1, a**3 + 3 * a)

    def k(p: tuple[float, ...], q: tuple[float, ...]) -> float:
        return 1 + 3 * p[0] * q[0] + 3 * p[1] * q[1] + p[2] * q[2]

    true = k(m, m) + k(w, w) - 2 * k(m, w)
    found = [kernel_distance(normal(n, 1, 2 * i), normal(n, 1, 2 * i + 1) + a) for i in range(runs)]
    values = torch.tensor([x.value for x in found], dtype=torch.float64)
    deviation = float(values.std())
    assert abs(float(values.mean()) - true) < 4 * deviation / math.sqrt(runs)
    errors = torch.tensor([x.standard_error for x in found], dtype=torch.float64)
    assert float(errors.square().mean().sqrt()) == pytest.approx(deviation, rel=0.25)


def test_kid_of_equal_distributions_is_about_zero_and_negative_half_of_the_time() -> None:
    found = [kernel_distance(normal(80, 3, i), normal(80, 3, i + 500)) for i in range(100)]
    values = torch.tensor([x.value for x in found])
    assert abs(float(values.mean())) < 4 * float(values.std()) / 10
    assert 30 < int((values < 0).sum()) < 85
    assert all(x.standard_error > 0 for x in found)


def test_kid_over_subsets_agrees_within_its_error() -> None:
    x, y = normal(600, 3, 7), normal(600, 3, 8) + 0.4
    whole = kernel_distance(x, y)
    found = subset_distance(x, y, subsets=50, size=100, generator=seeded(9))
    assert abs(found.value - whole.value) < 4 * found.standard_error + whole.standard_error
    same = subset_distance(x, y, subsets=1, size=600, generator=seeded(9))
    assert same.value == pytest.approx(whole.value, rel=1e-9)


def test_fid_infinity_takes_the_bias_off() -> None:
    """Samples from the real N(0, I) in f dimensions, real moments all but exact: d² = 0.

    To second order E|μ̂|² = f/n, and tr(Ŝ^½ − I)² ≈ |Ŝ − I|²/4 has mean f(f + 1)/(4n).
    """
    f, n = 20, 2000
    real = Moments(10**9, torch.zeros(f).double(), scatter=(10**9 - 1) * torch.eye(f).double())
    ns = sizes(n, f, 15)
    assert (ns[0], ns[-1], len(ns)) == (400, 2000, 15)
    errors = []
    for i in range(10):
        found = distances(real, normal(n, f, 30 + i), ns, generator=seeded(60 + i))
        errors.append((extrapolate(ns, found)[0], found[-1]))
    limit, plain = torch.tensor(errors).mean(dim=0).tolist()
    assert plain == pytest.approx(f / n + f * (f + 1) / (4 * n), rel=0.1)
    assert abs(limit) < plain / 10


def test_extrapolation_of_an_exact_line() -> None:
    ns = [500, 700, 900, 5000]
    found = extrapolate(ns, [3 + 40 / n for n in ns])
    assert found == pytest.approx((3, 40), rel=1e-9)


def test_fid_infinity_needs_more_rows_than_features() -> None:
    with pytest.raises(NotAvailable, match="256 are needed"):
        sizes(255, 64, 15)


@pytest.mark.parametrize("shape", [(30, 100), (100, 30)])
def test_vendi_of_copies_and_of_orthogonal_rows(shape: tuple[int, int]) -> None:
    """1 for copies of one, k for equal shares of k orthogonal directions, whatever their length."""
    n, f = shape
    one = normal(1, f, 40).repeat(n, 1)
    assert vendi_score(one) == pytest.approx(1, rel=1e-9)
    axes = torch.eye(f, dtype=torch.float64)[:10].repeat(n // 10, 1)
    scaled = axes * (1 + torch.arange(n)[:, None])
    assert vendi_score(scaled) == pytest.approx(10, rel=1e-9)


def test_vendi_of_two_directions_at_an_angle() -> None:
    """Eigenvalues (1 ± cos θ)/2."""
    c = math.cos(0.7)
    x = torch.tensor([[1.0, 0.0], [c, math.sin(0.7)]])
    p, q = (1 + c) / 2, (1 - c) / 2
    assert vendi_score(x) == pytest.approx(math.exp(-p * math.log(p) - q * math.log(q)), rel=1e-6)


def test_vendi_refuses_rows_without_a_direction() -> None:
    with pytest.raises(NotAvailable, match="2 of 3 rows of features are all zero"):
        vendi_score(torch.tensor([[0.0, 0], [1, 0], [0, 0]]))


def test_bins_find_clusters_and_missing_ones() -> None:
    """Eight far clusters, one bin each; a dropped one changes its own share and the others'."""
    centres = 20 * torch.eye(8, dtype=torch.float64)
    rows = torch.randint(8, (3, 4000), generator=seeded(50))
    train, test, fake = (centres[r] + normal(4000, 8, 51 + i) for i, r in enumerate(rows))
    found = bin_centres(train, 8, generator=seeded(54))
    histogram = [torch.bincount(nearest_bin(x, found), minlength=8) for x in (test, fake)]
    assert sorted(histogram[0].tolist()) == sorted(torch.bincount(rows[1], minlength=8).tolist())
    assert not holm(different_bins(*histogram)).any()
    dropped = fake[rows[2] != 3]
    less = torch.bincount(nearest_bin(dropped, found), minlength=8)
    p = different_bins(less, histogram[0])
    assert holm(p)[nearest_bin(centres[3:4], found)].all()


def test_two_proportions_have_their_nominal_level() -> None:
    """Equal multinomials: 5 % of bins differ, and after Holm 1 evaluation in 20 has any."""
    runs, bins, n = 300, 50, 5000
    p = torch.full((bins,), 1 / bins).double()
    draws = [torch.multinomial(p, n, replacement=True, generator=seeded(i)) for i in range(600)]
    counts = [torch.bincount(d, minlength=bins) for d in draws]
    pairs = [different_bins(counts[2 * i], counts[2 * i + 1]) for i in range(runs)]
    share = float(torch.stack([x < 0.05 for x in pairs]).double().mean())
    assert share == pytest.approx(0.05, abs=0.01)
    wrong = sum(bool(holm(x).any()) for x in pairs)
    assert wrong <= binom.ppf(0.9999, runs, 0.05)


def test_holm_by_hand() -> None:
    p = torch.tensor([0.04, 0.001, 0.02, 0.3]).double()
    assert holm(p).tolist() == [False, True, False, False]
    assert holm(torch.tensor([0.01, 0.012, 0.02, 0.04]).double()).tolist() == [True] * 4


def test_empty_bins_do_not_differ() -> None:
    p = different_bins(torch.tensor([5, 0, 5]), torch.tensor([5, 0, 5]))
    assert p.tolist() == [1, 1, 1]


def test_class_scores_by_hand() -> None:
    """p = (3/4, 1/4, 0), q = (1/2, 1/4, 1/4)."""
    found = class_scores(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 2]), 3, {})
    kl, floor, rarest = found
    assert kl.value == pytest.approx(0.75 * math.log(1.5), rel=1e-12)
    assert floor.value == 2 / 8
    assert rarest.value == 0
    assert kl.detail["shares"] == [75, 25, 0]
    assert kl.detail["true_shares"] == [50, 25, 25]
    same = class_scores(torch.tensor([2, 0, 1, 0]), torch.tensor([0, 0, 1, 2]), 3, {})
    assert [s.value for s in same] == [0, 0.25, 1]


def test_a_class_without_test_examples_has_no_share() -> None:
    with pytest.raises(NotAvailable, match="1 of 3 classes have no test example"):
        class_scores(torch.tensor([0]), torch.tensor([0, 1]), 3, {})
