"""Score frames built row by row, through the store's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchbench.api import Assets, Score, ScoreSpec
from benchbench.registry import Registry
from benchbench.report.tables import build_tables
from benchbench.report.tree import Cell, Column, Row, Section, Tables
from benchbench.runner.plan import Plan, check_suite, resolve_plan
from benchbench.runner.suite import Suite
from benchbench.store.folder import ResultFolder
from benchbench.store.samples import write_samples
from benchbench.store.scores import frame, score_row

SAMPLED = ("pulse", "stacked-digits", "ring8")

SPECS = {
    spec.name: spec
    for spec in (
        ScoreSpec("fid", "1", "min", "FID", digits=2),
        ScoreSpec("precision", "1", "max", digits=3),
        ScoreSpec("recall", "1", "max", digits=3),
        ScoreSpec("modes", "modes", "max", digits=1),
        ScoreSpec("mode_kl", "nats", "min", "reverse KL", digits=4),
        ScoreSpec("mode_kl_floor", "nats", "none", "floor"),
        ScoreSpec("nll_nats", "nats", "min", "NLL (nats)", digits=2),
        ScoreSpec("samples_per_second", "samples/s", "max", "throughput"),
        ScoreSpec("latency_p50_ms", "ms", "min", "latency p50"),
        ScoreSpec("nfe", "1", "none", "NFE", digits=0),
        ScoreSpec("hidden", "1", "max", table=False),
    )
}


class Frame:
    """Collects scores; `add` takes one value for each seed 0, 1, … or values by seed."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(
        self,
        model: str,
        metric: str,
        values: Sequence[float | None] | dict[int | None, float | None],
        *,
        dataset: str = "grid25",
        config: str = "",
        budget: str = "1000000flop",
        variant: str = "",
        at_fraction: float = 1.0,
        **score: Any,
    ) -> Frame:
        spec = SPECS.get(metric, ScoreSpec(metric, "1", "none"))
        found = values if isinstance(values, dict) else dict(enumerate(values))
        for seed, value in found.items():
            self.rows.append(
                score_row(
                    Score(metric, value, **score),
                    spec,
                    dataset=dataset,
                    model=model,
                    config=config,
                    budget=budget,
                    variant=variant,
                    seed=seed,
                    cell_key="key",
                    at_fraction=at_fraction,
                )
            )
        return self

    def real(self, metric: str, value: float, **score: Any) -> Frame:
        return self.add("real", metric, {None: value}, budget="", **score)

    def fail(self, model: str, seed: int, status: str, reason: str, **key: Any) -> Frame:
        """A cell without any score, as the runner records it."""
        self.add(model, "", {seed: None}, reason=reason, **key)
        self.rows[-1]["status"] = status
        return self

    def scores(self) -> pd.DataFrame:
        return frame(self.rows)

    def tables(self, **context: str) -> Tables:
        return build_tables(self.scores(), SPECS, context)

    def section(self) -> Section:
        (section,) = self.tables().sections
        return section


class Lookup:
    """Rows, columns and cells of a section by name."""

    def __init__(self, section: Section) -> None:
        self.section = section

    def row(self, label: str) -> Row:
        (row,) = [row for row in self.section.rows if row.label == label]
        return row

    def columns(self, metric: str) -> list[Column]:
        return [column for column in self.section.columns if column.spec.name == metric]

    def cell(self, label: str, metric: str, index: int = 0) -> Cell:
        place = self.section.columns.index(self.columns(metric)[index])
        return self.row(label).cells[place]

    def bold(self, metric: str, index: int = 0) -> list[str]:
        place = self.section.columns.index(self.columns(metric)[index])
        return [row.label for row in self.section.rows if row.cells[place].bold]

    def notes(self) -> str:
        return "\n".join(str(note) for note in self.section.notes)


@pytest.fixture
def scores() -> Frame:
    return Frame()


@pytest.fixture
def look() -> type[Lookup]:
    return Lookup


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.load()


@pytest.fixture(scope="session")
def sampled(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    """A folder whose cells hold held-out data as their samples, and no scores; no model is
    trained. The samples of `vae` on stacked digits are one image."""
    suite: dict[str, Any] = {
        "name": "s",
        "models": ("vae", "gan"),
        "datasets": SAMPLED,
        "seeds": (0,),
    }
    suite |= {"budget": "4step", "metrics": {"modes": {"n": 500}}}
    plan = resolve_plan(check_suite(Suite.model_validate(suite), registry), registry, Assets())
    folder = ResultFolder(tmp_path_factory.mktemp("pictures"))
    folder.write_plan(plan.to_json())
    for cell in plan.cells:
        raw = registry.load_dataset(cell.dataset, Assets()).validation.raw[:2000]
        if cell.model == "vae" and cell.dataset == "stacked-digits":
            raw = raw[:1].expand(2000, -1, -1, -1).contiguous()
        for variant in cell.variants:
            file = folder.cell(cell.folder).samples(variant.label)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_samples(file, raw, "key")
    return folder.path, plan
