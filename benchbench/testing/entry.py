"""The kit's ways in: for models, data sets, metrics and extractors alike a kit, a list of outcomes,
or a pytest parametrisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchbench.api import (
    Assets,
    DatasetSpec,
    ExtractorSpec,
    MetricSpec,
    ModelSpec,
    UsageError,
    unknown,
)
from benchbench.api.config import describe_invalid
from benchbench.registry import Registry
from benchbench.runner.selection import read_options, select_models
from benchbench.testing.checks import (
    DATASET_CHECKS,
    EXTRACTOR_CHECKS,
    METRIC_CHECKS,
    MODEL_CHECKS,
)
from benchbench.testing.dataset_subject import SECONDS, DatasetSubject
from benchbench.testing.extractor_subject import ExtractorSubject
from benchbench.testing.kit import Kit
from benchbench.testing.metric_subject import MetricSubject
from benchbench.testing.outcomes import Breach, Outcome
from benchbench.testing.subject import Subject

__all__ = [
    "STEPS",
    "check_dataset",
    "check_extractor",
    "check_metric",
    "check_model",
    "dataset_checks",
    "dataset_kit",
    "extractor_checks",
    "extractor_kit",
    "metric_checks",
    "metric_kit",
    "model_checks",
    "model_kit",
]

STEPS = 800
"""A GAN circles before it settles: after 400 steps one of three had both modes in one place."""
Expected = Mapping[str, str] | None


def model_kit(
    model: ModelSpec | str,
    *,
    plugin: Path | str | None = None,
    steps: int = STEPS,
    expected_failures: Expected = None,
) -> Kit:
    """The checks of one model, not yet run.

    model: a spec, or the name of a model that is installed or in the file `plugin`, with options
        where others than the defaults are checked: `name[key=value]`.
    steps: of the one training that has to be better than a Gaussian.
    expected_failures: by check, the reason why its failure is known and accepted.
    """
    if isinstance(model, ModelSpec):
        subject = Subject(model, steps=steps)
    else:
        (run,) = select_models([model], {}, _registry(plugin))
        spec, given = run.entry.spec, read_options(model)[1]
        if spec.external:
            raise UsageError(
                f"{model!r} was trained elsewhere; only models that train can be checked"
            )
        sampling = {k: v for k, v in run.variants[0].sampling.items() if k in given}
        subject = Subject(spec, run.entry.owner, steps=steps, config=run.config, sampling=sampling)
    return Kit(MODEL_CHECKS, subject, expected_failures)


def dataset_kit(
    dataset: DatasetSpec | str,
    *,
    plugin: Path | str | None = None,
    assets: Assets | None = None,
    seconds: float = SECONDS,
    expected_failures: Expected = None,
) -> Kit:
    """The checks of one data set, not yet run.

    dataset: a spec, or a name as after `--datasets`, of one that is installed or in `plugin`.
    assets: where its files are, and whether they may be downloaded; left out: `$BENCH_DATA`, no.
    seconds: how long it may take to load.
    """
    registry = _registry(plugin)
    if isinstance(dataset, DatasetSpec):
        spec, owner = dataset, ""
    else:
        entry = registry.dataset(dataset)
        spec, owner = entry.spec, entry.owner
    given = assets or Assets.of_user()
    subject = DatasetSubject(spec, owner, registry=registry, assets=given, seconds=seconds)
    return Kit(DATASET_CHECKS, subject, expected_failures)


def metric_kit(
    metric: MetricSpec | str,
    *,
    plugin: Path | str | None = None,
    options: Mapping[str, Any] | None = None,
    expected_failures: Expected = None,
) -> Kit:
    """The checks of one metric, not yet run.

    metric: a spec, or the name of a metric or of one of its scores, installed or in `plugin`, with
        options where others than the defaults are checked: `name[key=value]`.
    options: the same for values that can't be typed in brackets.
    """
    given: dict[str, Any] = {}
    if isinstance(metric, MetricSpec):
        spec, owner = metric, ""
    else:
        name, given = read_options(metric)
        entry = _registry(plugin).metric(name)
        spec, owner = entry.spec, entry.owner
    given |= options or {}
    for key in given:
        if key not in spec.config.model_fields:
            raise unknown(f"option of metric {spec.name!r}:", key, spec.config.model_fields)
    try:
        config = spec.config.model_validate(given) if given else None
    except ValidationError as error:
        message = describe_invalid(error, spec.config, prefix=f"{spec.name}.")
        raise UsageError(message) from None
    return Kit(METRIC_CHECKS, MetricSubject(spec, owner, config=config), expected_failures)


def extractor_kit(
    extractor: ExtractorSpec | str,
    *,
    plugin: Path | str | None = None,
    assets: Assets | None = None,
    expected_failures: Expected = None,
) -> Kit:
    """The checks of one extractor, not yet run.

    extractor: a spec, or a name as after `--extractor`, of one that is installed or in `plugin`.
    assets: where its weights are, and whether they may be downloaded; left out: `$BENCH_DATA`, no.
    """
    if isinstance(extractor, ExtractorSpec):
        spec, owner = extractor, ""
    else:
        entry = _registry(plugin).extractor(extractor)
        spec, owner = entry.spec, entry.owner
    subject = ExtractorSubject(spec, owner, assets=assets or Assets.of_user())
    return Kit(EXTRACTOR_CHECKS, subject, expected_failures)


def check_model(
    model: ModelSpec | str, *, only: Iterable[str] = (), **options: Any
) -> list[Outcome]:
    """Run the checks, or `only` those named, and say how each ended; options of `model_kit`."""
    return list(model_kit(model, **options).outcomes(only))


def check_dataset(
    dataset: DatasetSpec | str, *, only: Iterable[str] = (), **options: Any
) -> list[Outcome]:
    """Run the checks, or `only` those named, and say how each ended; options of `dataset_kit`."""
    return list(dataset_kit(dataset, **options).outcomes(only))


def check_metric(
    metric: MetricSpec | str, *, only: Iterable[str] = (), **options: Any
) -> list[Outcome]:
    """Run the checks, or `only` those named, and say how each ended; options of `metric_kit`."""
    return list(metric_kit(metric, **options).outcomes(only))


def check_extractor(
    extractor: ExtractorSpec | str, *, only: Iterable[str] = (), **options: Any
) -> list[Outcome]:
    """Run the checks, or `only` those named, and say how each ended; options of `extractor_kit`."""
    return list(extractor_kit(extractor, **options).outcomes(only))


def model_checks(
    model: ModelSpec | str, *, expected_failures: Expected = None, **options: Any
) -> list[Any]:
    """One `pytest.param` a check, each a callable without arguments; options of `model_kit`.

    What is trained is shared by the checks. A check that does not apply skips with its reason; an
    expected failure is marked `xfail` with its reason, strictly: it fails once it passes.
    """
    return _parameters(model_kit(model, **options), expected_failures)


def dataset_checks(
    dataset: DatasetSpec | str, *, expected_failures: Expected = None, **options: Any
) -> list[Any]:
    """The same of a data set, loaded once for all checks; options of `dataset_kit`.

    Where its files are not here, all but `declared` skip with the reason.
    """
    return _parameters(dataset_kit(dataset, **options), expected_failures)


def metric_checks(
    metric: MetricSpec | str, *, expected_failures: Expected = None, **options: Any
) -> list[Any]:
    """The same of a metric; options of `metric_kit`."""
    return _parameters(metric_kit(metric, **options), expected_failures)


def extractor_checks(
    extractor: ExtractorSpec | str, *, expected_failures: Expected = None, **options: Any
) -> list[Any]:
    """The same of an extractor; options of `extractor_kit`."""
    return _parameters(extractor_kit(extractor, **options), expected_failures)


def _registry(plugin: Path | str | None) -> Registry:
    return Registry.load([plugin] if plugin else [])


def _parameters(kit: Kit, expected_failures: Expected) -> list[Any]:
    import pytest

    for name in expected_failures or {}:
        kit.check(name)
    marks = {
        name: [pytest.mark.xfail(reason=reason, raises=Breach, strict=True)]
        for name, reason in (expected_failures or {}).items()
    }
    return [
        pytest.param(partial(_assert, kit, name), id=name, marks=marks.get(name, []))
        for name in kit.checks
    ]


def _assert(kit: Kit, name: str) -> None:
    import pytest

    outcome = kit.outcome(name)
    if outcome.status == "skipped":
        pytest.skip(outcome.reason)
    if outcome.status == "failed":
        raise Breach(outcome.reason)
