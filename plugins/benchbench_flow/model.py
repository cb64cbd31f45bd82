"""A normalizing flow: an invertible network whose density is exact.

    z = T(x) ~ N(0, I),     log p(x) = log N(T(x); 0, I) + log |det ∂T/∂x|

"Neural Spline Flows", Durkan et al., 2019, trained by maximum likelihood. T is a chain of
rational-quadratic splines whose knots depend on other dimensions. Every kind of data is a flat
vector; images are dequantised anew in each batch and pass a logit first (`transforms.py`), so the
density is that of the dequantised image that every likelihood here is stated for.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from benchbench.api import DataInfo, Model, Training
from benchbench.nn import EMA
from benchbench_flow.config import FlowConfig
from benchbench_flow.transforms import LogitMap, composed

__all__ = ["NormalizingFlow"]

LR_WARMUP = 0.02
"""Share of training over which the learning rate rises."""
MOST_GRADIENT = 5.0
"""Norm at which gradients are clipped: a sharp mode next to nothing has steep ones."""


class NormalizingFlow(Model):
    """The model `flow`."""

    def __init__(self, config: FlowConfig, data: DataInfo) -> None:
        super().__init__(config, data)
        self.settings = config.settings(data)
        self.logit = None if data.levels is None else LogitMap(data.levels, config.logit)
        self.net = composed(data.dim, self.settings)
        self.ema = EMA(self.net, config.ema_decay)

    def fit(self, training: Training) -> None:
        """Minimise the mean of −log p; learning rate up, then down on a cosine to 0."""
        s = self.settings
        optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=s.lr, betas=(0.9, 0.99), weight_decay=s.weight_decay
        )
        training.track(optimizer=optimizer)
        noise = training.generator("dequantise")
        for x in training.batches("flow", batch_size=min(s.batch_size, self.data.n_train)):
            optimizer.param_groups[0]["lr"] = s.lr * _rate(training.progress)
            loss = -self._log_prob(self.net, self._dequantised(x, noise)).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), MOST_GRADIENT)
            optimizer.step()
            self.ema.update(self.net)
            training.log(loss=loss.detach())

    def _dequantised(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Uniform noise of one level's width on images; other data as they are."""
        if self.data.levels is None:
            return x
        u = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        return x + (2 * u - 1) / (self.data.levels - 1)

    def _log_prob(self, net: torch.nn.Module, x: Tensor) -> Tensor:
        """log p(x) under these weights: (n, *shape) -> (n,) nats."""
        y, total = x.flatten(1), x.new_zeros(())
        if self.logit is not None:
            y, total = self.logit.forward(y)
        z, log_det = net().call_and_ladj(y)
        base = -0.5 * z.square().sum(1) - 0.5 * self.data.dim * math.log(2 * math.pi)
        return base + log_det + total

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density in model space: (n, *shape) -> (n,) nats.

        Images: of the dequantised image, Jacobian of the logit included, −inf outside its cube.
        """
        return self._log_prob(self.ema.module, x)

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        """T⁻¹(z), z ~ N(0, I): (n, *shape); images clamped to [−1, 1]."""
        like = next(self.net.parameters())
        z = torch.randn(n, self.data.dim, generator=generator, device=like.device, dtype=like.dtype)
        y = self.ema.module().inv(z)
        x = (y if self.logit is None else self.logit.inverse(y)).unflatten(1, self.data.shape)
        return x.clamp(-1, 1) if self.data.kind == "image" else x

    def nfe(self, **sampling: Any) -> int:
        """Passes through each transform's network: one for every dimension, or one in all."""
        return self.data.dim if self.settings.autoregressive else 1

    def describe(self) -> dict[str, Any]:
        """Prior, loss and what kind of transform."""
        kind = "autoregressive" if self.settings.autoregressive else "coupling"
        maps = f"splines of {self.settings.bins} bins" if self.settings.bins else "affine maps"
        return {
            "latent_dim": self.data.dim,
            "prior": "N(0, I)",
            "loss": "negative log-likelihood",
            "transform": f"{kind}, {maps}",
        }


def _rate(progress: float) -> float:
    """Learning rate over its peak."""
    if progress < LR_WARMUP:
        return 0.05 + 0.95 * progress / LR_WARMUP
    return 0.5 * (1 + math.cos(math.pi * (progress - LR_WARMUP) / (1 - LR_WARMUP)))
