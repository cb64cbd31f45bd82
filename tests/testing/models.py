"""Models that keep the whole contract, with more and more capabilities.

    x = μ + a·tanh(k z) + σ ε,   z ~ N(0, 1),   ε ~ N(0, I)

The latent is a number, so that log p(x) is a sum over a fine grid of z, and everything that a
model can declare is there in closed form.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from benchbench.api import CAPABILITIES, Config, Model, ModelSpec

SLOPE = 8.0
KNOTS = torch.linspace(-6, 6, 1201)
ALL = frozenset(CAPABILITIES)
LATENT = ALL - {"log_prob"}
PLAIN: frozenset[Any] = frozenset()
SIDE, SPREAD = 1.5, 0.4


class Options(Config):
    lr: float = Field(0.05, description="learning rate")


class Sampling(Config):
    temperature: float = Field(1.0, description="times the noise")


class Plain(Model):
    """fit and sample alone."""

    def __init__(self, config: Any, data: Any) -> None:
        super().__init__(config, data)
        self.mean = nn.Parameter(torch.zeros(data.dim))
        self.arm = nn.Parameter(0.5 * torch.randn(data.dim))
        self.log_sigma = nn.Parameter(torch.zeros(()))
        self.gate = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.gate.weight, SLOPE)
        self.gate.requires_grad_(False)

    def optimizer(self) -> torch.optim.Optimizer:
        chosen = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.Adam(chosen, lr=self.config.lr)

    def fit(self, training: Any) -> None:
        optimizer = self.optimizer()
        training.track(optimizer=optimizer)
        noise = training.generator("noise")
        for x in training.batches("train", batch_size=64):
            self.step(x + 0.01 * torch.randn(x.shape, generator=noise), optimizer)
            training.log(sigma=self.log_sigma)

    def step(self, x: Tensor, optimizer: torch.optim.Optimizer) -> None:
        sides = torch.stack([self.normal(x, s * self.arm) for s in (-1.0, 1.0)])
        loss = -sides.logsumexp(0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def normal(self, x: Tensor, shift: Tensor) -> Tensor:
        """log N(x; μ + shift, σ² I): (n, …) -> (n,)."""
        squared = (x.flatten(1) - self.mean - shift).square().sum(-1)
        variance = (2 * self.log_sigma).exp()
        return -squared / (2 * variance) - 0.5 * self.data.dim * (2 * math.pi * variance).log()

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        z = torch.randn(n, 1, generator=generator, device=generator.device)
        x = self.push(z)
        noise = torch.randn(x.shape, generator=generator, device=generator.device)
        x = x + temperature * self.log_sigma.exp() * noise
        return x.clamp(-1, 1) if self.data.kind == "image" else x

    def push(self, z: Tensor) -> Tensor:
        """(n, 1) -> (n, *shape)."""
        return (self.mean + self.gate(z).tanh() * self.arm).unflatten(1, self.data.shape)

    def describe(self) -> dict[str, Any]:
        return {"latent_dim": 1, "prior": "N(0, 1)", "loss": "maximum likelihood"}


class Latent(Plain):
    """Everything but an exact density."""

    @property
    def latent_dim(self) -> int:
        return 1

    def decode(self, z: Tensor) -> Tensor:
        return self.push(z)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        score = (x.flatten(1) - self.mean) @ self.arm / self.arm.square().sum()
        mean = SIDE * score.clamp(-1, 1).unsqueeze(1)
        return mean, torch.full_like(mean, SPREAD)

    def prior_log_prob(self, z: Tensor) -> Tensor:
        return (-0.5 * z.square() - 0.5 * math.log(2 * math.pi)).sum(1)

    def elbo(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        return self.reconstruction(x, generator) - self.kl(x)

    def reconstruction(self, x: Tensor, generator: torch.Generator) -> Tensor:
        mean, std = self.encode(x)
        z = mean + std * torch.randn(mean.shape, generator=generator)
        return self.normal(x, self.gate(z).tanh() * self.arm)

    def kl(self, x: Tensor) -> Tensor:
        mean, std = self.encode(x)
        return 0.5 * (mean.square() + std.square() - 2 * std.log() - 1).sum(1)

    def add_noise(self, z: Tensor, t: Tensor, *, generator: torch.Generator) -> Tensor:
        return z + t.sqrt()[:, None] * torch.randn(z.shape, generator=generator)

    def denoise(self, x: Tensor, t: Tensor) -> Tensor:
        return x / (1 + t)[:, None]


class Whole(Latent):
    """Every capability there is."""

    def log_prob(self, x: Tensor) -> Tensor:
        weight = (-0.5 * KNOTS.square()).log_softmax(0)
        shifts = (SLOPE * KNOTS).tanh()[:, None, None] * self.arm
        return (self.normal(x, shifts) + weight[:, None]).logsumexp(0)


_KINDS: frozenset[Any] = frozenset({"points", "image", "signal"})


def spec(model: type, capabilities: frozenset[Any] = PLAIN, **changes: Any) -> ModelSpec:
    """The spec of one of these models."""
    given = {"config": Options, "sampling": Sampling, **changes}
    name = model.__name__.lower()
    return ModelSpec(name, "test", _KINDS, model, capabilities=capabilities, **given)


GOOD = [spec(Plain), spec(Latent, LATENT), spec(Whole, ALL)]
