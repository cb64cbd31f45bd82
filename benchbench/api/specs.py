"""Specs: what a plugin says of its models, data sets and metrics, readable without torch.

A spec names its implementation by import path, `package.module:attribute`; the bench loads it
when it is used. A path that does not exist is an error of the plugin, reported with its owner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from benchbench.api.config import Config
from benchbench.api.names import option_text
from benchbench.api.score import ScoreSpec

__all__ = [
    "API_CHANGES",
    "API_VERSION",
    "CAPABILITIES",
    "KINDS",
    "Capability",
    "DatasetSpec",
    "ExtractorSpec",
    "Kind",
    "MetricSpec",
    "ModelSpec",
    "version_mismatch",
]

API_VERSION = 2

API_CHANGES: dict[int, str] = {
    1: "the first version",
    2: "a data set's load takes (spec, assets) and DatasetSpec.extractor is the name of an "
    "extractor, which the hook bench_extractors brings",
}
"""What each version asks of a plugin that was written for the one before it."""

Kind = Literal["points", "image", "signal"]
"""points: (n, d); image: (n, C, H, W); signal: (n, C, T)."""
KINDS: tuple[str, ...] = get_args(Kind)

Capability = Literal[
    "decode", "encode", "standard_prior", "prior_log_prob", "elbo", "log_prob", "denoise"
]
"""What a model can do beyond fit and sample; `benchbench.api.Model` documents each method."""
CAPABILITIES: tuple[str, ...] = get_args(Capability)


@dataclass(frozen=True)
class ModelSpec:
    """A model family member that can be trained and sampled.

    name: lower case, as typed after `--models`.
    family: the field's word (`latent diffusion`, `vae`, `gan`, …).
    kinds: the data kinds it serves.
    implementation: import path of a `benchbench.api.Model` subclass, or the class itself
        (a single-file plugin may hand over the class).
    config: its training options, every one with a default.
    sampling: its sampling options: each is a keyword argument of `Model.sample`. A row
        `name[key=value]` whose key is a sampling option is a variant of the trained model; a key
        of `config` makes another trained model. The two share no key.
    capabilities: what it can do beyond fit and sample, each with its method on the class.
    external: whether it was trained elsewhere: `fit` is never called, rows have the budget
        `external`, and the implementation may be a function `f(n, generator) -> Tensor` as well.
    argument: what stands after a colon in the name, in a word for people (`FOLDER`), or empty.
    instance: import path of a function `instance(spec, argument: str) -> ModelSpec`, needed with
        `argument`: the spec of one instance with its `source`, under its name
        `instance_name(spec.name, argument)`. It checks the argument, makes it canonical (a path
        absolute), raises UsageError, and loads no torch.
    source: of an instance: its argument, and a hash of what it names, part of every key. The
        implementation of an instance is called with (config, data, argument).
    shape: of one sample, where it is known before the model is loaded; None: that of the data.
    """

    name: str
    family: str
    kinds: frozenset[Kind]
    implementation: str | type
    config: type[Config] = Config
    sampling: type[Config] = Config
    capabilities: frozenset[Capability] = frozenset()
    external: bool = False
    argument: str = ""
    instance: str | Callable[..., Any] = ""
    source: tuple[str, str] | None = None
    shape: tuple[int, ...] | None = None
    summary: str = ""
    reference: str = ""
    api_version: int = API_VERSION

    @property
    def typed(self) -> str:
        """How the model is written after `--models`."""
        return self.name + (f":{self.argument}" if self.argument else "")


@dataclass(frozen=True)
class DatasetSpec:
    """A data set with fixed train, validation and test splits.

    shape: of one example, without the batch axis.
    implementation: import path of a function `load(spec, assets: Assets) -> Dataset`.
    extractor: name of the extractor that maps examples to the feature space in which FID,
        precision and recall are taken, and that reads the labels of `LabelModes`; empty: the
        coordinates themselves (points), or no such score (images without an extractor).
    samples: how many generated samples the mode-coverage protocol of this data set scores.
    where: import path of a function `where(spec, assets) -> Path | None` that says without torch
        where the data lie on this machine (None: not here); empty: they come with the bench.
    argument: what stands after a colon in the name, in a word for people (`PATH`); empty: nothing.
    options: what may follow, as in `name:ARGUMENT?key=value&key=value`.
    instance: import path of a function `instance(spec, argument: str, options) -> DatasetSpec`,
        needed with `argument`: the spec of one instance, with its own shape, its name
        `instance_name(spec, argument, options)` (`benchbench.api.names`). It checks the argument,
        makes it canonical (a path absolute), raises UsageError, and loads no torch.
    source: of an instance: its argument and options, as `instance` left them.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    implementation: str | Callable[..., Any]
    extractor: str = ""
    samples: int = 10_000
    where: str | Callable[..., Any] = ""
    argument: str = ""
    options: type[Config] = Config
    instance: str | Callable[..., Any] = ""
    source: tuple[str, Config] | None = None
    summary: str = ""
    reference: str = ""
    api_version: int = API_VERSION

    @property
    def typed(self) -> str:
        """How the data set is written after `--datasets`."""
        keys = "&".join(
            f"{k}={option_text(f.default)}" for k, f in self.options.model_fields.items()
        )
        argument = f":{self.argument}" if self.argument else ""
        return self.name + argument + (f"[?{keys}]" if keys else "")


@dataclass(frozen=True)
class ExtractorSpec:
    """A fixed feature map of examples, and a reader of labels where it has one.

    implementation: import path of a function `load(assets: Assets) -> Extractor`; it raises
        UsageError where weights are missing and can't or may not be downloaded.
    """

    name: str
    kinds: frozenset[Kind]
    implementation: str | Callable[..., Any]
    summary: str = ""
    reference: str = ""
    api_version: int = API_VERSION


@dataclass(frozen=True)
class MetricSpec:
    """A group of scores that are computed together.

    implementation: import path of a function `compute(evaluation, config) -> list[Score]`.
    scope: `variant`: once for each way of sampling a trained model; `model`: once a trained model.
    needs: `samples` (works on samples alone, so also on held-out data and on samples from
        elsewhere) or `model` (asks the trained model itself).
    features: whether it asks for `Evaluation.features`, so that an extractor has to be there.
    """

    name: str
    kinds: frozenset[Kind]
    implementation: str | Callable[..., Any]
    scores: tuple[ScoreSpec, ...]
    scope: Literal["variant", "model"] = "variant"
    needs: Literal["samples", "model"] = "samples"
    features: bool = False
    config: type[Config] = field(default=Config)
    summary: str = ""
    reference: str = ""
    api_version: int = API_VERSION

    @property
    def of_samples(self) -> bool:
        """Whether it is taken of any set of samples, a snapshot's or a control's among them."""
        return self.scope == "variant" and self.needs == "samples"


def version_mismatch(version: int) -> str:
    """Why a plugin of this API version is refused: what changed since, or what to install."""
    text = f"is written for API version {version}; this bench has version {API_VERSION}"
    if version > API_VERSION:
        return f"{text}: install a newer benchbench"
    changes = "; ".join(
        f"version {v}: {API_CHANGES[v]}" for v in sorted(API_CHANGES) if v > version
    )
    return f"{text}. What changed: {changes}. Adapt it, then set api_version={API_VERSION}"
