"""A model under check: built, trained for a few steps and sampled, under fixed random states.

Every call to the plugin runs under `settled`: the global generators of torch, numpy and `random`
are set to the same state before it and put back after it, so that a model that uses them is found
by the one check that looks at them, and every other check still says what it is about.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from benchbench.api import Budget, Capability, Config, Kind, ModelSpec, PluginError
from benchbench.api.data import Dataset
from benchbench.api.model import Model
from benchbench.registry import resolve
from benchbench.runner.training import CellTraining, fit_model
from benchbench.testing.cases import Case, case, cases_of
from benchbench.testing.outcomes import Breach, NotApplicable

__all__ = ["SMOKE_STEPS", "Subject", "WatchedTraining", "settled"]

SMOKE_STEPS = 24
"""Steps of the trainings whose result does not have to be good."""

_METHODS: dict[Capability, tuple[str, ...]] = {
    "decode": ("decode", "latent_dim"),
    "encode": ("encode",),
    "standard_prior": (),
    "prior_log_prob": ("prior_log_prob",),
    "elbo": ("elbo",),
    "log_prob": ("log_prob",),
    "denoise": ("add_noise", "denoise"),
}


@contextlib.contextmanager
def settled(seed: int = 0) -> Iterator[None]:
    """Global random states set to `seed` inside, and as they were afterwards."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)


class WatchedTraining(CellTraining):
    """A training that knows whether a batch is out."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.inside = False

    def batches(self, *args: Any, **options: Any) -> Iterator[Any]:
        for batch in super().batches(*args, **options):
            self.inside = True
            try:
                yield batch
            finally:
                self.inside = False


class Subject:
    """One model of a plugin.

    spec: as its plugin declares it. owner: who brought it. steps: of the training that has to be
    better than a Gaussian. config, sampling: options other than the defaults.
    """

    def __init__(
        self,
        spec: ModelSpec,
        owner: str = "",
        *,
        steps: int = 800,
        config: Config | None = None,
        sampling: Mapping[str, Any] | None = None,
    ) -> None:
        self.spec, self.owner, self.steps = spec, owner, steps
        self.config, self.sampling = config, dict(sampling or {})
        self._cases: dict[str, Case] = {}
        self._trained: dict[tuple[str, int], Model] = {}

    # --- what there is to check ----------------------------------------------------------------

    @property
    def cases(self) -> list[Case]:
        """One case for each data kind that the model serves."""
        return [self.case(name) for name in cases_of(self.spec.kinds)]

    def case(self, name: str) -> Case:
        """The case of this name, made once."""
        if name not in self._cases:
            self._cases[name] = case(name)
        return self._cases[name]

    def line(self, what: str) -> Case:
        """The one-dimensional case; raises NotApplicable where the model serves no points."""
        kind: Kind = "points"
        if kind not in self.spec.kinds:
            raise NotApplicable(f"{what} is integrated over points; the model serves none")
        return self.case("line")

    def overrides(self, capability: Capability) -> list[str]:
        """The methods of this capability that the model's class defines."""
        own = self.model_class
        names = _METHODS[capability]
        return [name for name in names if getattr(own, name) is not getattr(Model, name)]

    def missing(self, capability: Capability) -> list[str]:
        """The methods of this capability that the model's class lacks."""
        found = self.overrides(capability)
        return [name for name in _METHODS[capability] if name not in found]

    def can(self, *capabilities: Capability) -> bool:
        """Whether all of these are declared, and there."""
        return all(c in self.spec.capabilities and not self.missing(c) for c in capabilities)

    def need(self, *capabilities: Capability) -> None:
        """Raise NotApplicable unless the model has all of these capabilities."""
        for capability in capabilities:
            if not self.can(capability):
                raise NotApplicable(f"capability {capability!r} is not declared")

    @property
    def model_class(self) -> type[Model]:
        """The implementation; raises Breach where it is no Model."""
        found = resolve(self.spec.implementation, self.owner or self.spec.name)
        if not isinstance(found, type) or not issubclass(found, Model):
            raise Breach("the implementation is not a subclass of benchbench.api.Model")
        return found

    # --- building and training -----------------------------------------------------------------

    def build(self, dataset: Dataset, *, seed: int = 0) -> Model:
        """A fresh model with the subject's options; the seed is that of its initial weights."""
        try:
            config = self.config or self.spec.config()
        except ValidationError:
            raise NotApplicable("config has no valid defaults: see `config_options`") from None
        with settled(seed):
            return self.model_class(config, dataset.info)

    def training(
        self,
        dataset: Dataset,
        budget: str,
        *,
        device: str = "cpu",
        on_step: Callable[[], None] | None = None,
    ) -> WatchedTraining:
        """A training of the harness itself under a fixed seed."""
        return WatchedTraining(
            dataset, Budget.parse(budget), device=torch.device(device), seed=11, on_step=on_step
        )

    def fit(self, model: Model, training: CellTraining) -> Model:
        """Train, as the bench would."""
        with settled():
            return self.fit_bare(model, training)

    def fit_bare(self, model: Model, training: CellTraining) -> Model:
        """`fit` under the global random states as they are."""
        if "model" not in training.tracked:
            training.attach(model)
        fit_model(model, training)
        return model

    def trained(self, case: Case, steps: int = SMOKE_STEPS) -> Model:
        """The model after so many steps on this case: made once, in eval mode."""
        key = (case.name, steps)
        if key not in self._trained:
            training = self.training(case.dataset, f"{steps}step")
            self._trained[key] = self.fit(self.build(case.dataset), training)
        return self._trained[key]

    def sample(self, model: Model, n: int, *, seed: int = 1, **sampling: Any) -> Tensor:
        """n samples under a fresh generator of this seed."""
        device = next(iter(model.state_dict().values()), torch.empty(0)).device
        generator = torch.Generator(device).manual_seed(seed)
        with settled(), torch.no_grad():
            x = model.sample(n, generator=generator, **{**self.sampling, **sampling})
        if not isinstance(x, Tensor):
            raise PluginError(f"sample returned {type(x).__name__}, not a torch.Tensor")
        return x.detach()
