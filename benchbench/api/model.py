"""The model contract: fit, sample, describe, and capabilities that are declared.

A capability named in the spec (`ModelSpec.capabilities`) promises its method below. The bench
asks the declaration; it never looks whether a method exists. Every tensor is in model space
(`benchbench.api.data`), float32, on the model's device, unless said otherwise.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchbench.api.config import Config
from benchbench.api.data import DataInfo
from benchbench.api.errors import PluginError
from benchbench.api.training import Training

__all__ = ["Model"]


class Model(nn.Module, abc.ABC):
    """Base class of a generative model.

    The constructor builds every submodule from config and data shape alone, and draws initial
    weights from torch's global generator, which the harness seeds around the call. All that
    `sample` needs after training is in `state_dict()`: parameters and buffers, nothing else.

    config: an instance of the spec's `config` class.
    data: kind, shape and size of the data.
    """

    built_in_fit: ClassVar[bool] = False
    """Whether submodules come into being in `fit` (function plugins); then a reload runs `fit`
    again over finished phases before the state is loaded."""

    def __init__(self, config: Config, data: DataInfo) -> None:
        super().__init__()
        self.config: Any = config
        self.data = data

    @abc.abstractmethod
    def fit(self, training: Training) -> None:
        """Train in place; every phase loops over `training.batches`."""

    @abc.abstractmethod
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        """Draw n examples: (n, *shape); images within [−1, 1].

        generator: on the model's device; the only source of randomness.
        sampling: the fields of the spec's `sampling` class; defaults where left out.
        Deterministic in (state, n, generator state, sampling); global random state untouched.
        """

    def describe(self) -> dict[str, Any]:
        """JSON-ready facts for the score detail.

        Keys the bench reads where present: `latent_dim` (int), `prior` (text), `loss` (text).
        """
        return {}

    def nfe(self, **sampling: Any) -> int:
        """Network evaluations that one sample costs under these sampling options; 1 unless told."""
        return 1

    # Capabilities. Each raises unless the class overrides it and its spec declares it.

    @property
    def latent_dim(self) -> int:
        """Capability `decode`: the dimension d of a latent vector."""
        raise self._undeclared("decode")

    def decode(self, z: Tensor) -> Tensor:
        """Capability `decode`: latents (n, d) to the mean of x given z, (n, *shape).

        Differentiable in z, in eval mode, row by row: no row depends on another.
        """
        raise self._undeclared("decode")

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Capability `encode`: (n, *shape) to mean and standard deviation of q(z | x), (n, d)."""
        raise self._undeclared("encode")

    # Capability `standard_prior`: the prior of `decode`'s latents is N(0, I). No method.

    def prior_log_prob(self, z: Tensor) -> Tensor:
        """Capability `prior_log_prob`: log p(z) of latents (n, d), (n,) nats; may be costly.

        Deterministic and without gradient. Raises NotAvailable where it can't be had exactly
        (no stochastic trace inside an exponential).
        """
        raise self._undeclared("prior_log_prob")

    def elbo(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """Capability `elbo`: a lower bound on log p(x) in model space, (n,) nats.

        Under the model's own observation noise, as trained. One draw of z for each example.
        """
        raise self._undeclared("elbo")

    def log_prob(self, x: Tensor) -> Tensor:
        """Capability `log_prob`: the exact log density of x in model space, (n,) nats."""
        raise self._undeclared("log_prob")

    def add_noise(self, z: Tensor, t: Tensor, *, generator: torch.Generator) -> Tensor:
        """Capability `denoise`: X = Z + sqrt(t)·ε, ε ~ N(0, I). z: (n, d), t: (n,) >= 0.

        The space of z is the one the diffusion runs in: `encode`'s, where that is declared.
        """
        raise self._undeclared("denoise")

    def denoise(self, x: Tensor, t: Tensor) -> Tensor:
        """Capability `denoise`: the network's estimate of Z given X at time t, (n, d)."""
        raise self._undeclared("denoise")

    def _undeclared(self, capability: str) -> PluginError:
        return PluginError(f"{type(self).__name__} has no capability {capability!r}")
