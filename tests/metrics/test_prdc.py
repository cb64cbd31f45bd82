"""Precision to coverage against all pairs at once, and on cases with known values."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchbench.metrics.neighbours import neighbour_distances
from benchbench.metrics.prdc import Prdc, prdc
from benchbench.metrics.tiles import SIDE, Cloud, at_most, shared_frame, squared_distances, tiles


def normal(n: int, f: int, seed: int, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, f, generator=generator, dtype=torch.float64)


def pairs(x: Tensor, y: Tensor) -> Tensor:
    """All distances, by differences."""
    return (x[:, None] - y[None]).square().sum(-1).sqrt()


def brute_force(real: Tensor, fake: Tensor, k: int, k_density: int) -> Prdc:
    """The papers' definitions, with every pair in memory."""
    near = pairs(real, real).sort(dim=1).values[:, k]
    wide = pairs(real, real).sort(dim=1).values[:, k_density]
    fake_near = pairs(fake, fake).sort(dim=1).values[:, k]
    between = pairs(real, fake)
    inside = between <= wide[:, None]
    return Prdc(
        precision=float((between <= near[:, None]).any(0).double().mean()),
        recall=float((between <= fake_near[None]).any(1).double().mean()),
        density=float(inside.sum()) / (k_density * len(fake)),
        coverage=float(inside.any(1).double().mean()),
    )


@pytest.mark.parametrize("f", [1, 2, 20, 192, 300])
@pytest.mark.parametrize(("k", "k_density"), [(3, 5), (1, 10)])
def test_equals_brute_force(
    f: int, k: int, k_density: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly, over several tiles, with different sizes on the two sides."""
    monkeypatch.setitem(SIDE, "cpu", 70)
    monkeypatch.setattr("benchbench.metrics.neighbours.WAITING", 2)
    monkeypatch.setattr("benchbench.metrics.prdc.MANY_PAIRS", 100)
    real, fake = normal(301, f, 0), normal(260, f, 1, scale=0.9) + 0.1
    assert prdc(real, fake, k=k, k_density=k_density) == brute_force(real, fake, k, k_density)


@pytest.mark.parametrize("scale", [0.001, 30])
@pytest.mark.parametrize("f", [3, 100])
def test_equals_brute_force_where_one_side_is_far_wider(
    f: int, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a ball holds nearly everything, so that no tile has few pairs."""
    monkeypatch.setitem(SIDE, "cpu", 90)
    real, fake = normal(280, f, 30), normal(310, f, 31, scale)
    assert prdc(real, fake) == brute_force(real, fake, 3, 5)


def test_equals_brute_force_far_from_the_origin() -> None:
    """Where |x|² + |y|² − 2 xᵀy without centring would be all rounding."""
    real, fake = normal(200, 4, 2) + 1e6, normal(200, 4, 3) + 1e6
    assert prdc(real, fake) == brute_force(real, fake, 3, 5)


def test_equals_brute_force_on_narrow_modes() -> None:
    centres = torch.cartesian_prod(*[torch.arange(-4.0, 5, 2, dtype=torch.float64)] * 2)
    choose = torch.Generator().manual_seed(4)
    rows = torch.randint(25, (2, 600), generator=choose)
    real, fake = centres[rows[0]] + normal(600, 2, 5, 0.05), centres[rows[1]] + normal(600, 2, 6, 1)
    assert prdc(real, fake) == brute_force(real, fake, 3, 5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1e5])
@pytest.mark.parametrize("f", [2, 192])
def test_identical_constant_features_hold_one_another(value: float, f: int) -> None:
    """prdc 0.2, with a strict `<`, gives precision, recall, density and coverage of 0."""
    same = torch.full((50, f), value, dtype=torch.float64)
    found = prdc(same, same.clone())
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert found.density == 10  # all 50 balls hold each sample, 5 are expected


def test_a_copy_of_the_data_scores_full_marks() -> None:
    """Duplicates lie at distance 0, inside every ball, at 192 features too."""
    real = normal(400, 192, 7)
    found = prdc(real, real.flip(0))
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)


def test_collapse_on_one_good_sample_is_precise_and_recalls_nothing() -> None:
    """Balls of the wrong side (real and generated swapped, a known defect elsewhere)
    give precision 0.002 and recall 1."""
    real = normal(500, 10, 8)
    fake = real[:1].repeat(500, 1)
    found = prdc(real, fake)
    assert found.precision == 1
    assert found.recall == 1 / 500  # the copied row itself
    inside = int((pairs(real, real[:1])[:, 0] <= pairs(real, real).sort(1).values[:, 5]).sum())
    assert found.coverage == inside / 500
    assert found.density == inside / 5


def test_half_the_data_halves_recall_and_coverage_not_precision() -> None:
    """Two far clusters, of which the samples have one."""
    real = torch.cat([normal(500, 3, 9), normal(500, 3, 10) + 100])
    fake = normal(1000, 3, 11)
    found, whole = prdc(real, fake), prdc(real[:500], fake)
    assert found.recall == whole.recall / 2
    assert found.coverage == whole.coverage / 2
    assert found.precision == whole.precision > 0.9


