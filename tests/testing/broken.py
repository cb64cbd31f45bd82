"""Models that break the contract in one way each, and the check that each must fail alone."""

from __future__ import annotations

import random
from typing import Annotated, Any

import numpy as np
import torch
from models import ALL, LATENT, Latent, Plain, Whole, spec
from pydantic import Field, PlainSerializer
from torch import Tensor

from benchbench.api import Config, ModelSpec


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
