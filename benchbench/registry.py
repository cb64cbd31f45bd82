"""Finds plugins, checks what they declare, and answers by name.

Each entry point of the group `benchbench` and each `--plugin FILE` is loaded in a try of its own:
one that fails is listed with its error and hurts nobody else. There is no global registry.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pluggy
from pydantic import ValidationError

from benchbench.api import (
    API_VERSION,
    CAPABILITIES,
    CONTROLS,
    KINDS,
    Assets,
    DatasetSpec,
    ExtractorSpec,
    MetricSpec,
    ModelSpec,
    PluginError,
    ScoreSpec,
    UsageError,
    hooks,
    unknown,
)
from benchbench.api.callables import callable_spec
from benchbench.api.config import describe_invalid
from benchbench.api.errors import describe
from benchbench.api.names import check_name
from benchbench.api.specs import version_mismatch

if TYPE_CHECKING:
    from benchbench.api import Dataset, Extractor

__all__ = ["Entry", "Failure", "Registry", "resolve"]

RESERVED = ("real", "control")
"""Rows of a result that are no model: held-out real data, and the controls."""
Spec = TypeVar("Spec", ModelSpec, DatasetSpec, ExtractorSpec, MetricSpec)
AnySpec = ModelSpec | DatasetSpec | ExtractorSpec | MetricSpec


@dataclass(frozen=True)
class Entry(Generic[Spec]):
    """A spec and who brought it: the distribution (or file) and its version."""

    spec: Spec
    owner: str
    version: str


@dataclass(frozen=True)
class Failure:
    """A plugin that could not be loaded: its entry point or file, and why, in one line."""

    plugin: str
    owner: str
    error: str


@dataclass
class Registry:
    """Models, data sets, extractors and metrics by name, and the plugins that failed."""

    models: dict[str, Entry[ModelSpec]] = field(default_factory=dict)
    datasets: dict[str, Entry[DatasetSpec]] = field(default_factory=dict)
    extractors: dict[str, Entry[ExtractorSpec]] = field(default_factory=dict)
    metrics: dict[str, Entry[MetricSpec]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @classmethod
    def load(cls, files: Iterable[Path | str] = ()) -> Registry:
        """Every installed plugin, then every file.

        A broken entry point becomes a `Failure`; a broken file that the user named is a
        UsageError or PluginError. Raises PluginError where two plugins claim one name.
        """
        registry = cls()
        points = importlib.metadata.entry_points(group=hooks.GROUP)
        for point in sorted(points, key=lambda p: (p.name, p.value)):
            dist = point.dist
            owner = dist.name if dist else point.value
            try:
                module = point.load()
                found = _specs_of(module, point.name)
            except (Exception, SystemExit) as error:
                registry.failures.append(Failure(point.name, owner, describe(error)))
                continue
            registry._add(found, owner, dist.version if dist else "")
        for file in files:
            if not Path(file).is_file():
                raise UsageError(f"plugin file {str(file)!r} does not exist; give a Python file")
            path = Path(file).resolve()
            registry._add(_specs_of_file(path), str(file), "file")
            registry.files.append(path)
        return registry

    def model(self, name: str) -> Entry[ModelSpec]:
        """The model of this name, the instance that `name:ARGUMENT` asks for, or a function.

        A name with a colon after no model's name is the import path of a Python function. Raises
        UsageError with the nearest name.
        """
        head, colon, argument = name.partition(":")
        if colon and head not in self.models:
            return Entry(callable_spec(name, self.models), head, "")
        entry = self._get("model", self.models, head)
        return entry if not colon and not entry.spec.argument else _model_instance(entry, argument)

    def dataset(self, name: str) -> Entry[DatasetSpec]:
        """The data set of this name, or the instance that `name:ARGUMENT?key=value&…` asks for.

        The name of an instance's spec asks for that instance again. Raises UsageError with the
        nearest name or option.
        """
        head, colon, rest = name.partition(":")
        entry = self._get("data set", self.datasets, head)
        if not colon and not entry.spec.argument:
            return entry
        return _instance(entry, name, rest)

    def extractor(self, name: str) -> Entry[ExtractorSpec]:
        """The extractor of this name; raises UsageError with the nearest name."""
        return self._get("extractor", self.extractors, name)

    def where(self, name: str, assets: Assets) -> str:
        """Where a data set's files lie on this machine, in words; loads no torch."""
        entry = self._get("data set", self.datasets, name)
        if entry.spec.argument:
            return f"your {entry.spec.argument}"
        if not entry.spec.where:
            return "built in"
        found = resolve(entry.spec.where, entry.owner)(entry.spec, assets)
        return str(found) if found else "not here"

    def load_dataset(self, name: str, assets: Assets) -> Dataset:
        """The data set itself; raises UsageError where its files can't be had."""
        entry = self.dataset(name)
        return resolve(entry.spec.implementation, entry.owner)(entry.spec, assets)

    def load_extractor(self, name: str, assets: Assets) -> Extractor:
        """The extractor itself; raises UsageError where its weights can't be had."""
        entry = self.extractor(name)
        return resolve(entry.spec.implementation, entry.owner)(assets)

    def metric(self, name: str) -> Entry[MetricSpec]:
        """The metric group of this name, or the group that emits a score of this name."""
        for entry in self.metrics.values():
            if any(score.name == name for score in entry.spec.scores):
                return self.metrics.get(name, entry)
        scores = [s.name for e in self.metrics.values() for s in e.spec.scores]
        if name not in self.metrics:
            raise self._unknown("metric", name, [*self.metrics, *scores])
        return self.metrics[name]

    def score_specs(self) -> dict[str, ScoreSpec]:
        """Every score that a metric declares, by name, in registry order."""
        return {s.name: s for entry in self.metrics.values() for s in entry.spec.scores}

    def _get(self, what: str, table: Mapping[str, Entry[Spec]], name: str) -> Entry[Spec]:
        if name not in table:
            raise self._unknown(what, name, table)
        return table[name]

    def _unknown(self, what: str, name: str, allowed: Iterable[str]) -> UsageError:
        broken = ", ".join(failure.plugin for failure in self.failures)
        hint = f"Plugins that failed to load: {broken} (see `bench list plugins`)" if broken else ""
        return unknown(what, name, allowed, hint)

    def _add(self, specs: list[AnySpec], owner: str, ver: str) -> None:
        for spec in specs:
            if isinstance(spec, ModelSpec):
                _claim(self.models, Entry(spec, owner, ver), "model")
            elif isinstance(spec, DatasetSpec):
                _claim(self.datasets, Entry(spec, owner, ver), "data set")
            elif isinstance(spec, ExtractorSpec):
                _claim(self.extractors, Entry(spec, owner, ver), "extractor")
            else:
                self._claim_scores(spec, owner)
                _claim(self.metrics, Entry(spec, owner, ver), "metric")

    def _claim_scores(self, spec: MetricSpec, owner: str) -> None:
        for entry in self.metrics.values():
            for score in entry.spec.scores:
                if score.name in {s.name for s in spec.scores}:
                    raise PluginError(
                        f"score {score.name!r} is claimed by two metrics: {entry.spec.name!r} of "
                        f"{entry.owner} and {spec.name!r} of {owner}; rename one"
                    )


