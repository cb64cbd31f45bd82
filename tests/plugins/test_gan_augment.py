"""Differentiable augmentation of what the critic sees."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from benchbench_gan.augment import _cut, augment
from benchbench_gan.config import Augment, GanConfig
from torch import Tensor

from benchbench.api import UsageError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 50, colours: int = 3) -> Tensor:
    return torch.rand((n, colours, 16, 24), generator=generator(1), dtype=torch.float64) + 0.5


def test_none_changes_and_draws_nothing() -> None:
    g, x = generator(), images()
    before = g.get_state()
    assert augment(x, "none", g) is x
    assert torch.equal(g.get_state(), before)


def test_translation_moves_each_image_whole() -> None:
    """Every result is the image moved by (dy, dx), at most an eighth of a side; all come up."""
    x = images(150, 1)
    y = augment(x, "translation", generator())
    found = set()
    for image, moved in zip(x, y, strict=True):
        inside = moved[0] != 0
        rows, columns = inside.any(dim=1).nonzero().flatten(), inside.any(dim=0).nonzero().flatten()
        top, left = int(rows[0]), int(columns[0])
        part = moved[:, rows][:, :, columns]
        at = (part[0, 0, 0] == image[0]).nonzero()[0].tolist()
        dy, dx = top - at[0], left - at[1]
        expected = torch.zeros_like(image)
        for i in range(16):
            for j in range(24):
                if 0 <= i - dy < 16 and 0 <= j - dx < 24:
                    expected[0, i, j] = image[0, i - dy, j - dx]
        assert torch.equal(moved, expected)
        found.add((dy, dx))
    assert {dy for dy, _ in found} == set(range(-2, 3))
    assert {dx for _, dx in found} == set(range(-3, 4))


def test_what_is_left_out_is_at_most_half_of_each_side() -> None:
    x = torch.ones(200, 1, 16, 24, dtype=torch.float64)
    gone = (_cut(x, generator()) == 0).sum(dim=(1, 2, 3))
    assert int(gone.max()) == 8 * 12 and int(gone.min()) >= 4 * 6


@pytest.mark.parametrize("policy", get_args(Augment))
def test_the_same_draw_is_linear_and_its_gradient_reaches_the_image(policy: Augment) -> None:
    """T is affine: T(x + tv) − T(x) = t·J v, and autograd's J agrees."""
    x, v, w = images(), images() - 1, images() - 1
    x.requires_grad_()
    y = augment(x, policy, generator())
    (back,) = torch.autograd.grad((y * w).sum(), x)
    moved = augment(x.detach() + 3 * v, policy, generator()) - y.detach()
    torch.testing.assert_close((back * v).sum(), (moved * w).sum() / 3)


def test_points_are_refused() -> None:
    with pytest.raises(UsageError, match=r"gan.augment = all is for images"):
        GanConfig(augment="all").settings("points", (2,))
