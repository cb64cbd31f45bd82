"""Mode coverage of samplers whose coverage is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from benchbench.api.data import GaussianModes, LabelModes
from benchbench.api.score import Score
from benchbench.metrics.modes import gaussian_scores, kl_to_uniform, label_scores

AXIS = torch.arange(-4, 5, 2, dtype=torch.float64)
GRID = GaussianModes(torch.cartesian_prod(AXIS, AXIS), 0.05)


def grid_samples(n: int, width: float = 1.0, modes: int = 25, seed: int = 0) -> Tensor:
    """n draws from the first `modes` modes of grid25, of `width` times their deviation."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(modes, (n,), generator=generator)
    noise = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return GRID.centres[rows] + width * GRID.sigma * noise


def values(scores: list[Score]) -> dict[str, float | None]:
    return {score.metric: score.value for score in scores}


def of(x: Tensor) -> dict[str, float | None]:
    return values(gaussian_scores(x, GRID, {}))


def test_perfect_sampler() -> None:
    """A fresh draw of the true grid: the textbook values within four standard errors."""
    n = 100_000
    found = of(grid_samples(n))
    hq = 1 - math.exp(-4.5)
    assert found["modes"] == 25
    assert found["hq_share"] == pytest.approx(100 * hq, abs=400 * math.sqrt(hq * (1 - hq) / n))
    assert found["mode_width"] == pytest.approx(1, abs=4 / math.sqrt(4 * n))
    assert found["class_confidence"] is None


def test_perfect_sampler_meets_the_floor_on_average() -> None:
    """2nKL is χ² with m − 1 degrees of freedom, so its mean is the floor."""
    n, runs = 2500, 60
    found = [of(grid_samples(n, seed=seed)) for seed in range(runs)]
    assert found[0]["mode_kl_floor"] == 24 / 5000
    kl = torch.tensor([f["mode_kl"] for f in found], dtype=torch.float64)
    error = math.sqrt(2 * 24) / (2 * n) / math.sqrt(runs)
    assert abs(float(kl.mean()) - 24 / 5000) < 4 * error
    assert all(f["modes"] == 25 for f in found)


@pytest.mark.parametrize("width", [0.1, 0.5])
def test_narrow_modes_read_narrow(width: float) -> None:
    """Nothing is cut, so the width is over by the cut's own factor, 2.6 % in two dimensions."""
    found = of(grid_samples(50_000, width=width))
    kept = (1 - 5.5 * math.exp(-4.5)) / (1 - math.exp(-4.5))
    assert found["mode_width"] == pytest.approx(width / math.sqrt(kept), rel=0.01)
    assert found["hq_share"] == pytest.approx(100, abs=0.01)


def test_wide_modes_read_wide() -> None:
    found = of(grid_samples(50_000, width=2))
    hq = 1 - math.exp(-4.5 / 4)
    assert found["hq_share"] == pytest.approx(100 * hq, abs=1)
    assert 1.2 < found["mode_width"] < 1.54


def test_width_is_about_each_modes_own_mean() -> None:
    """Exact copies off the centre have no width; one sample a mode has none to measure."""
    shifted = GRID.centres + 0.05
    assert of(shifted.repeat(4, 1))["mode_width"] == pytest.approx(0, abs=1e-6)
    lone = gaussian_scores(shifted, GRID, {})
    score = next(s for s in lone if s.metric == "mode_width")
    assert (score.status, score.value) == ("skipped", None)
    assert values(lone)["modes"] == 25


def test_collapsed_sampler() -> None:
    found = of(GRID.centres[7].repeat(2500, 1))
    assert found["modes"] == 1
    assert found["hq_share"] == 100
    assert found["mode_width"] == 0
    assert found["mode_kl"] == pytest.approx(math.log(25), rel=1e-12)


def test_dropped_modes() -> None:
    n, kept = 50_000, 10
    found = of(grid_samples(n, modes=kept))
    assert found["modes"] == kept
    assert found["mode_kl"] == pytest.approx(math.log(25 / kept), abs=(kept - 1) / n)
    assert found["mode_width"] == pytest.approx(1, abs=0.01)


def test_a_mode_needs_a_sample_within_three_sigma_but_the_histogram_does_not() -> None:
    """Every sample counts at its nearest mode; only near ones cover it."""
    step = torch.tensor([1.0, 0.0], dtype=torch.float64)
    near, far = GRID.centres + 0.1499 * step, GRID.centres + 0.1501 * step
    assert of(near)["modes"] == 25
    found = of(far)
    assert (found["modes"], found["hq_share"], found["mode_kl"]) == (0, 0, 0)


def test_kl_to_uniform_closed_forms() -> None:
    assert kl_to_uniform(torch.tensor([7, 7, 7])) == 0
    assert kl_to_uniform(torch.tensor([3, 1])) == pytest.approx(
        0.75 * math.log(1.5) + 0.25 * math.log(0.5), rel=1e-12
    )
    assert kl_to_uniform(torch.tensor([0, 0, 5, 0])) == pytest.approx(math.log(4), rel=1e-12)


def test_label_modes() -> None:
    read = torch.tensor([0, 0, 3, 7])
    scores = label_scores(read, torch.tensor([1.0, 0.5, 0.5, 0.0]), LabelModes(10), {"k": 1})
    found = values(scores)
    assert found["modes"] == 3
    assert found["mode_kl"] == pytest.approx(0.5 * math.log(5) + 0.5 * math.log(2.5), rel=1e-12)
    assert found["mode_kl_floor"] == 9 / 8
    assert found["class_confidence"] == 0.5
    skipped = {s.metric for s in scores if s.status == "skipped"}
    assert skipped == {"hq_share", "mode_width"}
    assert all(s.reason for s in scores if s.status == "skipped")
    assert all(s.n == 4 and s.detail["of"] == 10 for s in scores if s.status == "done")
