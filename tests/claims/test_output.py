"""What a judged file leaves on disk and shows in a terminal."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from claim_cases import SEEDS, claim, row, rows, scores
from rich.console import Console

from benchbench.claims.compile import Compiled, Sides
from benchbench.claims.judging import judge_file
from benchbench.claims.output import COLUMNS, to_csv, to_markdown, to_table, write_claims
from benchbench.claims.schema import ClaimFile
from benchbench.claims.verdicts import Judged

A = [1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.0, 1.1]


@pytest.fixture
def file() -> ClaimFile:
    words = {"source": "a paper", "quotation": "a | b", "reported": "3.2", "protocol": "as there"}
    claims = (
        claim(id="far", **words),
        claim(id="two", datasets=["grid25", "ring8"], scale="log", delta=2.0),
        claim(id="same", direction="equal", delta=0.5),
        {"id": "text", "hypothesis": "It writes.", "kind": "text"},
    )
    return ClaimFile.model_validate({"name": "mine", "claims": claims})


@pytest.fixture
def frame() -> pd.DataFrame:
    return scores(rows("a", A), rows("b", [v + 3 for v in A]))


@pytest.fixture
def judged(file: ClaimFile, frame: pd.DataFrame) -> list[Judged]:
    pair = Sides(row("a"), row("b"), SEEDS)
    sides = {c.id: pair for c in file.claims if c.kind is None}
    return judge_file(file, Compiled(None, sides, {}), frame, {})


def test_the_csv_has_a_row_a_claim_and_one_a_data_set(
    file: ClaimFile, judged: list[Judged]
) -> None:
    found = list(csv.DictReader(io.StringIO(to_csv(file, judged))))
    assert tuple(found[0]) == COLUMNS
    whole = {r["id"]: r["verdict"] for r in found if not r["dataset"]}
    assert whole == {
        "far": "supported",
        "two": "inconclusive",
        "same": "refuted",
        "text": "untestable",
    }
    parts = {(r["id"], r["dataset"]): r for r in found if r["dataset"]}
    assert float(parts["far", "grid25"]["effect"]) == pytest.approx(3.0)
    assert parts["two", "grid25"]["scale"] == "factor"
    assert float(parts["two", "grid25"]["effect"]) == pytest.approx(4.0, rel=0.02)
    assert float(parts["two", "grid25"]["delta"]) == pytest.approx(2.0)
    assert parts["two", "ring8"]["verdict"] == "untestable"
    assert parts["two", "ring8"]["effect"] == ""
    assert "too few runs" in parts["two", "ring8"]["reason"]
    assert float(parts["far", "grid25"]["level"]) == pytest.approx(1 - 0.05 / 4)


def test_the_report_tells_the_evidence(file: ClaimFile, judged: list[Judged]) -> None:
    text = to_markdown(file, judged)
    assert "| far | **✓ supported** | a is better | 3 [" in text
    assert "×3.99 [" in text
    assert "> a \\| b" in text
    for words in ("Reported: 3.2", "Protocol: as there", "Source: a paper", "Measured on grid25"):
        assert words in text
    assert "no data of kind 'text'" in text


def test_files_and_figures_are_written_and_stay_the_same(
    tmp_path: Path, file: ClaimFile, judged: list[Judged]
) -> None:
    write_claims(file, judged, tmp_path / "a")
    before = {p.name: p.read_bytes() for p in (tmp_path / "a" / "figures").iterdir()}
    stems = ("claims", "claim-far", "claim-two", "claim-same")
    assert set(before) == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg", "pdf")}
    write_claims(file, judged, tmp_path / "b")
    assert {p.name: p.read_bytes() for p in (tmp_path / "b" / "figures").iterdir()} == before


def test_a_figure_goes_where_its_claim_has_no_effect_any_more(
    tmp_path: Path, file: ClaimFile, judged: list[Judged]
) -> None:
    write_claims(file, judged, tmp_path)
    nothing = [replace(one, comparisons=()) for one in judged]
    write_claims(file, nothing, tmp_path)
    assert not list((tmp_path / "figures").glob("claim-*"))


def test_the_terminal_s_table_has_every_verdict(judged: list[Judged]) -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(to_table(judged))
    text = console.export_text()
    for words in ("✓ supported", "✗ refuted", "? inconclusive", "– untestable"):
        assert words in text


def test_what_is_there_already_is_not_drawn_again(
    tmp_path: Path, file: ClaimFile, judged: list[Judged]
) -> None:
    assert write_claims(file, judged, tmp_path)
    figures = sorted(tmp_path.glob("figures/*"))
    before = {path: path.stat().st_mtime_ns for path in figures}
    assert not write_claims(file, judged, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in figures} == before
    for stem in ("claim-", "claims."):
        gone = next(path for path in figures if path.suffix == ".svg" and stem in path.name)
        gone.unlink()
        assert write_claims(file, judged, tmp_path)
        assert gone.is_file()
