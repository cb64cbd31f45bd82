"""A model that keeps the whole contract, and models that break it in one way each.

    x = μ + a·tanh(k z) + σ ε,   z ~ N(0, 1),   ε ~ N(0, I)

The latent is a number, so that log p(x) is a sum over a fine grid of z, and everything that a
model can declare is there in closed form.
"""

from __future__ import annotations

import math
import random
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field, PlainSerializer
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


class Undescribed(Config):
    lr: float = 0.05


class NoDefault(Config):
    lr: float = Field(description="learning rate")


class Rounded(Config):
    """What JSON keeps of it is another number."""

    lr: Annotated[float, PlainSerializer(round)] = Field(0.05, description="learning rate")


class HotterByDefault(Config):
    temperature: float = Field(2.0, description="times the noise")


class Hidden(Plain):
    def prior_log_prob(self, z: Tensor) -> Tensor:
        return z.sum(1)


class NeverTrains(Plain):
    def fit(self, training: Any) -> None:
        raise RuntimeError("no luck today")


class TrainsOn(Plain):
    """Goes on after the loop with the last batch."""

    def fit(self, training: Any) -> None:
        optimizer = self.optimizer()
        training.track(optimizer=optimizer)
        for x in training.batches("train", batch_size=64):
            self.step(x, optimizer)
        for _ in range(5):
            self.step(x, optimizer)


class OwnSeeds(Plain):
    """Noise of training from a generator that nobody seeded."""

    def fit(self, training: Any) -> None:
        optimizer = self.optimizer()
        training.track(optimizer=optimizer)
        noise = torch.Generator()
        noise.seed()
        for x in training.batches("train", batch_size=64):
            self.step(x + 0.01 * torch.randn(x.shape, generator=noise), optimizer)


class Untracked(Plain):
    def fit(self, training: Any) -> None:
        optimizer = self.optimizer()
        for x in training.batches("train", batch_size=64):
            self.step(x, optimizer)


class DoublePrecision(Plain):
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        return super().sample(n, generator=generator, **sampling).double()


class NeedsCompany(Plain):
    """Normalises its noise over the batch: one sample has no spread."""

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        x = self.push(torch.randn(n, 1, generator=generator))
        noise = torch.randn(x.shape, generator=generator)
        x = x + temperature * self.log_sigma.exp() * noise / noise.std(0)
        return x.clamp(-1, 1) if self.data.kind == "image" else x


class Wanders(Plain):
    """Every call differs from the one before."""

    calls = 0

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        self.calls += 1
        return super().sample(n, generator=generator, **sampling) * 0.99**self.calls


class DrawsFromTorch(Plain):
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        x = super().sample(n, generator=generator, **sampling)
        return (x + 1e-3 * torch.rand(x.shape)).clamp(-1, 1) if self.data.kind == "image" else x


class DrawsFromNumpy(Plain):
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        np.random.rand(n)
        return super().sample(n, generator=generator, **sampling)


class DrawsFromPython(Plain):
    def fit(self, training: Any) -> None:
        random.random()
        super().fit(training)


class LeavesBehind(Plain):
    """What it learned last is an attribute."""

    scale = 1.0

    def fit(self, training: Any) -> None:
        super().fit(training)
        self.scale = 0.9

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        return self.scale * super().sample(n, generator=generator, **sampling)


class CountsOnce(Plain):
    """Four passes, said to be one."""

    def push(self, z: Tensor) -> Tensor:
        for _ in range(3):
            self.gate(z)
        return super().push(z)


class Misdescribes(Latent):
    def describe(self) -> dict[str, Any]:
        return {"latent_dim": 2}


class NotJsonFacts(Plain):
    def describe(self) -> dict[str, Any]:
        return {"sigma": self.log_sigma.exp()}


