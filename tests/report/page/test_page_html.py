"""The page as HTML: whole without a script, nothing fetched, no name runs, every section there."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchbench.cli.main import main
from benchbench.registry import Registry
from benchbench.report.page.sources import read_results
from benchbench.report.page.write import write_report
from benchbench.store.folder import ResultFolder
from benchbench.store.scores import read_scores, write_scores

SCRIPT = "<script>alert(1)</script>"
NASTY = "'\"><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Elements, headings, ids and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def written(folders: list[Path], registry: Registry) -> str:
    path = folders[-1] / "report.html"
    write_report(folders, path, registry)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def whole(real_folder: Path, registry: Registry) -> str:
    return written([real_folder], registry)


def test_a_run_has_its_sections_in_order(whole: str) -> None:
    ids = [a["id"] for a in Page(whole).all("section")]
    assert ids == [
        "answer",
        "comparison",
        "samples",
        "coverage",
        "budget",
        "seeds",
        "failures",
        "provenance",
    ]
    assert "13 of 14 cells are done; 1 not begun." in whole


def test_the_same_folder_gives_the_same_bytes(
    whole: str, real_folder: Path, registry: Registry
) -> None:
    assert written([real_folder], registry) == whole


def test_nothing_points_outside(whole: str) -> None:
    page = Page(whole)
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png;base64,")), value
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\((?!#)|@import", whole)
    assert [a.get("src") for a in page.all("script")] == [None]


def test_ids_are_unique_and_targets_exist(whole: str) -> None:
    page = Page(whole)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("href", "xlink:href", "data-copy", "data-filter", "aria-labelledby"):
            target = attributes.get(name)
            if target and not target.startswith("data:"):
                assert target.removeprefix("#") in ids


def test_every_picture_has_a_text(whole: str) -> None:
    page = Page(whole)
    figures = [a for a in page.all("svg") if a.get("role") == "img"]
    assert len(figures) > 10 and all(a["aria-label"] for a in figures)
    assert all(a.get("aria-hidden") == "true" for a in page.all("svg") if "role" not in a)
    images = page.all("img")
    # Three models and held-out data on digits, each model with its neighbours.
    assert len(images) == 4 + 3
    assert all(a["alt"] for a in images)


def test_one_colour_for_a_model_everywhere(whole: str) -> None:
    """The swatch of `vae` is the colour of its bars, dots and curves."""
    swatch = re.search(r'fill="var\(--c-(\w{6})\)"/></svg>vae<', whole)
    assert swatch is not None
    bars = re.search(r'aria-label="Share of each class, vae:.*?</svg>', whole, re.S)
    assert bars is not None and f"var(--c-{swatch[1]}" in bars[0]


@pytest.mark.parametrize("evil", [SCRIPT, NASTY, "$x_{", "a\x1b[0m\u202eb", "]]>-->"])
def test_names_are_text_everywhere(
    evil: str, scores: Any, write_folder: Any, registry: Registry
) -> None:
    for model, value in ((evil, 1.0), ("vae", 5.0)):
        for metric in ("fid", "samples_per_second", "precision", "nfe"):
            values = [value, value + 0.1]
            scores.add(model, metric, values, dataset=evil, condition=evil, detail={"k": evil})
        for part in (0.3, 1.0):
            scores.add(model, "recall", [0.1, 0.2], dataset=evil, at_fraction=part)
        scores.add(model, "nfe", [9, 9], variant=f"steps={evil}", dataset=evil)
        scores.add(model, "fid", [9.0, 8.0], variant=f"steps={evil}", dataset=evil)
    scores.fail(evil, 1, "error", evil, dataset=evil)
    folder = write_folder(scores.scores(), "evil", device=evil)
    claim = f'id,verdict,effect,ci_low,ci_high,delta,n,reason\n"{evil}",refuted,x,1,2,,3,"{evil}"\n'
    (folder / "claims.csv").write_text(claim.replace(NASTY, NASTY.replace('"', '""')))
    page = Page(written([folder], registry))
    assert len(page.all("script")) == 1
    assert {a["src"] for a in page.all("img") if "src" in a} == set()
    assert not any(name.startswith("on") for _, a in page.tags for name in a)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "\x1b" not in text and "\u202e" not in text
    if evil == SCRIPT:
        assert html.escape(SCRIPT) in text and SCRIPT not in text


def test_claims_stand_where_their_file_is(
    scores: Any, write_folder: Any, registry: Registry
) -> None:
    folder = write_folder(scores.add("ldm", "fid", [1.0, 2.0]).scores())
    assert 'id="claims"' not in written([folder], registry)
    lines = (
        "id,dataset,verdict,effect,ci_low,ci_high,delta,n,reason,hypothesis\n"
        "S1,,supported,,,,,,,LDMs cover more modes\n"
        "S1,grid25,supported,0.51234,0.41234,0.61234,0.1,5,,LDMs cover more modes\n"
    )
    (folder / "claims.csv").write_text(lines, encoding="utf-8")
    text = written([folder], registry)
    assert "✓ supported" in text and "0.5123 [0.4123, 0.6123]" in text
    assert "1 supported." in text and "<h3>S1" in text
    assert 'aria-label="Effect of S1 with its interval. grid25: 0.5123 [0.4123, 0.6123], ' in text
    ids = [a["id"] for a in Page(text).all("section")]
    assert ids.index("claims") == ids.index("answer") + 1


def test_each_claim_has_its_figure_and_several_an_overview(
    scores: Any, write_folder: Any, registry: Registry
) -> None:
    folder = write_folder(scores.add("ldm", "fid", [1.0, 2.0]).scores())
    lines = (
        "id,dataset,verdict,effect,ci_low,ci_high,delta,scale,direction,n,n_against,reason\n"
        "A,,inconclusive,,,,,,,,,they differ\n"
        "A,grid25,supported,4,3,5,2,factor,lower,5,4,\n"
        "A,ring8,untestable,,,,2,factor,lower,,,no data\n"
        "B,,refuted,,,,,,,,,\n"
        "B,grid25,refuted,inf,1,inf,0.1,difference,equal,5,,\n"
        "C,,untestable,,,,,,,,,no metric\n"
    )
    (folder / "claims.csv").write_text(lines, encoding="utf-8")
    text = written([folder], registry)
    section = text[text.index('<section id="claims"') : text.index('<section id="comparison"')]
    assert "1 refuted, 1 inconclusive, 1 untestable." in section
    # A's figure and the overview; B's interval has no end that could be drawn.
    assert section.count('role="img"') == 2 and "All claims: effects in units of δ" in section
    assert section.count('<article class="claim">') == 3
    for said in ("×4 [3, 5]", "×2", "±0.1", "5 / 4", "Why: they differ", "Why: no metric"):
        assert said in section


def test_an_empty_run_can_be_reported(
    real_folder: Path, tmp_path: Path, registry: Registry
) -> None:
    folder = tmp_path / "begun"
    folder.mkdir()
    shutil.copy(real_folder / "plan.json", folder / "plan.json")
    text = written([folder], registry)
    assert "There are no scores yet." in text and "bench run" in text


def test_a_killed_run_is_told_by_its_cells_where_scores_csv_lags_behind(
    real_folder: Path, tmp_path: Path, registry: Registry
) -> None:
    folder = tmp_path / "killed"
    shutil.copytree(real_folder, folder)
    whole = read_scores(folder / "scores.csv")
    write_scores(folder / "scores.csv", whole[whole.model != "gan"])
    (result,) = read_results([folder], registry)
    assert "gan" not in set(result.scores.model)
    newest = next(c for c in result.cells if c.model == "gan")
    (folder / newest.folder / "scores.json").touch()
    (result,) = read_results([folder], registry)
    assert len(result.scores) == len(whole) and not result.gaps
    assert set(result.scores.model) == set(whole.model)


def test_scores_whose_cells_were_left_behind_say_so(
    real_folder: Path, tmp_path: Path, registry: Registry
) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in ("plan.json", "scores.csv", "scores.csv.sha256", "context.json"):
        if (real_folder / name).is_file():
            shutil.copy(real_folder / name, folder / name)
    text = written([folder], registry)
    assert "The folder has no cells/" in text and "cells are done" not in text
    assert "not begun" not in text and 'id="table-0"' in text


def test_a_reason_that_is_no_text_is_written_all_the_same(
    real_folder: Path, tmp_path: Path, registry: Registry
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    shutil.copy(real_folder / "plan.json", folder / "plan.json")
    (result,) = read_results([folder], registry)
    cell = folder / result.cells[0].folder
    cell.mkdir(parents=True)
    (cell / "cell.json").write_text('{"status": "error", "reason": "a\\udcff\\u0000b"}')
    assert "a?b" in written([folder], registry)


def test_a_data_set_that_is_gone_is_said(
    real_folder: Path, tmp_path: Path, registry: Registry
) -> None:
    folder = tmp_path / "gone"
    shutil.copytree(real_folder, folder)
    rest = {k: v for k, v in registry.datasets.items() if k != "digits"}
    poor = Registry(registry.models, rest, registry.extractors, registry.metrics)
    text = written([folder], poor)
    assert "No training neighbours and no true modes: unknown data set" in text
    assert len(Page(text).all("img")) == 4


def test_command_line(
    real_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.html"
    with pytest.raises(SystemExit) as caught:
        main(["report", str(real_folder), "-o", str(out)])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"report   {out}\n"
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{tmp}"], "no result folder"),
        (["{real}", "-o", "{tmp}"], "is a folder"),
        (["{real}", "-o", "{tmp}/none/r.html"], "there is no folder"),
    ],
)
def test_mistakes_are_one_line_and_load_no_torch(
    arguments: list[str], said: str, real_folder: Path, tmp_path: Path
) -> None:
    given = [a.format(tmp=tmp_path, real=real_folder) for a in arguments]
    code = (
        "import sys, json; from benchbench.cli.main import _guarded as g\n"
        f"code = g(['report', *{given!r}])\n"
        "print(json.dumps([code, [m for m in ('torch', 'pandas', 'matplotlib') "
        "if m in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [2, []]
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_two_budgets_of_one_row_stand_side_by_side(
    real_folder: Path, tmp_path: Path, registry: Registry
) -> None:
    other = tmp_path / "more"
    shutil.copytree(real_folder, other)
    folder = ResultFolder(other)
    folder.write_plan(json.loads(json.dumps(folder.plan()).replace("4step", "5step")))
    table = read_scores(other / "scores.csv")
    write_scores(other / "scores.csv", table.replace({"budget": {"4step": "5step"}}))
    text = written([real_folder, other], registry)
    assert "</svg>vae, 4step</figcaption>" in text and "</svg>vae, 5step</figcaption>" in text
    assert text.count("</svg>vae</th>") >= 2
