"""Data sets that take an argument, as a plugin declares them: names in, one spec out."""

from __future__ import annotations

import importlib.metadata
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest

from benchbench.api import Config, DatasetSpec, UsageError
from benchbench.api.hooks import hookimpl
from benchbench.api.names import file_name, instance_name, short_label
from benchbench.registry import Entry, Registry


class Options(Config):
    size: int = 4
    fast: bool = False


def instance(spec: DatasetSpec, argument: str, options: Options) -> DatasetSpec:
    name = instance_name(spec.name, argument, options)
    return replace(spec, name=name, shape=(options.size,), source=(argument, options))


@pytest.fixture
def registry() -> Registry:
    spec = DatasetSpec(
        "table", "points", (4,), "nowhere:load", argument="FILE", options=Options, instance=instance
    )
    plain = DatasetSpec("plain", "points", (2,), "nowhere:load")
    return Registry(datasets={s.name: Entry(s, "me", "1") for s in (spec, plain)})


@pytest.mark.parametrize(
    ("typed", "name", "argument"),
    [
        ("table:a.csv", "table:a.csv", "a.csv"),
        ("table:a.csv?", "table:a.csv", "a.csv"),
        ("table:a.csv?size=4", "table:a.csv", "a.csv"),
        ("table:a.csv?size=9", "table:a.csv?size=9", "a.csv"),
        ("table:a.csv?size=9&fast=yes", "table:a.csv?fast=true&size=9", "a.csv"),
        ("table:C:/x=1&y", "table:C:/x=1&y", "C:/x=1&y"),
        ("table:what?.csv?", "table:what?.csv?", "what?.csv"),
        ("table:what?.csv?size=9", "table:what?.csv?size=9", "what?.csv"),
        ("table:Ünï cödé", "table:Ünï cödé", "Ünï cödé"),
    ],
)
def test_names_are_canonical(registry: Registry, typed: str, name: str, argument: str) -> None:
    spec = registry.dataset(typed).spec
    assert spec.name == name
    assert spec.source is not None
    assert spec.source[0] == argument
    assert isinstance(spec.source[1], Options)
    assert spec.shape == (spec.source[1].size,)
    assert registry.dataset(spec.name).spec == spec


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("table", r"lacks its FILE; write table:FILE\[\?size=4&fast=false\]"),
        ("table:", "lacks its FILE"),
        ("table:?size=3", "lacks its FILE"),
        ("table:a?sise=3", "unknown key 'sise'; did you mean 'size'"),
        ("table:a?size=big", "size is 'big'"),
        ("table:a?size", "is not a new key=value"),
        ("table:a?size=3&size=4", "is not a new key=value"),
        ("table:a?=3", "is not a new key=value"),
        ("tabel:a", "did you mean 'table'"),
        ("plain:a", "plain takes nothing after a colon"),
        ("plain?size=3", "unknown data set"),
    ],
)
def test_what_is_refused(registry: Registry, typed: str, part: str) -> None:
    with pytest.raises(UsageError, match=part) as caught:
        registry.dataset(typed)
    assert "\n" not in str(caught.value)


def test_file_names_are_safe_and_differ() -> None:
    names = [
        "folder:/a/b",
        "folder:/a-b",
        "folder:/a/../b",
        "folder:/b",
        "folder:/a/b?size=64",
        "folder:/" + "x" * 300 + "/1",
        "folder:/" + "x" * 300 + "/2",
        "folder:/" + "long" * 80,
        "folder:/" + "long" * 81,
        "folder:/.",
        "folder:/ü",
        "folder:/ö",
    ]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    for name in files:
        assert Path(name).name == name
        assert len(name) < 100
        assert not name.startswith(".")
    assert file_name("stacked-mnist") == "stacked-mnist"


def test_short_labels() -> None:
    assert short_label("grid25") == "grid25"
    assert short_label("folder:/a/b/") == "folder:b"
    assert short_label("folder:/a/what?/b?") == "folder:b"
    assert short_label("folder:/") == "folder:/"


def test_a_folder_of_images_by_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "link").symlink_to("images")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    name = f"folder:{(tmp_path / 'images').resolve()}"
    registry = Registry.load()
    for typed in ("images", "./images/", "link", "~/images", "images/../images", "images?size=32"):
        assert registry.dataset(f"folder:{typed}").spec.name == name
    assert registry.dataset("folder:images?size=64").spec.shape == (3, 64, 64)


def test_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    odd = tmp_path / "caf\udce9"
    odd.mkdir()
    with pytest.raises(UsageError, match="not UTF-8; rename the folder") as caught:
        Registry.load().dataset(f"folder:{odd}")
    assert str(caught.value).isascii()


def test_argument_and_instance_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("plugin")
    spec = DatasetSpec("half", "points", (2,), "nowhere:load", argument="FILE")
    module.bench_datasets = hookimpl(lambda: [spec], specname="bench_datasets")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "plugin_half", module)
    points = [importlib.metadata.EntryPoint("half", "plugin_half", "benchbench")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    (failure,) = Registry.load().failures
    assert "'half' must give both of argument and instance" in failure.error
