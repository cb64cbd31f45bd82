"""Pictures of a result folder: what each kind of data leaves in figures/ and beside its cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from benchbench.api import Assets
from benchbench.registry import Registry
from benchbench.report.page.write import write_report
from benchbench.report.pictures import Pictures
from benchbench.report.readings import Readings
from benchbench.report.tables import build_tables
from benchbench.runner.plan import Plan
from benchbench.store.folder import ResultFolder
from benchbench.store.samples import write_samples
from benchbench.store.scores import frame


def test_each_kind_of_data_has_its_figures(sampled: tuple[Path, Plan], registry: Registry) -> None:
    path, plan = sampled
    pictures = Pictures(ResultFolder(path), plan, Readings(registry))
    pictures.draw_all(build_tables(frame([]), {}, {}))
    names = sorted(p.name for p in (path / "figures").iterdir())
    wanted = ("coverage-stacked-digits", "samples-pulse", "samples-ring8", "samples-stacked-digits")
    assert names == sorted(f"{n}.{kind}" for n in wanted for kind in ("pdf", "png", "svg"))
    for cell in plan.cells:
        pictures.draw_cell(cell)
        assert ResultFolder(path).cell(cell.folder).picture(cell.variants[0].label).is_file()


def test_samples_are_read_once_for_figures_and_page(
    sampled: tuple[Path, Plan], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, plan = sampled
    readings, asked = Readings(registry), list[str]()
    load = registry.load_extractor

    def counted(_: Registry, name: str, assets: Assets) -> Any:
        asked.append(name)
        return load(name, assets)

    monkeypatch.setattr(Registry, "load_extractor", counted)
    Pictures(ResultFolder(path), plan, readings).draw_all(build_tables(frame([]), {}, {}))
    rows = {c.model for c in plan.cells if c.dataset == "stacked-digits"}
    assert len(asked) == len(rows)
    write_report([path], path / "report.html", registry, readings)
    assert len(asked) == len(rows)


def test_the_page_shows_signals_and_maps(sampled: tuple[Path, Plan], registry: Registry) -> None:
    path, _ = sampled
    write_report([path], path / "report.html", registry)
    text = (path / "report.html").read_text(encoding="utf-8")
    assert 'aria-label="16 signals: vae, seed 0"' in text
    assert "In colour: samples; thin: the training example nearest to each." in text
    assert "Samples of this kind are not drawn" not in text
    assert 'aria-label="Map of modes, vae: 1 of 1,000 modes, n = 2,000; missing: 0, 1,' in text


def test_a_count_is_made_anew_where_its_file_is_another(
    sampled: tuple[Path, Plan], registry: Registry, tmp_path: Path
) -> None:
    _, plan = sampled
    cell = next(c for c in plan.cells if c.dataset == "stacked-digits")
    readings = Readings(registry)
    dataset = readings.dataset("stacked-digits", Assets())
    assert readings.dataset("stacked-digits", Assets()) is dataset
    for count in (300, 200):
        raw = dataset.validation.raw[:count]
        write_samples(tmp_path / "s.safetensors", raw, "key")
        found = readings.counts(raw, tmp_path / "s.safetensors", dataset, cell, Assets())
        assert found.dtype == torch.int64 and int(found.sum()) == count
