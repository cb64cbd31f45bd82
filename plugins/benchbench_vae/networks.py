"""Encoder q(z | x) and decoder p(x | z) of the VAE: residual MLPs on flattened examples.

The KL term wants the posteriors of separate modes side by side without gaps, so the decoder's
mean must leap from one mode to the next over a small step in z. Fourier features of z ("Fourier
Features Let Networks Learn High Frequency Functions in Low Dimensional Domains", Tancik et al.,
2020) give it the slope, and for points a softmax readout the leap:

    μ(z) = Σ_k a_k softmax_k(τ w_kᵀ h(z)),   anchors a_k learned,

the gating of "Adaptive Mixtures of Local Experts" (Jacobs et al., 1991) with constant experts. A
large gain turns a slope of h into nearly a step of μ; a linear readout would need large weights
everywhere for that.

Images of 16 pixels a side and more get the convolutions of `benchbench.nn.conv` in their place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from benchbench.nn import ConvDecoder, ConvEncoder, FourierFeatures, ResidualMLP
from benchbench_vae.config import Settings

__all__ = ["Decoder", "Encoder", "ImageDecoder", "ImageEncoder"]

FOURIER_SCALE = 1.0
"""Cycles per unit of standardised x."""
LATENT_FOURIER_SCALE = 0.7
"""Cycles per unit of z; more makes the decoder leap where it should be flat."""
GAIN = 5.0
"""τ: initial logits have unit order before it; from 20 on the softmax starts out saturated."""
LOG_STD = (-9.0, 3.0)
"""Bounds of the encoder's log standard deviation, wide of anything a training needs."""


class Encoder(nn.Module):
    """x to the mean and log standard deviation of q(z | x) = N(μ, diag s²).

    Posteriors start narrow (s = 1/e), so that reconstruction is learned before the KL term.
    """

    def __init__(self, dim: int, s: Settings) -> None:
        super().__init__()
        self.features = FourierFeatures(dim, s.fourier, FOURIER_SCALE) if s.fourier else None
        inputs = self.features.out_features if self.features else dim
        self.net = ResidualMLP(inputs, 2 * s.latent_dim, width=s.width, depth=s.encoder_depth)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (n, D) -> mean (n, d), log standard deviation (n, d)."""
        h = x if self.features is None else self.features(x)
        mean, log_std = self.net(h).to(x.dtype).chunk(2, dim=1)
        return mean, (log_std - 1).clamp(*LOG_STD)


class Decoder(nn.Module):
    """z to the mean of p(x | z).

    shape: of an example. bounded: whether the mean passes through tanh, for images.
    """

    def __init__(self, shape: Sequence[int], s: Settings, *, bounded: bool) -> None:
        super().__init__()
        self.shape, self.bounded = tuple(shape), bounded
        d, dim = s.latent_dim, math.prod(shape)
        self.features = (
            FourierFeatures(d, s.latent_fourier, LATENT_FOURIER_SCALE) if s.latent_fourier else None
        )
        inputs = self.features.out_features if self.features else d
        self.net = ResidualMLP(inputs, s.anchors or dim, width=s.width, depth=s.decoder_depth)
        self.anchors = nn.Linear(s.anchors, dim) if s.anchors else None
        if self.anchors is not None:
            nn.init.normal_(self.anchors.weight)  # standardised data are of unit scale

    def forward(self, z: Tensor) -> Tensor:
        """z: (n, d) -> (n, *shape)."""
        h = self.net(z if self.features is None else self.features(z))
        if self.anchors is not None:
            h = self.anchors((GAIN * h).softmax(dim=1))
        x = h.to(z.dtype).unflatten(1, self.shape)
        return x.tanh() if self.bounded else x


class ImageEncoder(nn.Module):
    """`Encoder` by convolutions, for images (n, C, H, W)."""

    def __init__(self, shape: Sequence[int], s: Settings) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.net = ConvEncoder(shape, 2 * s.latent_dim, width=s.width, depth=s.encoder_depth)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (n, D) -> mean (n, d), log standard deviation (n, d)."""
        mean, log_std = self.net(x.unflatten(1, self.shape)).to(x.dtype).chunk(2, dim=1)
        return mean, (log_std - 1).clamp(*LOG_STD)


class ImageDecoder(nn.Module):
    """`Decoder` by convolutions, for images; the mean passes through tanh."""

    def __init__(self, shape: Sequence[int], s: Settings) -> None:
        super().__init__()
        self.net = ConvDecoder(s.latent_dim, shape, width=s.width, depth=s.decoder_depth)

    def forward(self, z: Tensor) -> Tensor:
        """z: (n, d) -> (n, C, H, W)."""
        return self.net(z).to(z.dtype).tanh()