def test_samples_far_from_the_data_score_nothing() -> None:
    found = prdc(normal(100, 5, 12), normal(100, 5, 13) + 1e3)
    assert found == Prdc(0, 0, 0, 0)


def test_spread_out_samples_are_recalled_and_not_precise() -> None:
    """The right way round: wide samples have wide balls, which hold the data."""
    found = prdc(normal(500, 5, 14), normal(500, 5, 15, scale=5))
    assert found.precision < 0.1
    assert found.recall > 0.9


def test_density_expects_one_and_coverage_its_closed_form() -> None:
    """Naeem et al.: E[coverage] = 1 − (n − 1)…(n − k) / ((2n − 1)…(2n − k)) for n = m."""
    n, k, runs = 500, 5, 20
    found = [prdc(normal(n, 3, 2 * i + 100), normal(n, 3, 2 * i + 101)) for i in range(runs)]
    missed = 1.0
    for j in range(1, k + 1):
        missed *= (n - j) / (2 * n - j)
    coverage = torch.tensor([x.coverage for x in found], dtype=torch.float64)
    density = torch.tensor([x.density for x in found], dtype=torch.float64)
    for values, expected in ((coverage, 1 - missed), (density, 1.0)):
        error = float(values.std()) / runs**0.5
        assert abs(float(values.mean()) - expected) < 4 * error


def cloud(x: Tensor, dtype: torch.dtype | None = None) -> Cloud:
    return Cloud.of(x, shared_frame(x, dtype=dtype))


def test_neighbours_leave_the_row_itself_out_but_not_its_duplicates() -> None:
    x = torch.tensor([[0.0], [0.0], [1.0], [3.0]])
    found = neighbour_distances(cloud(x), (1, 2)).sqrt()
    expected = torch.tensor([[0.0, 1], [0, 1], [1, 1], [2, 3]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("upper", [True, False])
def test_tiles_cover_every_pair_once_with_bounds(
    dtype: torch.dtype, upper: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far from the origin, where float32 rounds by more than many distances."""
    monkeypatch.setitem(SIDE, "cpu", 7)
    x = normal(23, 40, 16) * torch.logspace(-3, 3, 23, dtype=torch.float64)[:, None]
    found, true = cloud(x, dtype), pairs(x, x).square()
    seen = torch.zeros(23, 23)
    for rows, columns, tile in tiles(found, found, upper=upper):
        seen[rows, columns] += 1
        low = tile.double() * found.frame.scale**2
        doubt = 2 * found.frame.scale**2 * (found.slack[rows, None] + found.slack[columns])
        assert (low <= true[rows, columns] * (1 + 1e-12)).all()
        assert (true[rows, columns] <= (low + doubt) * (1 + 1e-12) + 1e-12).all()
    assert (seen + seen.T > 0).all() if upper else (seen == 1).all()
    assert seen.max() == 1


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-6])
def test_neighbours_that_float32_cannot_tell_apart_are_searched_again(spread: float) -> None:
    """Tight clusters far from one another: every distance within is float32 rounding."""
    centres = 100 * normal(3, 64, 20)
    x = centres.repeat_interleave(50, dim=0) + spread * normal(150, 64, 21)
    expected = pairs(x, x).sort(dim=1).values[:, [1, 4]].square()
    found = neighbour_distances(cloud(x, torch.float32), (1, 4))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=cloud(x).frame.rounding)


@pytest.mark.parametrize("shape", [(13, 53), (53, 13), (64, 32)])
@pytest.mark.parametrize("by_column", [False, True])
def test_at_most_finds_every_entry(shape: tuple[int, int], by_column: bool) -> None:
    tile = normal(*shape, 22)
    limit = normal(shape[by_column], 1, 23)[:, 0]
    rows, columns, values = at_most(tile, limit, by_column=by_column)
    found = torch.zeros_like(tile, dtype=torch.bool)
    found[rows, columns] = True
    assert len(rows) == found.sum() > 0
    assert torch.equal(found, tile <= (limit if by_column else limit[:, None]))
    assert torch.equal(values, tile[rows, columns])


def test_a_product_gives_all_distances() -> None:
    x, y = normal(23, 3, 24) + 50, normal(10, 3, 25) + 50
    torch.testing.assert_close(
        squared_distances(x, y), pairs(x, y).square(), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_no_scale_overflows_or_vanishes(scale: float) -> None:
    real, fake = normal(120, 50, 26), normal(120, 50, 27)
    assert prdc(scale * real, scale * fake) == prdc(real, fake)


def test_too_many_neighbours_are_refused() -> None:
    with pytest.raises(ValueError, match=r"k must lie in \[1, 3\]"):
        neighbour_distances(cloud(normal(4, 2, 18)), (3, 4))
