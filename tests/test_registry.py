"""Plugins are found, checked and named; a broken one hurts nobody else."""

from __future__ import annotations

import importlib.metadata
import sys
import types
from pathlib import Path

import pytest

from benchbench.api import API_VERSION, MetricSpec, ModelSpec, PluginError, ScoreSpec, UsageError
from benchbench.api.hooks import hookimpl
from benchbench.registry import Registry, resolve

FUNCTIONS = '''"""A constant."""
import torch
def fit(training):
    return torch.nn.Identity()
def sample(module, n, *, generator):
    return torch.zeros(n, 2)
'''


def spec(name: str = "mine", **changes: object) -> ModelSpec:
    base = {
        "name": name,
        "family": "f",
        "kinds": frozenset({"points"}),
        "implementation": "nowhere:Nothing",
    }
    return ModelSpec(**{**base, **changes})  # type: ignore[arg-type]


def install(monkeypatch: pytest.MonkeyPatch, **modules: types.ModuleType | None) -> None:
    """Pretend that these modules are the installed plugins; None: an import that fails."""
    points = []
    for name, module in modules.items():
        if module is not None:
            monkeypatch.setitem(sys.modules, f"plugin_{name}", module)
        points.append(importlib.metadata.EntryPoint(name, f"plugin_{name}", "benchbench"))
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)


def plugin(*specs: ModelSpec) -> types.ModuleType:
    module = types.ModuleType("plugin")
    module.bench_models = hookimpl(lambda: list(specs), specname="bench_models")  # type: ignore[attr-defined]
    return module


def test_built_ins_are_found_through_the_entry_points() -> None:
    registry = Registry.load()
    assert registry.failures == []
    assert {"ldm", "vae", "gan"} <= set(registry.models)
    assert {"ring8", "grid25", "digits", "stacked-digits"} <= set(registry.datasets)
    assert {entry.owner for entry in registry.models.values()} == {"benchbench"}
    for table in (registry.models, registry.datasets, registry.metrics):
        for entry in table.values():
            assert callable(resolve(entry.spec.implementation, entry.owner))
            assert entry.spec.summary


def test_a_broken_plugin_is_listed_and_the_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, broken=None, good=plugin(spec()))
    registry = Registry.load()
    assert list(registry.models) == ["mine"]
    assert [f.plugin for f in registry.failures] == ["broken"]
    assert "No module named 'plugin_broken'" in registry.failures[0].error
    with pytest.raises(UsageError, match="Plugins that failed to load: broken"):
        registry.model("other")


def test_a_misspelt_hook_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("plugin")
    module.bench_modles = hookimpl(lambda: [])  # type: ignore[attr-defined]
    module.bench_modles.__name__ = "bench_modles"
    install(monkeypatch, wrong=module)
    (failure,) = Registry.load().failures
    assert "bench_modles" in failure.error
    assert "bench_models" in failure.error


def test_duplicate_names_name_both_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, one=plugin(spec()), two=plugin(spec()))
    with pytest.raises(PluginError, match=r"'mine'.*plugin_one and plugin_two"):
        Registry.load()


def test_duplicate_scores_name_both_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    def metric(name: str) -> types.ModuleType:
        score = ScoreSpec("sharpness", "1", "max")
        one = MetricSpec(name, frozenset({"image"}), "nowhere:nothing", (score,))
        module = types.ModuleType(name)
        module.bench_metrics = hookimpl(lambda: [one], specname="bench_metrics")  # type: ignore[attr-defined]
        return module

    install(monkeypatch, one=metric("a"), two=metric("b"))
    with pytest.raises(PluginError, match=r"sharpness.*plugin_one.*plugin_two"):
        Registry.load()


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"api_version": API_VERSION + 1}, "API version"),
        ({"name": "../escape"}, "allowed"),
        ({"name": "Ünï"}, "allowed"),
        ({"kinds": frozenset({"pionts"})}, "did you mean 'points'"),
        ({"capabilities": frozenset({"encoed"})}, "did you mean 'encode'"),
    ],
)
def test_specs_are_checked(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], part: str
) -> None:
    install(monkeypatch, wrong=plugin(spec(**changes)))  # type: ignore[arg-type]
    (failure,) = Registry.load().failures
    assert part in failure.error


def test_a_hook_that_returns_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("plugin")
    module.bench_models = hookimpl(lambda: ["ldm"], specname="bench_models")  # type: ignore[attr-defined]
    install(monkeypatch, wrong=module)
    (failure,) = Registry.load().failures
    assert "returned a str" in failure.error


def test_two_functions_in_a_file_are_a_model(tmp_path: Path) -> None:
    file = tmp_path / "my_model.py"
    file.write_text(FUNCTIONS)
    entry = Registry.load([file]).model("my-model")
    assert entry.owner == str(file)
    assert entry.spec.summary == "A constant."
    assert entry.spec.kinds == {"points", "image", "signal"}


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("x = (", "SyntaxError"),
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("def fit(training): ...", "not both of `fit(training)`"),
    ],
)
def test_a_file_that_is_no_plugin(tmp_path: Path, content: str, part: str) -> None:
    file = tmp_path / "bad.py"
    file.write_text(content)
    with pytest.raises(PluginError) as caught:
        Registry.load([file])
    assert part in str(caught.value)
    assert "bad.py" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        Registry.load([tmp_path / "none.py"])


def test_nearest_names() -> None:
    registry = Registry.load()
    with pytest.raises(UsageError, match="did you mean 'ldm'"):
        registry.model("lmd")
    with pytest.raises(UsageError, match="did you mean 'grid25'"):
        registry.dataset("grid52")
    assert registry.metric("recall").spec.name == registry.metric("precision").spec.name