class EncodesLogarithms(Latent):
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = super().encode(x)
        return mean, std.log()

    def elbo(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        return torch.full((len(x),), -1e3) + 0 * torch.randn(len(x), generator=generator)


class DecodesTogether(Latent):
    def decode(self, z: Tensor) -> Tensor:
        return self.push(z) + 0.1 * z.mean()


class DecodesWithoutGradient(Latent):
    def decode(self, z: Tensor) -> Tensor:
        return self.push(z.detach()).detach()


class OtherPrior(Latent):
    """Samples from N(0.3, 1), says N(0, 1)."""

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        x = self.push(0.3 + torch.randn(n, 1, generator=generator))
        x = x + temperature * self.log_sigma.exp() * torch.randn(x.shape, generator=generator)
        return x.clamp(-1, 1) if self.data.kind == "image" else x


class UnnormalisedPrior(Latent):
    def prior_log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * z.square().sum(1)


class NoisesByVariance(Latent):
    def add_noise(self, z: Tensor, t: Tensor, *, generator: torch.Generator) -> Tensor:
        return z + t[:, None] * torch.randn(z.shape, generator=generator)


class DensityTogether(Whole):
    def log_prob(self, x: Tensor) -> Tensor:
        first = x.flatten(1)[:, 0]
        apart = 0.1 * (first - first.mean()).tanh() if len(x) < 99 else 0.0
        return super().log_prob(x) + apart


class BoundAsDensity(Whole):
    """A bound that is called exact: what a VAE would do."""

    def log_prob(self, x: Tensor) -> Tensor:
        return super().log_prob(x) - self.kl(x)

    def elbo(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        return super().elbo(x, generator=generator) - 2 * self.kl(x)


class OtherDensity(Whole):
    """Samples are cooler than the density says."""

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        return 0.8 * super().sample(n, generator=generator, **sampling)


class ForgetsKl(Latent):
    """No bound: the reconstruction alone."""

    def elbo(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        return self.reconstruction(x, generator)


class ForgetsKlBesideDensity(Whole, ForgetsKl):
    pass


class OneMode(Plain):
    def push(self, z: Tensor) -> Tensor:
        return super().push(z.abs())


class OnTheProcessor(Plain):
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        return super().sample(n, generator=generator, **sampling).cpu()


_KINDS: frozenset[Any] = frozenset({"points", "image", "signal"})


def spec(model: type, capabilities: frozenset[Any] = PLAIN, **changes: Any) -> ModelSpec:
    """The spec of one of these models."""
    given = {"config": Options, "sampling": Sampling, **changes}
    name = model.__name__.lower()
    return ModelSpec(name, "test", _KINDS, model, capabilities=capabilities, **given)


GOOD = [spec(Plain), spec(Latent, LATENT), spec(Whole, ALL)]

BROKEN: list[tuple[ModelSpec, str]] = [
    (spec(Plain, config=Undescribed), "config_options"),
    (spec(Plain, config=NoDefault), "config_options"),
    (spec(Plain, config=Rounded), "config_options"),
    (spec(Hidden), "capabilities"),
    (spec(Plain, frozenset({"log_prob"})), "capabilities"),
    (spec(NeverTrains), "fit"),
    (spec(TrainsOn), "budget"),
    (spec(OwnSeeds), "reproducible"),
    (spec(Untracked), "resume"),
    (spec(DoublePrecision), "samples"),
    (spec(NeedsCompany), "sizes"),
    (spec(Wanders), "deterministic"),
    (spec(DrawsFromTorch), "global_state"),
    (spec(DrawsFromNumpy), "global_state"),
    (spec(DrawsFromPython), "global_state"),
    (spec(Plain, sampling=HotterByDefault), "sampling_options"),
    (spec(LeavesBehind), "checkpoint"),
    (spec(CountsOnce), "nfe"),
    (spec(Misdescribes, LATENT), "describe"),
    (spec(NotJsonFacts), "describe"),
    (spec(EncodesLogarithms, LATENT), "encode"),
    (spec(DecodesTogether, LATENT), "decode"),
    (spec(DecodesWithoutGradient, LATENT), "decode"),
    (spec(OtherPrior, LATENT), "standard_prior"),
    (spec(UnnormalisedPrior, LATENT), "prior_density"),
    (spec(NoisesByVariance, LATENT), "denoise"),
    (spec(DensityTogether, ALL), "log_prob"),
    (spec(BoundAsDensity, ALL), "density_total"),
    (spec(OtherDensity, ALL), "density_of_samples"),
    (spec(ForgetsKl, LATENT), "elbo"),
    (spec(ForgetsKlBesideDensity, ALL), "elbo"),
    (spec(OneMode), "beats_gaussian"),
]
