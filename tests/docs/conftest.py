"""The site, built once, strictly."""

from __future__ import annotations

import os
import sys

import pytest
from site_cases import ROOT, Page

sys.path.append(str(ROOT / "docs"))  # the package `generate`, as mkdocs finds it


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """Every page of the built site, by its path; a warning of the build is an error."""
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    pytest.importorskip("material", reason="needs mkdocs-material")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    return {path.relative_to(folder).as_posix(): Page(path) for path in folder.rglob("*.html")}
