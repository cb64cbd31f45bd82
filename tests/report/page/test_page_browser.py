"""The page in headless Chromium: sorting, filtering, copying, the theme, narrow screens, axe.

Screenshots at three widths, light and dark, are kept in tests/artefacts/ (git ignores it).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchbench.registry import Registry
from benchbench.report.page.write import write_report
from benchbench.runner.plan import Plan

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
WIDTHS = (360, 900, 1600)
MEGABYTES = 10
Open = Callable[..., Any]


CLAIMS = (
    "id,dataset,verdict,effect,ci_low,ci_high,delta,scale,direction,n,n_against,reason,hypothesis\n"
    "A.1,,supported,,,,,,,,,,The VAE covers the digits more evenly than the GAN does.\n"
    "A.1,digits,supported,4,3,5,2,factor,lower,5,5,,\n"
    "B,,refuted,,,,,,,,,they differ,Both are as good.\n"
    "B,grid25,refuted,0.5,0.2,0.9,0.1,difference,equal,5,5,,\n"
    "C,,untestable,,,,,,,,,no data,It writes prose.\n"
)


@pytest.fixture(scope="module")
def report(
    real_folder: Path,
    sampled: tuple[Path, Plan],
    registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run with images, points and claims, and a folder with signals and 1000 modes."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(real_folder, folder / "toy")
    (folder / "toy" / "claims.csv").write_text(CLAIMS, encoding="utf-8")
    write_report([sampled[0], folder / "toy"], folder / "report.html", registry)
    return folder / "report.html"


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Opens a file; fails in the end where the console said anything or anything was requested."""
    contexts, heard = [], []

    def show(path: Path, width: int = 1200, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: heard.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda r: None if r.url.startswith(("file:", "data:")) else heard.append(r.url),
        )
        page.goto(path.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert heard == []


def labels(table: Any) -> list[str]:
    return [t.strip() for t in table.locator("tbody.sortable tr:visible th").all_inner_texts()]


def numbers(table: Any, index: int) -> list[float]:
    cells = table.locator(f"tbody.sortable td:nth-child({index + 1})")
    return [float(text) for cell in cells.all() if (text := cell.get_attribute("data-sort"))]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_overflows(report: Path, open_page: Open, width: int, theme: str) -> None:
    page = open_page(report, width, color_scheme=theme)
    for details in page.locator("details").all():
        details.evaluate("d => d.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.reload()
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"report-{width}-{theme}.png", full_page=True)


def test_sorting_puts_the_best_on_top_and_says_so(report: Path, open_page: Open) -> None:
    table = open_page(report).locator("#table-1 table").first
    head = table.locator("th", has_text="mode KL ↓").first
    index = head.evaluate("th => th.cellIndex")
    assert head.get_attribute("aria-sort") == "none"
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    rising = numbers(table, index)
    assert len(set(rising)) == 3 and rising == sorted(rising)
    head.locator("button").press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert numbers(table, index) == rising[::-1]
    name = table.locator("th", has_text="model").first
    name.locator("button").click()
    sorts = [h.get_attribute("aria-sort") for h in (name, head)]
    assert sorts == ["ascending", "none"]
    assert labels(table) == sorted(labels(table))
    assert table.locator("tbody.real th").all_inner_texts() == ["real (held out)"]


def test_the_other_tables_of_a_section_follow(
    scores: Any, write_folder: Any, registry: Registry, open_page: Open
) -> None:
    for m in range(4):
        for n in range(9):
            scores.add(f"m{m}", f"q{n}", [float((m * 7 + n * 3) % 5), 1.0])
        scores.add(f"m{m}", "samples_per_second", [10.0 - m, 11.0 - m])
    folder = write_folder(scores.scores())
    write_report([folder], folder / "report.html", registry)
    tables = open_page(folder / "report.html").locator("#table-0 table")
    captions = tables.locator("caption").all_inner_texts()
    assert len(captions) > 1 and len(set(captions)) == len(captions)
    tables.first.locator("th button").nth(3).click()
    order = labels(tables.first)
    assert order != ["m0", "m1", "m2", "m3"]
    assert all(labels(table) == order for table in tables.all())
    tables.last.locator("th button").nth(1).click()
    assert all(labels(table) == labels(tables.last) for table in tables.all())
    sorts = tables.first.locator("th[aria-sort]:not([aria-sort=none])")
    assert sorts.count() == 0


def test_neighbours_open_on_demand_by_the_keyboard(report: Path, open_page: Open) -> None:
    page = open_page(report)
    summaries = page.locator("#samples summary", has_text="Nearest training examples")
    assert summaries.count() == 3 + 2 * 2  # digits; pulse and stacked digits
    for summary in summaries.all():
        shown = summary.locator("xpath=..").locator("img, svg")
        assert shown.count() == 1 and shown.is_hidden()
        summary.focus()
        page.keyboard.press("Enter")
        assert shown.is_visible()


def test_everything_that_acts_can_be_reached_by_tab(report: Path, open_page: Open) -> None:
    page = open_page(report)
    reached, ids = set(), "document.activeElement"
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(f"{ids}.id || {ids}.dataset.filter || {ids}.dataset.name || ''"))
    assert {"theme", "table-0", "Markdown", "LaTeX", "CSV"} <= reached
    page.locator("#theme").focus()
    before = page.locator("#theme").get_attribute("aria-pressed")
    page.keyboard.press("Space")
    assert page.locator("#theme").get_attribute("aria-pressed") != before


