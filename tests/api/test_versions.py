"""A plugin of another API version is refused with a line that names what changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbench.api import API_VERSION, PluginError, specs
from benchbench.registry import Registry

PLUGIN = """
from benchbench.api import ModelSpec, hookimpl

@hookimpl
def bench_models():
    kinds = frozenset({"points"})
    return [ModelSpec("mine", "test", kinds, "nowhere:Nothing", api_version=VERSION)]
"""


def refusal(tmp_path: Path, version: int) -> str:
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN.replace("VERSION", str(version)))
    with pytest.raises(PluginError) as caught:
        Registry.load([file])
    message = str(caught.value)
    assert "\n" not in message
    assert f"is written for API version {version}; this bench has version {API_VERSION}" in message
    return message


def test_an_older_plugin_is_told_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in range(API_VERSION):
        message = refusal(tmp_path, version)
        for later in range(version + 1, API_VERSION + 1):
            assert f"version {later}: {specs.API_CHANGES[later]}" in message
        assert message.endswith(f"then set api_version={API_VERSION}")
    monkeypatch.setattr(specs, "API_VERSION", 3)
    monkeypatch.setattr(specs, "API_CHANGES", {1: "first", 2: "load takes assets", 3: "signals"})
    told = specs.version_mismatch(1)
    assert "What changed: version 2: load takes assets; version 3: signals." in told


def test_a_newer_plugin_is_told_what_to_install(tmp_path: Path) -> None:
    assert refusal(tmp_path, API_VERSION + 1).endswith("install a newer benchbench")


def test_every_version_says_what_changed() -> None:
    assert list(specs.API_CHANGES) == list(range(1, API_VERSION + 1))
    assert all(specs.API_CHANGES.values())
