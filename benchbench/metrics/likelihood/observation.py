"""The observation model x = g(z) + N(0, σ² I) that every decoder is scored under.

log p(x | z) = −|x − g(z)|²/(2σ²) − D/2 log 2πσ²

The decoder runs in the model's float32; latents, errors and all linear algebra are float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Observation", "log_normaliser"]

# Numbers held at once in a decoder's output and in a Jacobian: bounds memory, not results.
_OUTPUT_NUMBERS, _JACOBIAN_NUMBERS = 2_000_000, 8_000_000
# On a CPU, what its caches hold: a convolutional decoder's gradient costs a third less a row.
_CACHED_NUMBERS = 100_000


def log_normaliser(sigma: float, dim: int) -> float:
    """−D/2 log 2πσ², the constant of log p(x | z)."""
    return -0.5 * dim * math.log(2 * math.pi * sigma**2)


class Observation:
    """A decoder seen as a function from R^d to R^D.

    decode: latents (n, d) float32 to (n, *shape), differentiable, row by row.
    latent_dim: d. dim: D, the numbers in one example. device: where the decoder lives.
    """

    def __init__(
        self,
        decode: Callable[[Tensor], Tensor],
        *,
        latent_dim: int,
        dim: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self._decode = decode
        self.latent_dim = latent_dim
        self.dim = dim
        self.device = torch.device(device)
        cpu = self.device.type == "cpu"
        self._rows = max(1, (_CACHED_NUMBERS if cpu else _OUTPUT_NUMBERS) // dim)

    def mean(self, z: Tensor) -> Tensor:
        """g(z): (n, d) float64 -> (n, D) float64."""
        with torch.no_grad():
            parts = [self._decode(part.float()).flatten(1).double() for part in z.split(self._rows)]
        return torch.cat(parts)

    def squared_error(self, z: Tensor, x: Tensor) -> Tensor:
        """|x − g(z)|² of K latents for each example: z (n, K, d), x (n, D) -> (n, K)."""
        rows = max(1, _OUTPUT_NUMBERS // (self.dim * z.shape[1]))
        parts = [
            (self.mean(zs.flatten(0, 1)).unflatten(0, zs.shape[:2]) - xs[:, None]).square().sum(-1)
            for zs, xs in zip(z.split(rows), x.split(rows), strict=True)
        ]
        return torch.cat(parts)

    def error_and_gradient(self, z: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """|x − g(z)|² and its gradient in z: z (n, d), x (n, D) -> (n,), (n, d)."""
        errors, gradients = [], []
        for zs, xs in zip(z.split(self._rows), x.split(self._rows), strict=True):
            with torch.enable_grad():
                leaf = zs.detach().float().requires_grad_()
                error = (self._decode(leaf).flatten(1).double() - xs).square().sum(-1)
                (gradient,) = torch.autograd.grad(error.sum(), leaf)
            errors.append(error.detach())
            gradients.append(gradient.double())
        return torch.cat(errors), torch.cat(gradients)

    def normal_equations(self, z: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What Gauss–Newton asks of the decoder at z (n, d) for x (n, D).

        Returns |r|² (n,), Jᵀ r (n, d) and Jᵀ J (n, d, d), with r = x − g(z) and J = ∂g/∂z.
        """
        rows = max(1, _JACOBIAN_NUMBERS // (self.dim * self.latent_dim))
        errors, pulled, squares = [], [], []
        for zs, xs in zip(z.split(rows), x.split(rows), strict=True):
            mean, jacobian = self._linearise(zs)
            residual = xs - mean
            errors.append(residual.square().sum(-1))
            pulled.append((jacobian @ residual[:, :, None]).squeeze(-1))
            squares.append(jacobian @ jacobian.mT)
        return torch.cat(errors), torch.cat(pulled), torch.cat(squares)

    def _linearise(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """g(z) (n, D) and the transposed Jacobian Jᵀ (n, d, D), float64.

        J e = ∂(Jᵀu)/∂u · e: two reverse passes give the forward derivative along each basis
        vector e, so a decoder needs no operation beyond those its own training needed, and the
        activations are computed once for all d directions.
        """
        n, d = z.shape
        with torch.enable_grad():
            leaf = z.detach().float().requires_grad_()
            output = self._decode(leaf).flatten(1)
            seed = torch.zeros_like(output, requires_grad=True)
            (pulled,) = torch.autograd.grad(output, leaf, seed, create_graph=True)
            basis = torch.eye(d, device=z.device, dtype=leaf.dtype)[:, None].expand(d, n, d)
            (columns,) = torch.autograd.grad(pulled, seed, basis, is_grads_batched=True)
        return output.detach().double(), columns.detach().double().transpose(0, 1)
