"""Result folders written by hand: scores, a plan, samples; and a browser where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchbench.api import Assets
from benchbench.registry import Registry
from benchbench.runner.cell import CellRun
from benchbench.runner.plan import Plan, check_suite, resolve_plan
from benchbench.runner.scoring import collect_rows
from benchbench.runner.suite import Suite
from benchbench.store.files import write_json
from benchbench.store.folder import ResultFolder
from benchbench.store.scores import write_scores

SUITE = {
    "name": "toy",
    "models": ("vae", "gan", "gan[latent_dim=2]"),
    "datasets": ("digits", "grid25"),
    "seeds": (0, 1),
    "budget": "4step",
    "fractions": (0.5,),
    "metrics": {"modes": {"n": 500}, "classes": {"n": 500}, "cost": {}},
}


@pytest.fixture(scope="session")
def real_folder(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four training steps a model, one cell of which was never begun."""
    folder = ResultFolder(tmp_path_factory.mktemp("runs") / "toy")
    assets = Assets()
    plan: Plan = resolve_plan(check_suite(Suite.model_validate(SUITE), registry), registry, assets)
    folder.path.mkdir()
    folder.write_plan(plan.to_json())
    for cell in plan.cells[:-1]:
        files = folder.cell(cell.folder)
        CellRun(cell, registry, files, assets, lambda event: None).run()
    folder.write_scores(collect_rows(plan, folder, registry))
    return folder.path


@pytest.fixture
def write_folder(tmp_path: Path) -> Any:
    """Write a folder that has scores and no plan."""

    def write(scores: Any, name: str = "result", **context: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        write_scores(folder / "scores.csv", scores)
        write_json(folder / "context.json", context)
        return folder

    return write


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium, headless, by Playwright; skips where one of them is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()
