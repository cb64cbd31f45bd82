"""What a model says of itself, and the least that it must be able to do."""

from __future__ import annotations

import json

import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from benchbench.testing.outcomes import Breach, ensure
from benchbench.testing.subject import Subject

__all__ = ["beats_gaussian", "describe"]

DRAWS = 2000


def describe(subject: Subject) -> None:
    """describe() is JSON, and its latent_dim is the model's"""
    for case in subject.cases:
        model = subject.trained(case)
        facts = model.describe()
        ensure(isinstance(facts, dict), f"describe() returned a {type(facts).__name__}, no dict")
        try:
            json.dumps(facts, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise Breach(f"describe() is not JSON: {error}") from None
        ensure(
            all(isinstance(key, str) for key in facts),
            f"describe() has keys that are not text: {list(facts)}",
        )
        for key in ("prior", "loss"):
            ensure(
                isinstance(facts.get(key, ""), str),
                f"describe()[{key!r}] is {facts.get(key)!r}; it must be text",
            )
        if "latent_dim" in facts and subject.can("decode"):
            ensure(
                facts["latent_dim"] == model.latent_dim,
                f"{case.name}: describe() says latent_dim {facts['latent_dim']!r}, the model has "
                f"{model.latent_dim}",
            )


def beats_gaussian(subject: Subject) -> None:
    """on two modes it is nearer to held-out data than a Gaussian of the same moments

    Distance: Wasserstein-1 along the line through both modes. The first kind of data that the
    model serves, `subject.steps` steps.
    """
    case = subject.cases[0]
    dataset = case.dataset
    held_out = case.along_axis(case.held_out(len(dataset.test)))
    train = case.along_axis(dataset.to_model(dataset.train.raw))
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(DRAWS, generator=generator, dtype=torch.float64)
    gaussian = _distance(train.mean() + train.std() * noise, held_out)
    model = subject.trained(case, subject.steps)
    found = _distance(case.along_axis(subject.sample(model, DRAWS)), held_out)
    ensure(
        found < gaussian,
        f"{case.name}: after {subject.steps} steps the samples lie {found:.3g} from held-out data "
        f"(Wasserstein-1 across the modes), a moment-matched Gaussian {gaussian:.3g}",
    )


def _distance(a: Tensor, b: Tensor) -> float:
    return float(wasserstein_distance(a.numpy(), b.numpy()))
