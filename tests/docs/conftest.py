"""The site, built once."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass

import pytest
from site_cases import ROOT, Page

sys.path.append(str(ROOT / "docs"))  # the package `generate`, as mkdocs finds it


class _Kept(logging.Handler):
    """Keeps what mkdocs warns of: what `mkdocs build --strict` would end with."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@dataclass(frozen=True)
class Built:
    """The pages by their path in the site, and the warnings of the build."""

    pages: dict[str, Page]
    warnings: list[str]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The site, built without the strictness that would hide all but the first fault."""
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder, kept = tmp_path_factory.mktemp("site"), _Kept()
    log = logging.getLogger("mkdocs")
    log.addHandler(kept)
    try:
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
        config.plugins.on_startup(command="build", dirty=False)
        build(config)
    finally:
        log.removeHandler(kept)
    pages = {path.relative_to(folder).as_posix(): Page(path) for path in folder.rglob("*.html")}
    return Built(pages, kept.messages)


@pytest.fixture(scope="session")
def site(built: Built) -> dict[str, Page]:
    """Every page of the built site, by its path."""
    return built.pages
