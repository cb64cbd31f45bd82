"""Scattering coefficients: features of any grey or RGB image, fixed by a formula.

Morlet wavelets ψ_θ in L directions, x_j the image after j halvings, and u_{j,θ} = |x_j ⋆ ψ_θ|:

    order 0   x averaged over a 4 × 4 grid of cells
    order 1   log(1 + ⟨u_{j,θ}⟩/ε)                     0 ≤ j < J
    order 2   log(1 + ⟨|(u_{j,θ})_k ⋆ ψ_φ|⟩/ε)         j < k < J, (·)_k: halved until level k

with ⟨·⟩ the average over each cell of a 2 × 2 grid. Order 1 is the strength of edges and texture
by scale and direction, order 2 how it varies over the image. J grows with the image: 3 for 28 and
32 pixels, 4 from 46 on. RGB is turned into brightness, red − blue and green − magenta; order 2 is
taken of brightness alone.

Bruna & Mallat, "Invariant Scattering Convolution Networks", 2013. The logarithm: Andén & Mallat,
"Deep Scattering Spectrum", 2014; without weights to set their scale, it gives faint and strong
coefficients a say alike.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, pad

from benchbench.api import Assets, NotAvailable
from benchbench.api.evaluation import Extractor
from benchbench.metrics.features.digest import digest_of

__all__ = ["ScatteringExtractor", "load", "morlet", "scales"]

DIRECTIONS = 4
REACH = 3
"""Half-width of a wavelet's kernel, in pixels of its level."""
SIGMA, FREQUENCY, SLANT = 0.8, 3 * math.pi / 4, 4 / DIRECTIONS
"""Of the mother wavelet: width in pixels, radians a pixel, width along over width across."""
EPSILON = 0.02
"""A modulus that counts as faint: two and a half of 256 grey levels."""
COARSE, CELLS = 4, 2
"""Cells along a side: of order 0, of orders 1 and 2."""
MAX_SCALES, MIN_SIDE = 4, 8
BATCH = 500
PREPROCESSING = f"scattering L={DIRECTIONS} epsilon={EPSILON} grid={CELLS}, version 1"


class ScatteringExtractor(Extractor):
    """Features of (n, 1 or 3, H, W) images: 256 for 28 × 28 grey, 384 for 32 × 32 RGB."""

    def __init__(self) -> None:
        self.name = "scattering"
        self.wavelets = morlet()
        self.digest = digest_of(PREPROCESSING, {"wavelets": self.wavelets})

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """x: (n, 1 or 3, H, W) in [−1, 1], H, W >= 8 -> (n, f) float32."""
        if x.dim() != 4 or x.shape[1] not in (1, 3) or min(x.shape[2:]) < MIN_SIDE:
            raise NotAvailable(
                f"scattering reads (n, 1 or 3, H, W) with at least {MIN_SIDE} pixels a side, "
                f"not {tuple(x.shape)}"
            )
        self.wavelets = self.wavelets.to(x.device)
        with torch.autocast(x.device.type, enabled=False):
            return torch.cat([self._read(batch) for batch in x.float().split(BATCH)])

    def _read(self, x: Tensor) -> Tensor:
        levels = scales(*x.shape[2:])
        if x.shape[1] == 3:
            r, g, b = x.unbind(1)
            x = torch.stack([(r + g + b) / 3, (r - b) / 2, (2 * g - r - b) / 4], dim=1)
        moduli = self._scatter(x[:, :1], levels, order=2)
        for colour in x[:, 1:].split(1, dim=1):
            moduli += self._scatter(colour, levels, order=1)
        cells = torch.cat([adaptive_avg_pool2d(u, CELLS).flatten(1) for u in moduli], dim=1)
        coarse = adaptive_avg_pool2d(x, COARSE).flatten(1)
        return torch.cat([coarse, torch.log1p(cells / EPSILON)], dim=1)

    def _scatter(self, x: Tensor, levels: int, order: int) -> list[Tensor]:
        """x: (n, 1, H, W) -> moduli (n, paths, h, w), level by level, in a fixed order."""
        found: list[Tensor] = []
        earlier: list[Tensor] = []
        for level in range(levels):
            if level:
                x, earlier = _halved(x), [_halved(u) for u in earlier]
            first = self._moduli(x)
            found += [first, *(self._moduli(u) for u in earlier)]
            if order == 2:
                earlier.append(first)
        return found

    def _moduli(self, x: Tensor) -> Tensor:
        """|x ⋆ ψ_θ|: (n, c, h, w) -> (n, c·L, h, w)."""
        n, c, h, w = x.shape
        padded = pad(x.reshape(n * c, 1, h, w), (REACH,) * 4, mode="reflect")
        real, imaginary = conv2d(padded, self.wavelets).split(DIRECTIONS, dim=1)
        return torch.hypot(real, imaginary).view(n, c * DIRECTIONS, h, w)


def scales(height: int, width: int) -> int:
    """J: how many scales an image of this size has.

    >>> [scales(side, side) for side in (8, 16, 28, 32, 64, 256)]
    [1, 2, 3, 3, 4, 4]
    """
    return max(1, min(MAX_SCALES, round(math.log2(min(height, width) / 4))))


def morlet() -> Tensor:
    """Real, then imaginary parts of ψ_θ: (2·L, 1, 7, 7) float32, each of mean 0 and norm 1.

    ψ(u) = (e^{iξ·u} − κ) e^{−|u|²/2σ²}, κ such that the mean is 0, turned by θ = πl/L.
    """
    axis = torch.arange(-REACH, REACH + 1, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    kernels = []
    for turn in range(DIRECTIONS):
        angle = math.pi * turn / DIRECTIONS
        across = math.cos(angle) * x + math.sin(angle) * y
        along = -math.sin(angle) * x + math.cos(angle) * y
        window = torch.exp(-(across**2 + (SLANT * along) ** 2) / (2 * SIGMA**2))
        wave = torch.exp(1j * FREQUENCY * across)
        wavelet = (wave - (window * wave).sum() / window.sum()) * window
        kernels.append(wavelet / wavelet.abs().square().sum().sqrt())
    stacked = torch.stack(kernels)
    return torch.cat([stacked.real, stacked.imag]).unsqueeze(1).float()


def _halved(x: Tensor) -> Tensor:
    """Every second pixel of x smoothed by [1, 3, 3, 1]/8 both ways: (n, c, h, w) -> half."""
    n, c, h, w = x.shape
    row = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device) / 8
    padded = pad(x.reshape(n * c, 1, h, w), (1, 2, 1, 2), mode="reflect")
    wide = conv2d(padded, row.view(1, 1, 1, 4), stride=(1, 2))
    tall = conv2d(wide, row.view(1, 1, 4, 1), stride=(2, 1))
    return tall.view(n, c, *tall.shape[2:])


def load(assets: Assets) -> ScatteringExtractor:
    """The extractor `scattering`; nothing has to be found."""
    return ScatteringExtractor()
