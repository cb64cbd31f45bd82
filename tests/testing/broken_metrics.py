"""A metric that keeps the whole contract, and such that break it in one way each.

gap = |E x − E y| + |std x − std y|, averaged over coordinates
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from benchbench.api import (
    Config,
    Evaluation,
    MetricSpec,
    NotAvailable,
    Score,
    ScoreSpec,
)


class Options(Config):
    n: int = Field(1000, ge=2, description="samples compared")


class Undescribed(Config):
    n: int = 1000


def count(evaluation: Evaluation, config: Any) -> int:
    n = min(config.n, len(evaluation.dataset.test))
    n = n if evaluation.available is None else min(n, evaluation.available)
    if n < 2:
        raise NotAvailable(f"2 samples needed, there are {n}")
    return n


def gap(x: Tensor, y: Tensor) -> float:
    x, y = x.flatten(1).double(), y.flatten(1).double()
    return float((x.mean(0) - y.mean(0)).abs().mean() + (x.std(0) - y.std(0)).abs().mean())


def compute(evaluation: Evaluation, config: Any) -> list[Score]:
    n = count(evaluation, config)
    value = gap(evaluation.samples(n), evaluation.reference(n))
    return [Score("gap", value, n=n, detail={"reference": f"test:{n}"})]


DECLARED = ScoreSpec("gap", "1", "min", summary="of moments", catches=("collapsed",))


def spec(compute: Callable[..., Any] = compute, **changes: Any) -> MetricSpec:
    """The spec of one of these metrics; `score` changes the declaration of `gap`."""
    score = replace(DECLARED, **changes.pop("score", {}))
    kinds: frozenset[Any] = frozenset({"points", "image", "signal"})
    given: dict[str, Any] = {"scores": (score,), "config": Options, **changes}
    return MetricSpec("gap", kinds, compute, **given)


def of_features(evaluation: Evaluation, config: Any) -> list[Score]:
    n = count(evaluation, config)
    x, y = evaluation.features("samples", n), evaluation.features("reference", n)
    return [Score("gap", gap(x, y), n=n)]


def of_the_model(evaluation: Evaluation, config: Any) -> list[Score]:
    z = torch.randn(64, evaluation.model.latent_dim, generator=evaluation.generator("z"))
    return [Score("gap", float(evaluation.model.decode(z).square().mean()))]


GOOD = [
    spec(),
    spec(of_features, features=True),
    spec(of_the_model, needs="model", scope="model", score={"catches": ()}),
]


def changed(**changes: Any) -> Callable[..., list[Score]]:
    """The same score with other fields."""
    return lambda evaluation, config: [replace(compute(evaluation, config)[0], **changes)]


def off_by(extra: Callable[[Evaluation], float]) -> Callable[..., list[Score]]:
    """The same score, and something on top."""

    def more(evaluation: Evaluation, config: Any) -> list[Score]:
        (score,) = compute(evaluation, config)
        assert score.value is not None
        return [replace(score, value=score.value + extra(evaluation))]

    return more


def fails(evaluation: Evaluation, config: Any) -> list[Score]:
    raise RuntimeError("no luck today")


def returns_a_number(evaluation: Evaluation, config: Any) -> float:
    return 1.0


def forgets_models(evaluation: Evaluation, config: Any) -> list[Score]:
    """Says so where there is no end of samples."""
    if evaluation.available is None:
        raise NotAvailable("how many samples are there?")
    return compute(evaluation, config)


def asks_the_model(evaluation: Evaluation, config: Any) -> list[Score]:
    evaluation.model.describe()
    return compute(evaluation, config)


def another_name(evaluation: Evaluation, config: Any) -> list[Score]:
    return [replace(compute(evaluation, config)[0], metric="gaps")]


def twice(evaluation: Evaluation, config: Any) -> list[Score]:
    return 2 * compute(evaluation, config)


def below_the_interval(evaluation: Evaluation, config: Any) -> list[Score]:
    (score,) = compute(evaluation, config)
    assert score.value is not None
    return [replace(score, ci_low=score.value + 1, ci_high=score.value + 2)]


def tensor_in_detail(evaluation: Evaluation, config: Any) -> list[Score]:
    n = count(evaluation, config)
    detail = {"mean": evaluation.samples(n).mean()}
    return [replace(compute(evaluation, config)[0], detail=detail)]


def unseeded(evaluation: Evaluation) -> float:
    generator = torch.Generator()
    generator.seed()
    return 1e-3 * float(torch.rand((), generator=generator))


def from_torch(evaluation: Evaluation) -> float:
    return 1e-9 * float(torch.rand(()))


def from_numpy(evaluation: Evaluation) -> float:
    return 1e-9 * float(np.random.rand())


def from_python(evaluation: Evaluation) -> float:
    return 1e-9 * random.random()


def centres_in_place(evaluation: Evaluation, config: Any) -> list[Score]:
    scores = compute(evaluation, config)
    evaluation.samples(count(evaluation, config)).sub_(0.5)
    return scores


def scales_the_data(evaluation: Evaluation, config: Any) -> list[Score]:
    scores = compute(evaluation, config)
    evaluation.dataset.train.labels.add_(1)  # type: ignore[union-attr]
    return scores


def pairs(evaluation: Evaluation) -> float:
    """Row i of the samples with row i of the test data."""
    n = count(evaluation, Options())
    x, y = evaluation.samples(n), evaluation.reference(n)
    return 0.01 * float((x - y).abs().mean())


def inverts(evaluation: Evaluation) -> float:
    """A covariance that few samples leave singular."""
    n = count(evaluation, Options())
    x = evaluation.samples(n).flatten(1).double()[:, :2]
    torch.linalg.cholesky((x - x.mean(0)).T @ (x - x.mean(0)))
    return 0.0


def spread_of_all_alike(evaluation: Evaluation) -> float:
    """0/0 where all samples are alike."""
    n = count(evaluation, Options())
    x = evaluation.samples(n).flatten(1).double()
    spread = (x - x[:1]).square().mean()
    return 0.0 * float(spread / spread)


BROKEN: list[tuple[str, MetricSpec, str]] = [
    ("option without a word", spec(config=Undescribed), "config_options"),
    ("no unit", spec(score={"unit": ""}), "scores"),
    ("no such direction", spec(score={"direction": "up"}), "scores"),
    ("no score", spec(scores=()), "scores"),
    ("a model and controls", spec(needs="model"), "scores"),
    ("raises", spec(fails), "compute"),
    ("a number", spec(returns_a_number), "compute"),
    ("forgets models", spec(forgets_models), "needs"),
    ("asks the model", spec(asks_the_model), "needs"),
    ("another name", spec(another_name), "names"),
    ("twice", spec(twice), "names"),
    ("a bound of its own", spec(changed(bound="upwards")), "names"),
    (
        "never computed",
        spec(scores=(DECLARED, ScoreSpec("more", "1", "none", summary="silent"))),
        "names",
    ),
    ("not finite", spec(changed(value=math.nan)), "values"),
    ("below its interval", spec(below_the_interval), "values"),
    ("skipped without a reason", spec(changed(value=None, status="skipped")), "values"),
    ("tensor in the detail", spec(tensor_in_detail), "detail"),
    ("features unsaid", spec(of_features), "features"),
    ("unseeded", spec(off_by(unseeded)), "deterministic"),
    ("from torch", spec(off_by(from_torch)), "global_state"),
    ("from numpy", spec(off_by(from_numpy)), "global_state"),
    ("from python", spec(off_by(from_python)), "global_state"),
    ("centres in place", spec(centres_in_place), "inputs"),
    ("scales the data", spec(scales_the_data), "inputs"),
    ("pairs", spec(off_by(pairs)), "order"),
    ("inverts", spec(off_by(inverts)), "few"),
    ("spread of all alike", spec(off_by(spread_of_all_alike)), "few"),
    ("other way round", spec(score={"direction": "max", "catches": ()}), "direction"),
    ("catches copies", spec(score={"catches": ("memoriser",)}), "catches"),
]
