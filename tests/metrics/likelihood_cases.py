"""Decoders, priors and an Evaluation whose likelihoods are known, for the likelihood tests."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchbench.api.config import Config
from benchbench.api.data import DataInfo, Dataset, Split
from benchbench.api.errors import NotAvailable
from benchbench.api.evaluation import Evaluation
from benchbench.api.model import Model


class FakeEvaluation(Evaluation):
    """One model and one data set on the CPU; generators seeded by name."""

    def __init__(
        self,
        dataset: Dataset,
        model: Model | None,
        capabilities: set[str],
        samples: Tensor | None = None,
    ) -> None:
        self.dataset, self._model, self._samples = dataset, model, samples
        self.device, self.sampling = torch.device("cpu"), {}
        self.capabilities = frozenset(capabilities)  # type: ignore[arg-type]

    @property
    def model(self) -> Model:
        if self._model is None:
            raise NotAvailable("samples only")
        return self._model

    def samples(self, n: int) -> Tensor:
        if self._samples is None:
            raise NotAvailable("no samples")
        return self._samples[:n]

    def reference(self, n: int | None = None) -> Tensor:
        return self.dataset.to_model(self.dataset.test.raw[:n])

    def features(self, source: Any, n: int | None = None) -> Tensor:
        raise NotAvailable("no features")

    @property
    def extractor(self) -> Any:
        raise NotAvailable("no extractor")

    def extractor_detail(self) -> dict[str, Any]:
        return {}

    @property
    def reader(self) -> Any:
        raise NotAvailable("no reader")

    def reader_detail(self) -> dict[str, Any]:
        return {}

    def modes(self, source: Any, n: int) -> tuple[Tensor, Tensor]:
        raise NotAvailable("no modes")

    def generator(self, name: str, device: str = "cpu") -> torch.Generator:
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
        return torch.Generator(device).manual_seed(seed)

    def draw(self, n: int, *, generator: torch.Generator) -> Tensor:
        raise NotAvailable("no sampler")


class FakeModel(Model):
    """A model made of functions; what is left out is not declared."""

    def __init__(
        self,
        data: DataInfo,
        latent_dim: int,
        decode: Callable[[Tensor], Tensor],
        encode: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
        prior: Callable[[Tensor], Tensor] | None = None,
        exact: Callable[[Tensor], Tensor] | None = None,
        elbo: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    ) -> None:
        super().__init__(Config(), data)
        self._latent_dim, self._decode, self._encode = latent_dim, decode, encode
        self._prior, self._exact, self._elbo = prior, exact, elbo
        self.prior_calls = 0

    def fit(self, training: Any) -> None:
        raise NotImplementedError

    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        raise NotImplementedError

    @property
    def latent_dim(self) -> int:
        return self._latent_dim

    def decode(self, z: Tensor) -> Tensor:
        return self._decode(z).unflatten(1, self.data.shape)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        assert self._encode is not None
        return self._encode(x.flatten(1))

    def prior_log_prob(self, z: Tensor) -> Tensor:
        assert self._prior is not None and not z.requires_grad
        self.prior_calls += len(z)
        return self._prior(z)

    def log_prob(self, x: Tensor) -> Tensor:
        assert self._exact is not None
        return self._exact(x)

    def elbo(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        assert self._elbo is not None
        return self._elbo(x.flatten(1), generator)


def points(x: Tensor, *, held_out: int, std: float = 1.0) -> Dataset:
    """A data set of points x (n, d) float64 in model space; the last rows are held out."""
    raw = (x * std).float()
    train, validation, test = raw.split([len(raw) - 2 * held_out, held_out, held_out])
    d = x.shape[1]
    return Dataset(
        info=DataInfo("points", "points", (d,), n_train=len(train)),
        train=Split(train),
        validation=Split(validation),
        test=Split(test),
        digest="0",
        mean=torch.zeros(d),
        std=torch.full((d,), std),
    )


class LinearGaussian:
    """x = W z + b + N(0, σ² I), z ~ N(0, I): marginal N(b, W Wᵀ + σ² I)."""

    def __init__(self, d: int, dim: int, sigma: float = 0.25) -> None:
        self.d, self.dim, self.sigma = d, dim, sigma
        generator = torch.Generator().manual_seed(d)
        scale = 0.7 / math.sqrt(d)
        self.w = scale * torch.randn(dim, d, generator=generator, dtype=torch.float64)
        self.b = 0.1 * torch.randn(dim, generator=generator, dtype=torch.float64)
        self.generator = generator

    def decode(self, z: Tensor) -> Tensor:
        return z @ self.w.T.to(z.dtype) + self.b.to(z.dtype)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The exact mean and the standard deviations of p(z | x), as an encoder gives them."""
        w = self.w / self.sigma
        precision = w.T @ w + torch.eye(self.d, dtype=torch.float64)
        mean = torch.linalg.solve(precision, w.T @ (x.double() - self.b).T / self.sigma).T
        std = torch.linalg.inv(precision).diagonal().sqrt().expand_as(mean)
        return mean.to(x.dtype), std.to(x.dtype)

    def draw(self, n: int) -> Tensor:
        z = torch.randn(n, self.d, generator=self.generator, dtype=torch.float64)
        noise = torch.randn(n, self.dim, generator=self.generator, dtype=torch.float64)
        return self.decode(z) + self.sigma * noise

    def log_prob(self, x: Tensor, sigma: float | None = None) -> Tensor:
        variance = (self.sigma if sigma is None else sigma) ** 2
        covariance = self.w @ self.w.T + variance * torch.eye(self.dim, dtype=torch.float64)
        return torch.distributions.MultivariateNormal(self.b, covariance).log_prob(x.double())


def folded(z: Tensor) -> Tensor:
    """R² -> R²: four latents decode to most points that it reaches."""
    return torch.stack([z[:, 0] ** 2 - 1, (2.0 * z[:, 1]).sin() + 0.3 * z[:, 0].abs()], dim=1)


def integrated(
    decode: Callable[[Tensor], Tensor],
    log_prior: Callable[[Tensor], Tensor],
    x: Tensor,
    sigma: float,
    *,
    reach: float = 5.0,
    cells: int = 900,
) -> Tensor:
    """log p(x) by brute force over a grid of two latents: x (n, D) -> (n,)."""
    axis = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells * 2 * reach - reach
    cell = math.log(2 * reach / cells) * 2
    total = torch.full((len(x),), -math.inf, dtype=torch.float64)
    x = x.double()
    for row in axis.split(50):
        z = torch.cartesian_prod(row, axis)
        mean = decode(z)
        squared = x.square().sum(1, keepdim=True) + mean.square().sum(1) - 2 * x @ mean.T
        log_joint = log_prior(z) - squared / (2 * sigma**2)
        total = torch.logaddexp(total, log_joint.logsumexp(1))
    return total + cell - 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)


def standard_normal(z: Tensor) -> Tensor:
    """log N(z; 0, I)."""
    return -0.5 * z.square().sum(-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi)
