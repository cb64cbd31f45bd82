"""The trace of a residual MLP's Jacobian, by forward mode written out.

Generic forward mode (`torch.func.jvp` under `vmap`) makes about ten passes over the tangents in
each block. Here layer normalisation is folded into the matrix that follows it: with
n = (h − mean h)/s, and W' = W₁ diag(γ) (I − 11ᵀ/w), the tangent of W₁ norm(h) along ḣ is

    (W' ḣ − (W' n) (n·ḣ)/w) / s

so a block costs two matrix products, a dot product, a rank-one update and a scaling.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchbench.nn import FourierFeatures, ResidualMLP

__all__ = ["fourier_tangents", "mlp_trace"]


def fourier_tangents(features: FourierFeatures, x: Tensor) -> Tensor:
    """The Jacobian of Fourier features, transposed. x: (n, d) -> (n, d, d + 2m)."""
    n, d = x.shape
    rate = 2 * math.pi * features.frequencies
    angle = (x @ rate)[:, None, :]
    eye = torch.eye(d, device=x.device, dtype=x.dtype).expand(n, d, d)
    return torch.cat([eye, -angle.sin() * rate, angle.cos() * rate], dim=2)


def mlp_trace(net: ResidualMLP, x: Tensor, c: Tensor, inputs: Tensor | None = None) -> Tensor:
    """tr ∂net/∂y for every row, where the network's input x depends on y.

    x: (n, in_features); c: (n, condition), does not depend on y. inputs: ∂x/∂y transposed,
    (n, d, in_features); None: x is y itself. d is the network's out_features -> (n,).
    """
    n, d = x.shape[0], net.leave.out_features
    h = net.enter(x)
    width = h.shape[1]
    if inputs is None:
        tangent = net.enter.weight.T.expand(n, d, width).reshape(n * d, width)
    else:
        tangent = inputs.reshape(n * d, -1) @ net.enter.weight.T
    block: Any
    for block in net.blocks:
        weight, bias = _fold(block.norm, block.inner)
        normal, std = _normalise(h, block.norm)
        product = normal @ weight.T
        before = product + bias + block.condition(c)
        inner = _through_norm(tangent, weight, normal, product)
        gate = _silu_slope(before) / std
        inner = (inner.view(n, d, width) * gate[:, None, :]).view(n * d, width)
        tangent = torch.addmm(tangent, inner, block.outer.weight.T)
        h = h + block.outer(functional.silu(before))
    gamma, beta = _affine(net.norm)
    normal, std = _normalise(h, net.norm)
    gate = gamma * _silu_slope(normal * gamma + beta) / std
    centred = _centre(net.leave.weight[None] * gate[:, None, :], normal)
    return (tangent.view(n, d, width) * centred).sum(dim=(1, 2))


def _through_norm(tangent: Tensor, weight: Tensor, normal: Tensor, product: Tensor) -> Tensor:
    """W' ḣ − (W' n)(n·ḣ)/w. tangent: (n·d, w); normal, product: (n, w) -> (n·d, w)."""
    n, width = normal.shape
    along = torch.bmm(tangent.view(n, -1, width), normal[:, :, None])
    moved = (tangent @ weight.T).view(n, -1, width)
    return torch.baddbmm(moved, along, product[:, None, :], alpha=-1 / width).view(-1, width)


def _centre(rows: Tensor, normal: Tensor) -> Tensor:
    """(I − 11ᵀ/w − n nᵀ/w) applied to every row. rows: (n, d, w), normal: (n, w)."""
    width = normal.shape[1]
    along = torch.bmm(rows, normal[:, :, None]) / width
    return rows - rows.mean(dim=2, keepdim=True) - along * normal[:, None, :]


def _fold(norm: nn.Module, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """W₁(γ n + β) + b as W' n + b'; W' also removes the mean, which n has none of."""
    gamma, beta = _affine(norm)
    weight = linear.weight * gamma
    return weight - weight.mean(dim=1, keepdim=True), linear(beta)


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    if not isinstance(norm, nn.LayerNorm):
        raise TypeError(f"the trace is written out for LayerNorm, not {type(norm).__name__}")
    return norm.weight, norm.bias


def _normalise(h: Tensor, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """n and s of layer normalisation without its affine part: (n, w) and (n, 1)."""
    eps = norm.eps if isinstance(norm, nn.LayerNorm) else 0.0
    variance, mean = torch.var_mean(h, dim=1, keepdim=True, correction=0)
    std = (variance + eps).sqrt()
    return (h - mean) / std, std


def _silu_slope(a: Tensor) -> Tensor:
    gate = a.sigmoid()
    return gate * (1 + a * (1 - gate))
