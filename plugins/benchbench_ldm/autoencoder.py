"""The autoencoder whose latents the diffusion prior lives on.

    q(z | x) = N(μ(x), s(x)²),   x̂ = g(z)
    L = E ‖x − g(z)‖² + β KL(q(z | x) ‖ N(0, I))

β is small ("High-Resolution Image Synthesis with Latent Diffusion Models", Rombach et al., 2022):
it only keeps the latents bounded and gives the posterior a width. Where g is locally a rotation,
the optimum is s² ≈ β/2, so sqrt(β/2) is the noise of a reconstruction, and β has to keep it well
below the finest structure of the data.

Latents are standardised by fixed buffers m, k after training: z = (z_raw − m)/k. Everything
outside this module sees standardised latents only, so encoder, decoder, diffusion and prior
density share one space and no Jacobian is left to forget.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from benchbench.nn import ResidualMLP

__all__ = ["Autoencoder"]


class Autoencoder(nn.Module):
    """Vectors (n, D) to Gaussian latents (n, d) and back.

    Where d = D it begins as the identity map: such vectors are already as short as a latent gets,
    and the autoencoder only learns to bend the space.

    width, depth: of encoder and decoder, residual MLPs.
    networks: an encoder (n, D) -> (n, 2d) and a decoder (n, d) -> (n, D) in their place.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        dim: int,
        latent_dim: int,
        *,
        width: int,
        depth: int,
        networks: tuple[nn.Module, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.identity = networks is None and latent_dim == dim
        self.encoder: nn.Module
        self.decoder: nn.Module
        if networks is None:
            self.encoder, self.decoder = _mlps(dim, latent_dim, width, depth)
        else:
            self.encoder, self.decoder = networks
        self.register_buffer("shift", torch.zeros(latent_dim))
        self.register_buffer("scale", torch.ones(latent_dim))

    def loss(self, x: Tensor, *, kl_weight: float, generator: torch.Generator) -> Tensor:
        """x: (n, D) -> (), the mean over examples of L above."""
        rebuilt, kl = self.rebuild(x, generator=generator)
        return ((x - rebuilt).square().sum(dim=1) + kl_weight * kl).mean()

    def rebuild(self, x: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """x: (n, D) -> x̂ (n, D) from one draw of q(z | x), and its KL term (n,)."""
        mean, log_std = self._encode_raw(x)
        noise = torch.randn(mean.shape, generator=generator, device=x.device, dtype=mean.dtype)
        z = mean + log_std.exp() * noise
        kl = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(dim=1)
        return self._decode_raw(z), kl

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, D) -> mean and standard deviation of q(z | x), standardised, (n, d) each."""
        mean, log_std = self._encode_raw(x)
        return (mean - self.shift) / self.scale, log_std.exp() / self.scale

    def decode(self, z: Tensor) -> Tensor:
        """Standardised latents (n, d) -> x̂ (n, D)."""
        return self._decode_raw(z * self.scale + self.shift)

    @torch.no_grad()
    def standardise(self, batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        """Encode the training split and set the buffers from the moments of z ~ q(z | x).

        batches: (b, D) each -> mean and standard deviation of every q(z | x), standardised,
        (n, d) each.
        """
        encoded = [self._encode_raw(x) for x in batches]
        mean = torch.cat([m for m, _ in encoded])
        std = torch.cat([s for _, s in encoded]).exp()
        variance = mean.double().var(dim=0, correction=0) + std.double().square().mean(dim=0)
        self.shift.copy_(mean.double().mean(dim=0))
        self.scale.copy_(variance.sqrt().clamp_min(1e-6))
        return (mean - self.shift) / self.scale, std / self.scale

    def _encode_raw(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.encoder(x).float().chunk(2, dim=1)
        return x + mean if self.identity else mean, log_std.clamp(-10, 3)

    def _decode_raw(self, z: Tensor) -> Tensor:
        x = self.decoder(z).float()
        return z + x if self.identity else x


def _mlps(dim: int, latent_dim: int, width: int, depth: int) -> tuple[ResidualMLP, ResidualMLP]:
    """Encoder and decoder; posteriors start narrow, and at the identity where d = D."""
    encoder = ResidualMLP(dim, 2 * latent_dim, width=width, depth=depth)
    decoder = ResidualMLP(latent_dim, dim, width=width, depth=depth)
    with torch.no_grad():
        encoder.leave.bias[latent_dim:] = -3.0
        if latent_dim == dim:
            for net in (encoder, decoder):
                net.leave.weight.zero_()
                net.leave.bias.zero_()
            encoder.leave.bias[latent_dim:] = -5.0
    return encoder, decoder
