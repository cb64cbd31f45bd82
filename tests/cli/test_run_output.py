"""What a run leaves: tables rewritten now and then while cells end; the report, opened."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchbench.cli import output, report
from benchbench.cli.main import main
from benchbench.cli.output import PAUSE, SHARE, Output
from benchbench.registry import Registry


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(output.time, "monotonic", lambda: now.seconds)
    return now


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace) -> Any:
    """An output that counts what it writes. cost: seconds that writing the tables takes."""
    found = SimpleNamespace(tables=0, pictures=0, cost=0.0)

    class Drawing:
        def draw_cell(self, cell: Any) -> None:
            found.pictures += 1

    def tables(self: Output) -> None:
        found.tables += 1
        clock.seconds += found.cost

    monkeypatch.setattr(Output, "_tables", tables)
    monkeypatch.setattr(Output, "_drawing", lambda self: Drawing())
    job: Any = None
    found.refresh = Output(job, Registry({}, {}, {}, {})).refresh
    return found


def test_cells_that_end_together_share_a_rewrite(watched: Any, clock: SimpleNamespace) -> None:
    for _ in range(100):
        watched.refresh(None)
    assert (watched.tables, watched.pictures) == (1, 100)
    clock.seconds += PAUSE
    watched.refresh(None)
    assert watched.tables == 2


def test_large_tables_take_a_small_part_of_the_time(watched: Any, clock: SimpleNamespace) -> None:
    watched.cost = 30.0
    began = clock.seconds
    while watched.tables < 20:
        watched.refresh(None)
        clock.seconds += 1.0
    assert 19 * watched.cost / (clock.seconds - began) <= SHARE * 1.01


def test_open_shows_the_report_that_the_run_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(report.webbrowser, "open", opened.append)
    arguments = ["--models", "vae", "--datasets", "ring8", "--seeds", "0", "--budget", "2step"]
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as ended:
        main(["run", *arguments, "--metrics", "cost", "--out", str(out), "--open"])
    assert ended.value.code == 0
    page = out / "report.html"
    assert opened == [page.as_uri()] and "vae on ring8" in page.read_text(encoding="utf-8")
    assert f"report   {page}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["report", str(out), "-o", str(tmp_path / "r.html"), "--open"])
    assert opened[1:] == [(tmp_path / "r.html").as_uri()]
    monkeypatch.setenv("CI", "1")
    with pytest.raises(SystemExit):
        main(["report", str(out), "--open"])
    assert len(opened) == 2
