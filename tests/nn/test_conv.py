"""Convolutional trunks: shapes for any sides, independent rows, the identity at first."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from benchbench.nn.conv import ConvDecoder, ConvEncoder, ResidualConv, channels, halved_grids


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 28, 28), (3, 33, 47), (3, 64, 64)])
@pytest.mark.parametrize("normalise", [True, False])
def test_images_of_any_sides_go_in_and_come_out(
    shape: tuple[int, int, int], normalise: bool
) -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder(shape, 5, width=8, depth=1, normalise=normalise)
    decoder = ConvDecoder(5, shape, width=8, depth=1, normalise=normalise)
    x = torch.randn(3, *shape, generator=rng())
    h = encoder(x)
    assert h.shape == (3, 5) and decoder(h).shape == x.shape
    assert decoder(h).is_contiguous() and encoder(x[:0]).shape == (0, 5)
    assert decoder(h[:0]).shape == (0, *shape)


def test_no_row_depends_on_another_even_in_training() -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder((2, 20, 18), 4, width=8, depth=1).double().train()
    decoder = ConvDecoder(4, (2, 20, 18), width=8, depth=1).double().train()
    x = torch.randn(5, 2, 20, 18, generator=rng(), dtype=torch.float64)
    torch.testing.assert_close(encoder(x)[2:3], encoder(x[2:3]), rtol=1e-12, atol=1e-12)
    z = encoder(x)
    torch.testing.assert_close(decoder(z)[2:3], decoder(z[2:3]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("normalise", [True, False])
def test_a_residual_block_begins_as_the_identity(normalise: bool) -> None:
    block = ResidualConv(12, normalise=normalise)
    h = torch.randn(2, 12, 5, 6, generator=rng())
    assert torch.equal(block(h), h)


def test_every_pixel_reaches_the_features_and_every_feature_the_pixels() -> None:
    torch.manual_seed(0)
    encoder, decoder = (
        ConvEncoder((1, 17, 23), 6, width=8, depth=0),
        ConvDecoder(6, (1, 17, 23), width=8, depth=0),
    )
    x = torch.randn(1, 1, 17, 23, generator=rng(), requires_grad=True)
    (seen,) = torch.autograd.grad(encoder(x).square().sum(), x)
    assert bool((seen != 0).all())
    z = torch.randn(1, 6, generator=rng(), requires_grad=True)
    (used,) = torch.autograd.grad(decoder(z).square().sum(), z)
    assert bool((used != 0).all())
    moved = decoder(z) - decoder(z + 0.1)
    assert bool((moved != 0).all())


def test_grids_halve_to_the_coarsest_and_channels_double() -> None:
    for height, width in [(16, 16), (28, 28), (40, 17), (64, 96)]:
        sizes = [(height, width), *halved_grids(height, width)]
        assert all(b == ((a[0] + 1) // 2, (a[1] + 1) // 2) for a, b in itertools.pairwise(sizes))
        assert min(sizes[-1]) <= 8
    assert channels(300, 3) == [300, 512, 512]
    assert channels(600, 2) == [600, 600]


def test_width_and_depth_are_what_they_say() -> None:
    encoder = ConvEncoder((1, 28, 28), 10, width=16, depth=2)
    blocks = [m for m in encoder.modules() if isinstance(m, ResidualConv)]
    assert [b.first.in_channels for b in blocks] == [16, 16, 32, 32]
    assert sum(isinstance(m, nn.GroupNorm) for m in encoder.modules()) == 2 * 4 + 1


def test_vmap_goes_through() -> None:
    torch.manual_seed(0)
    decoder = ConvDecoder(4, (1, 17, 20), width=8, depth=1)
    z = torch.randn(3, 4, generator=rng())
    each = torch.func.vmap(lambda row: decoder(row[None])[0])(z)
    torch.testing.assert_close(each, decoder(z))
