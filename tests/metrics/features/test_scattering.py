"""Scattering: filters and features by their definition, and graded corruptions of photographs.

The features are fixed by a formula, so any images will do: here tiles of scikit-learn's two
photographs, 32 × 32 in colour, which every machine has. `test_grey28` does the same, and more, on
fashion-mnist.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor

from benchbench.api import Assets, NotAvailable
from benchbench.metrics.features.corruptions import (
    BLUR,
    NOISE,
    SHIFTS,
    blurred,
    noisy,
    quantised,
    shifted,
)
from benchbench.metrics.features.scattering import DIRECTIONS, load, morlet, scales
from benchbench.metrics.moments import Moments

SIDE = 32


@cache
def tiles() -> tuple[Tensor, Tensor]:
    """Two sets (260, 3, 32, 32) in [−1, 1], as the colours of a chessboard."""
    found = []
    for photograph in load_sample_images().images:
        x = torch.from_numpy(photograph.copy()).permute(2, 0, 1).float() / 127.5 - 1
        rows = x.unfold(1, SIDE, SIDE).unfold(2, SIDE, SIDE)
        found.append(rows.permute(1, 2, 0, 3, 4))
    height, width = found[0].shape[:2]
    white = (torch.arange(height).view(-1, 1) + torch.arange(width)) % 2 == 0
    return torch.cat([t[white] for t in found]), torch.cat([t[~white] for t in found])


def moments(x: Tensor) -> Moments:
    return Moments.of(load(Assets()).features(quantised(x, 256)))


@pytest.mark.parametrize(
    ("corrupt", "rungs"),
    [(blurred, BLUR), (noisy, NOISE), (shifted, SHIFTS)],
    ids=["blur", "noise", "shift"],
)
def test_each_corruption_raises_fid_rung_by_rung(corrupt, rungs: tuple[float, ...]) -> None:
    x, real = tiles()
    worse = [x, *(corrupt(x, rung) for rung in rungs)]
    scores = [moments(images).frechet(moments(real)) for images in worse]
    assert all(a < b for a, b in pairwise(scores)), scores


@cache
def grey() -> Tensor:
    """(260, 1, 28, 28)."""
    return tiles()[0].mean(dim=1, keepdim=True)[..., :28, :28]


def test_wavelets_have_mean_zero_and_norm_one_and_are_turned() -> None:
    real, imaginary = morlet().double().split(DIRECTIONS)
    for part in (real, imaginary):
        torch.testing.assert_close(part.sum((1, 2, 3)), torch.zeros(4).double(), rtol=0, atol=1e-6)
    norm = (real**2 + imaginary**2).sum((1, 2, 3))
    torch.testing.assert_close(norm, torch.ones(4).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(real[2, 0], real[0, 0].T)


@pytest.mark.parametrize(
    ("shape", "expected"), [((1, 8, 8), 32), ((1, 28, 28), 256), ((3, 32, 32), 384)]
)
def test_number_of_features_follows_the_formula(shape: tuple[int, ...], expected: int) -> None:
    paths = [scales(*shape[1:])]
    orders = DIRECTIONS * paths[0] * shape[0] + DIRECTIONS**2 * paths[0] * (paths[0] - 1) // 2
    assert expected == 16 * shape[0] + 4 * orders
    assert load(Assets()).features(torch.zeros(2, *shape)).shape == (2, expected)


def test_a_constant_image_has_no_moduli() -> None:
    features = load(Assets()).features(torch.full((1, 1, 28, 28), 0.5))
    torch.testing.assert_close(features[0, :16], torch.full((16,), 0.5))
    torch.testing.assert_close(features[0, 16:], torch.zeros(240), rtol=0, atol=1e-4)


def test_moduli_forget_the_sign_of_what_deviates_from_grey() -> None:
    x = grey()[:5]
    ours, negative = (load(Assets()).features(s * x) for s in (1, -1))
    torch.testing.assert_close(ours[:, 16:], negative[:, 16:])
    torch.testing.assert_close(ours[:, :16], -negative[:, :16])


def test_rows_do_not_depend_on_their_neighbours() -> None:
    x = grey().repeat(3, 1, 1, 1)
    extractor = load(Assets())
    torch.testing.assert_close(extractor.features(x)[495:505], extractor.features(x[495:505]))
    assert extractor.features(x).dtype == torch.float32


@pytest.mark.parametrize("shape", [(2, 2, 28, 28), (2, 1, 7, 28), (2, 784)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(NotAvailable, match=r"scattering reads \(n, 1 or 3, H, W\)"):
        load(Assets()).features(torch.zeros(shape))


def test_digest_and_random_state_stay_the_same() -> None:
    before = torch.get_rng_state()
    assert load(Assets()).digest == load(Assets()).digest
    assert torch.equal(torch.get_rng_state(), before)