def test_claims_stand_beside_their_figures(report: Path, open_page: Open) -> None:
    page = open_page(report)
    claims = page.locator("article.claim")
    assert [c.locator("svg").count() for c in claims.all()] == [1, 1, 0]
    first = claims.first
    text, figure = first.locator("div").bounding_box(), first.locator("svg").bounding_box()
    assert figure["x"] > text["x"] + 100 and abs(figure["y"] - text["y"]) < 40
    assert (
        page.locator("#answer .run")
        .inner_text()
        .endswith("Claims: 1 supported, 1 refuted, 1 untestable.")
    )


def test_filtering(report: Path, open_page: Open) -> None:
    page = open_page(report)
    field = page.locator("#table-0 input")
    field.fill("gan LATENT")
    table = page.locator("#table-0 table").first
    assert labels(table) == ["gan[latent_dim=2]"]
    assert page.locator("#table-0-count").inner_text() == "1 of 3 rows"
    field.fill("")
    assert len(labels(table)) == 3
    assert page.locator("#table-0-count").inner_text() == ""


def test_copying(report: Path, open_page: Open) -> None:
    page = open_page(report, permissions=["clipboard-read", "clipboard-write"])
    for name, begin in (("Markdown", "## "), ("LaTeX", "% Written by"), ("CSV", "dataset,model")):
        page.locator(f"#table-0 button[data-name={name}]").click()
        said = "name => document.getElementById('said').textContent === `${name} copied`"
        page.wait_for_function(said, arg=name)
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(begin)
        assert copied == page.locator(f"#table-0-{name}").text_content()


def test_the_theme_follows_the_system_until_the_reader_chooses(
    report: Path, open_page: Open
) -> None:
    page = open_page(report, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    toggle = page.locator("#theme")
    assert toggle.get_attribute("aria-pressed") == "true"
    toggle.click()
    light = page.evaluate(ground)
    assert light == "rgb(255, 255, 255)" != dark
    page.reload()
    assert page.evaluate(ground) == light
    toggle.click()
    assert page.evaluate(ground) == dark


def test_it_is_whole_without_a_script(report: Path, open_page: Open) -> None:
    page = open_page(report, java_script_enabled=False)
    assert page.locator("#table-0 tbody.sortable tr").count() >= 3
    assert page.locator("#theme").is_hidden() and page.locator("#table-0 input").is_hidden()
    assert page.locator("svg[role=img]").first.is_visible()
    page.locator("summary", has_text="As Markdown").first.click()
    assert page.locator("#table-0-Markdown").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(report: Path, open_page: Open, theme: str) -> None:
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-playwright-python is not installed")
    page = open_page(report, 800, color_scheme=theme, bypass_csp=True)
    for details in page.locator("details").all():
        details.evaluate("d => d.open = true")
    page.evaluate((Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8"))
    result = page.evaluate("axe.run()")
    serious = [
        (v["id"], v["impact"], [n["html"][:200] for n in v["nodes"]][:3])
        for v in result["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert len(result["passes"]) > 20
    assert serious == []


def test_a_plugin_named_like_a_script_shows_as_text(
    scores: Any, write_folder: Any, registry: Registry, open_page: Open
) -> None:
    evil = "<script>alert(1)</script>"
    for metric in ("fid", "samples_per_second"):
        scores.add(evil, metric, [1.0, 1.1]).add("vae", metric, [5.0, 5.1])
    folder = write_folder(scores.scores())
    write_report([folder], folder / "report.html", registry)
    page = open_page(folder / "report.html")
    page.wait_for_timeout(100)
    assert evil in page.locator("#answer").inner_text()
    assert evil in labels(page.locator("#table-0 table").first)


def big_frame() -> pd.DataFrame:
    """50 models × 5 data sets × 5 seeds, eight scores and three snapshots each."""
    from benchbench.store.scores import SCORE_COLUMNS, frame

    rng = np.random.default_rng(0)
    units = {"fid": "min", "precision": "max", "recall": "max", "modes": "max", "mode_kl": "min"}
    costs = {"samples_per_second": "max", "latency_p50_ms": "min", "nfe": "none"}
    rows = []
    for d in range(5):
        for m in range(50):
            for metric, direction in {**units, **costs}.items():
                for seed in range(5):
                    value = float(rng.gamma(4.0 + m % 7, 1.0))
                    row = dict.fromkeys(SCORE_COLUMNS, "")
                    row |= {"dataset": f"data{d}", "model": f"model-{m}", "budget": "600step"}
                    row |= {"seed": seed, "at_fraction": 1.0, "metric": metric, "value": value}
                    row |= {"unit": "1", "direction": direction, "bound": "exact", "n": 1000}
                    row |= {"detail": "{}", "ci_low": None, "ci_high": None, "status": "done"}
                    rows.append(row)
    return frame(rows)


def test_fifty_models_sort_at_once_in_a_small_file(
    write_folder: Any, registry: Registry, open_page: Open, record_property: Any
) -> None:
    folder = write_folder(big_frame())
    path = folder / "report.html"
    write_report([folder], path, registry)
    megabytes = path.stat().st_size / 1e6
    assert megabytes < MEGABYTES
    page = open_page(path)
    seconds = page.evaluate(
        """() => {
            const buttons = [...document.querySelectorAll('#comparison th[aria-sort] button')];
            const began = performance.now();
            for (const button of buttons) button.click();
            document.body.getBoundingClientRect();
            return (performance.now() - began) / 1000 / buttons.length;
        }"""
    )
    record_property("megabytes", round(megabytes, 2))
    record_property("seconds_a_sort", round(seconds, 4))
    print(f"{megabytes:.2f} MB, {1000 * seconds:.1f} ms a sort")
    field = page.locator("#table-0 input")
    field.fill("model-4")
    assert re.match(r"11 of 50 rows", page.locator("#table-0-count").inner_text())
