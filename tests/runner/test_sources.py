"""A source hash changes with the module and what it imports, and with nothing else."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from benchbench.runner import sources


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hashed_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "model.py").write_text("from hashed_package.inner import deep\nfrom . import near\n")
    (folder / "inner.py").write_text("deep = 1\n")
    (folder / "near.py").write_text("import json\n")
    (folder / "unused.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [n for n in sys.modules if n.startswith("hashed_package")]:
        del sys.modules[name]


def value() -> str:
    importlib.invalidate_caches()
    sources._module_hash.cache_clear()
    return sources.source_hash("hashed_package.model:Model")


@pytest.mark.parametrize("name", ["model", "inner", "near", "__init__"])
def test_what_is_imported_counts(package: Path, name: str) -> None:
    before = value()
    file = package / f"{name}.py"
    file.write_text(file.read_text() + "\n# changed\n")
    assert value() != before


def test_what_is_not_imported_does_not(package: Path) -> None:
    before = value()
    (package / "unused.py").write_text("x = 2\n")
    assert value() == before


def test_objects_hash_by_their_file() -> None:
    assert sources.source_hash(value) == sources.source_hash(package)
    assert sources.source_hash(value) != sources.source_hash(sources.source_hash)