def resolve(path: str | Any, owner: str) -> Any:
    """The object behind an import path `package.module:attribute` (objects pass through).

    Raises PluginError naming the owner where it can't be imported.
    """
    if not isinstance(path, str):
        return path
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{owner}: {path!r} can't be loaded: {describe(error)}") from error


def _instance(entry: Entry[DatasetSpec], name: str, rest: str) -> Entry[DatasetSpec]:
    """The entry of one instance. Options follow the last `?`, which may have nothing after it."""
    spec = entry.spec
    if not spec.argument:
        raise UsageError(f"data set {name!r}: {spec.name} takes nothing after a colon")
    argument, _, query = rest.rpartition("?") if "?" in rest else (rest, "", "")
    if not argument:
        raise UsageError(f"data set {name!r} lacks its {spec.argument}; write {spec.typed}")
    given: dict[str, str] = {}
    for part in query.split("&") if query else ():
        key, equals, value = part.partition("=")
        if not equals or not key or key in given:
            raise UsageError(
                f"option {part!r} of data set {name!r} is not a new key=value; write {spec.typed}"
            )
        given[key] = value
    try:
        options = spec.options.model_validate(given)
    except ValidationError as error:
        message = describe_invalid(error, spec.options)
        raise UsageError(f"data set {name!r}: {message}") from None
    return replace(entry, spec=resolve(spec.instance, entry.owner)(spec, argument, options))


