"""The built site: every entry is there, links lead somewhere, and nothing asks the network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import click
import pytest
import yaml
from site_cases import ROOT, Page

import benchbench.api as api
from benchbench.api import CAPABILITIES, CONTROLS, hooks
from benchbench.api.data import Dataset
from benchbench.cli.main import bench
from benchbench.registry import Registry
from benchbench.runner.config_files import embedded_files
from benchbench.runner.plan import Assets
from benchbench.runner.scoring import all_specs
from benchbench.runner.suite import Suite, embedded_suites
from benchbench.store.scores import SCORE_COLUMNS

Site = dict[str, Page]
REGISTRY = Registry.load()
OURS = "benchbench"
MODELS = {n: e.spec for n, e in REGISTRY.models.items() if e.owner == OURS}
METRICS = {n: e.spec for n, e in REGISTRY.metrics.items() if e.owner == OURS}
DATASETS = {n: e.spec for n, e in REGISTRY.datasets.items() if e.owner == OURS}
EXTRACTORS = {n: e.spec for n, e in REGISTRY.extractors.items() if e.owner == OURS}
SCORES = [*(s.name for m in METRICS.values() for s in m.scores), *all_specs(Registry())]


def missing(site: Site, page: str, anchors: list[str]) -> list[str]:
    """The anchors that a page lacks."""
    assert anchors
    return [anchor for anchor in anchors if anchor not in site[page].ids]


def options_in(section: str) -> set[str]:
    """The names in the first column of the tables of a piece of HTML."""
    return set(
        re.findall(r"<tr>\s*<td[^>]*>\s*(?:<span[^>]*></span>)?<code>([^<]+)</code>", section)
    )


def test_the_strict_build_would_pass(built: Any) -> None:
    assert not built.warnings


def test_every_hook_and_every_name_of_the_api_has_an_entry(site: Site) -> None:
    names = [f"hook-{name}" for name in hooks.__all__ if name.startswith("bench_")]
    assert not missing(site, "hooks.html", names)
    assert not missing(site, "hooks.html", [f"api-{name}" for name in api.__all__])


def test_every_public_method_of_a_contract_is_described(site: Site) -> None:
    for name in ("Model", "Training", "Evaluation", "Extractor", "Dataset"):
        members = [m for m in vars(getattr(api, name)) if not m.startswith("_")]
        fields = getattr(Dataset, "__dataclass_fields__", {})
        wanted = [f"api-{name}.{m}" for m in members if m not in fields and m != "built_in_fit"]
        assert not missing(site, "hooks.html", [w for w in wanted if "name" not in w])


def test_every_model_and_every_option_of_it_has_an_entry(site: Site) -> None:
    assert not missing(site, "models.html", [f"model-{name}" for name in MODELS])
    for name, spec in MODELS.items():
        section = site["models.html"].section(f"model-{name}")
        listed = options_in(section)
        inherited = options_in(site["models.html"].section("model-gan"))
        refers = 'href="#model-gan"' in section and name != "gan"
        for option in (*spec.config.model_fields, *spec.sampling.model_fields):
            assert option in listed or (refers and option in inherited), f"{name}: {option}"


def test_an_option_stands_with_its_default(site: Site) -> None:
    text = site["models.html"].text
    for option, default in [("kl_weight", "none"), ("sampler", "heun"), ("logit", "0.05")]:
        assert re.search(
            rf"\| {option} ?\n? ?\| {re.escape(default)}\s", text.replace("\n | ", " | ")
        ), option


def test_every_metric_has_its_source_and_its_options(site: Site) -> None:
    page = site["metrics.html"]
    assert not missing(site, "metrics.html", [f"metric-{name}" for name in METRICS])
    for name, spec in METRICS.items():
        section = page.section(f"metric-{name}")
        assert re.search("source</strong>|Source.</strong>", section), f"{name} has no source"
        assert options_in(section) >= set(spec.config.model_fields), name


@pytest.mark.parametrize("name", dict.fromkeys(SCORES))
def test_every_score_has_all_its_parts(site: Site, name: str) -> None:
    section = site["metrics.html"].section(f"score-{name}")
    parts = ["Definition", "Formula", "Pitfalls"]
    if name not in all_specs(Registry()):
        parts.append("Controls")
    for part in parts:
        assert f"<strong>{part}.</strong>" in section, f"{name} has no {part.lower()}"


def test_controls_are_those_of_the_committed_run(site: Site) -> None:
    assert not [
        c for c in CONTROLS if f"| {c}" not in re.sub(r"\s*\n\s*", " ", site["metrics.html"].text)
    ]
    section = site["metrics.html"].section("score-coverage")
    assert "stacked-digits" in section and "✓" in section


def test_every_data_set_and_extractor_has_an_entry(site: Site) -> None:
    assert not missing(site, "datasets.html", [f"data-{name}" for name in DATASETS])
    assert not missing(site, "extractors.html", [f"extractor-{name}" for name in EXTRACTORS])
    overview = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    for name in DATASETS:
        assert re.search(rf"^\|.*`{name}[:`].*\|.*\|$", overview, re.MULTILINE), name


@pytest.mark.parametrize("name", ["ring8", "digits", "stacked-digits", "pulse"])
def test_stated_sizes_of_splits_are_the_data_s(name: str) -> None:
    data = REGISTRY.load_dataset(name, Assets.of_user())
    overview = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    line = next(x for x in overview.splitlines() if x.startswith("| `") and f"`{name}`" in x)
    sizes = [f"{len(data.split(s)):,}" for s in ("train", "validation", "test")]
    assert [cell.strip() for cell in line.split("|")[2:5]] == sizes


def test_every_suite_key_and_claim_file_has_an_entry(site: Site) -> None:
    assert not missing(site, "suites.html", [f"suite-{name}" for name in embedded_suites()])
    assert options_in(site["suites.html"].path.read_text(encoding="utf-8")) >= set(
        Suite.model_fields
    )
    assert set(embedded_files("claims")) <= options_in(
        site["claim-guide.html"].path.read_text(encoding="utf-8")
    )


def test_the_example_of_a_suite_is_a_suite() -> None:
    text = (ROOT / "docs" / "suites.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    suite = Suite.model_validate(yaml.safe_load(found[1]))
    assert set(suite.metrics) <= set(METRICS) and set(suite.datasets) <= set(DATASETS)


def test_every_command_and_option_has_an_entry(site: Site) -> None:
    for name, command in bench.commands.items():
        options = [p for p in command.params if isinstance(p, click.Option)]
        anchors = [f"bench-{name}{max(option.opts, key=len)}" for option in options]
        assert not missing(site, "cli.html", [f"bench-{name}", *anchors])


def test_every_column_of_the_scores_is_explained(site: Site) -> None:
    rows = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    described = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", rows, re.MULTILINE)
    names = [name for cell in described for name in re.findall(r"`(\w+)`", cell)]
    assert names[: len(SCORE_COLUMNS)] == list(SCORE_COLUMNS)


def test_every_capability_is_in_the_guide(site: Site) -> None:
    page = site["plugin-guide.html"].path.read_text(encoding="utf-8")
    assert set(CAPABILITIES) <= options_in(page)


def test_internal_links_resolve(site: Site) -> None:
    folder = site["index.html"].path.parent
    checked = 0
    for name, page in site.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link) or name == "404.html":
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (page.path.parent / path).resolve() if path else page.path
            if target.is_dir():
                target /= "index.html"
            assert target.is_file(), f"{name}: {link}"
            key = target.relative_to(folder.resolve()).as_posix()
            assert not anchor or anchor in site[key].ids or anchor == "__codelineno", (
                f"{name}: {link}"
            )
            checked += 1
    assert checked > 200


def test_no_page_asks_the_network_for_anything(site: Site) -> None:
    folder = site["index.html"].path.parent
    for name, page in site.items():
        away = [a for a in page.assets if re.match(r"(https?:)?//", a)]
        assert not away, f"{name} loads {away}"
        assert len(page.assets) >= 3
    for sheet in folder.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"""(url\(|@import )\s*["']?(https?:)?//""", text), sheet.name


def test_no_page_names_the_machine_it_was_built_on(site: Site) -> None:
    for name, page in site.items():
        text = page.path.read_text(encoding="utf-8")
        for word in (str(ROOT), str(Path.home()) + "/"):
            assert word not in text, f"{name} names {word}"