def _model_instance(entry: Entry[ModelSpec], argument: str) -> Entry[ModelSpec]:
    spec = entry.spec
    if not spec.argument:
        raise UsageError(f"model {spec.name!r} takes nothing after a colon; got {argument!r}")
    if not argument:
        raise UsageError(f"model {spec.name!r} lacks its {spec.argument}; write {spec.typed}")
    return replace(entry, spec=resolve(spec.instance, entry.owner)(spec, argument))


def _claim(table: dict[str, Entry[Spec]], entry: Entry[Spec], what: str) -> None:
    name = entry.spec.name
    if name in table:
        raise PluginError(
            f"{what} {name!r} is claimed by two plugins: {table[name].owner} and {entry.owner}; "
            "rename one or leave one out"
        )
    table[name] = entry


def _specs_of(module: ModuleType, plugin: str) -> list[AnySpec]:
    """The checked specs of one plugin, through a pluggy manager of its own."""
    manager = pluggy.PluginManager(hooks.GROUP)
    manager.add_hookspecs(hooks)
    manager.register(module, plugin)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{describe(error)}; the hooks are {', '.join(_HOOKS)}") from error
    specs: list[Any] = []
    for hook, kind in _HOOKS.items():
        for answer in getattr(manager.hook, hook)():
            for spec in answer:
                if not isinstance(spec, kind):
                    raise PluginError(
                        f"{hook} of {plugin!r} returned a {type(spec).__name__}; it must return "
                        f"a list of {kind.__name__}"
                    )
                _check_spec(spec, plugin)
                specs.append(spec)
    return specs


_HOOKS: dict[str, Any] = {
    "bench_models": ModelSpec,
    "bench_datasets": DatasetSpec,
    "bench_extractors": ExtractorSpec,
    "bench_metrics": MetricSpec,
}


def _check_spec(spec: AnySpec, plugin: str) -> None:
    if spec.api_version != API_VERSION:
        raise PluginError(f"{spec.name!r} of {plugin!r} {version_mismatch(spec.api_version)}")
    check_name(spec.name, f"a name in plugin {plugin!r}")
    kinds = {spec.kind} if isinstance(spec, DatasetSpec) else set(spec.kinds)
    for kind in kinds - set(KINDS):
        raise PluginError(str(unknown(f"data kind of {spec.name!r}", kind, KINDS)))
    if isinstance(spec, DatasetSpec | ModelSpec) and bool(spec.argument) != bool(spec.instance):
        raise PluginError(f"{spec.name!r} must give both of argument and instance, or none")
    for score in spec.scores if isinstance(spec, MetricSpec) else ():
        for control in set(score.catches) - set(CONTROLS[1:]):
            raise PluginError(
                str(unknown(f"control that {score.name!r} catches:", control, CONTROLS[1:]))
            )
    if isinstance(spec, ModelSpec):
        if spec.name in RESERVED:
            raise PluginError(
                f"{spec.name!r} of {plugin!r} is a name that the bench keeps for its own rows; "
                "rename the model"
            )
        for capability in spec.capabilities - set(CAPABILITIES):
            raise PluginError(
                str(unknown(f"capability of {spec.name!r}", capability, CAPABILITIES))
            )
        shared = set(spec.config.model_fields) & set(spec.sampling.model_fields)
        if shared:
            raise PluginError(
                f"model {spec.name!r} has the same option in config and sampling: {sorted(shared)}"
            )


def _specs_of_file(path: Path) -> list[AnySpec]:
    name = f"benchbench_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"plugin file {str(path)!r} is not a Python file; it must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        found = _specs_of(module, path.name)
        if not found:
            from benchbench.api.functions import spec_from_functions

            found = [spec_from_functions(module, path)]
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"plugin file {str(path)!r} failed: {describe(error)}") from error
    return found
