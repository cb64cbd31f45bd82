"""Markdown, LaTeX, CSV and the terminal: what is printed, and that nothing printed is read."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchbench.report.layout import blocks, cell_text, head_parts
from benchbench.report.renderers import to_csv, to_latex, to_markdown, to_rich, write_tables
from benchbench.report.renderers.escape import clean, latex, markdown

NASTY = "a|b_%$[red]&#{}~^\\"
SCRIPT = "<script>alert(1)</script>"


def printed(tables: Any, width: int = 100) -> str:
    console = Console(width=width, record=True, file=io.StringIO(), color_system=None)
    for renderable in to_rich(tables, width):
        console.print(renderable)
    return console.export_text()


def filled(scores: Any) -> Any:
    """A frame with more columns than one table holds."""
    for place, model in enumerate(("ldm", "vae", "gan")):
        for metric in ("fid", "precision", "recall", "modes", "mode_kl", "nll_nats"):
            scores.add(model, metric, [place + 1.0, place + 1.1, place + 1.2])
        for metric in ("samples_per_second", "latency_p50_ms", "nfe", "train_seconds"):
            scores.add(model, metric, [place + 1.0, place + 1.1, place + 1.2])
    return scores.real("fid", 0.1)


GOLDEN = """\
## grid25, budget 1000000flop

| model           | seeds |           FID ↓ | train time (s) |
| :-------------- | :---- | --------------: | -------------: |
| real (held out) | –     |            0.12 |              – |
| ldm             | 2     | **1.00 ± 0.13** |        50 ± 13 |
| vae             | 2     |     9.01 ± 0.13 |        60 ± 13 |

- Every model was given the same FLOPs.
- ±: half the width of the 95 % Student t interval of the mean over seeds (0, 1).
- Bold: the best model of the column, where the interval of its difference to every other model \
excludes zero (Welch's t over seeds, paired by seed for variants of one trained model, 5 % \
Holm-corrected over the column). Held-out and external rows do not compete; a value marked † \
can't win, nor can a lead over a bound that faces the wrong way.
- FID: n = 2,500.

- device: one CPU
"""


def test_golden_markdown(scores: Any) -> None:
    scores.real("fid", 0.12, n=2500)
    scores.add("ldm", "fid", [0.99, 1.01], n=2500).add("vae", "fid", [9.0, 9.02], n=2500)
    scores.add("ldm", "train_seconds", [49.0, 51.0]).add("vae", "train_seconds", [59.0, 61.0])
    assert to_markdown(scores.tables(device="one CPU")) == GOLDEN


def test_wide_tables_stack_quality_over_cost(scores: Any) -> None:
    text = to_markdown(filled(scores).tables())
    quality, cost = text.split("**quality**")[1].split("**cost**")
    assert "FID" in quality and "latency" not in quality
    assert "latency" in cost and "train time" in cost.split("\n- ")[0]
    assert "seeds" not in cost.split("\n- ")[0]
    assert cost.split("\n- ")[0].rstrip().splitlines()[2].split("|")[-2].strip() == "train time (s)"


def test_markdown_cells_stay_in_their_table(scores: Any) -> None:
    scores.add(NASTY, "fid", [1.0]).add(SCRIPT, "fid", [2.0], config="x=`y`,\nz=**w**")
    text = to_markdown(scores.tables(device=SCRIPT))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
    assert "<script" not in text
    assert "**w**" not in text and "`y`" not in text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("[a](http://x)", r"\[a\](http://x)"),
        ("[a]: http://x", r"\[a]: http://x"),
        ("# heading", r"\# heading"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("0.931 ± 0.004", "0.931 ± 0.004"),
        ("latency_p50_ms", "latency_p50_ms"),
        ("_emphasis_", r"\_emphasis\_"),
        ("ldm[steps=8]", "ldm[steps=8]"),
        ("a\x1b[31m\nb\u202e", "a [31m b"),
    ],
)
def test_markdown_escapes(text: str, escaped: str) -> None:
    assert markdown(text) == escaped


def test_latex_specials() -> None:
    assert latex(NASTY) == (
        r"a\textbar{}b\_\%\${[}red{]}\&\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
    assert latex("a--b") == "a-{}-b"
    assert latex("é ± σ ≤ †") == r"é $\pm$ $\sigma$ $\le$ $\dagger$"
    assert latex("模") == "{[}U+6A21{]}"


def test_latex_is_well_formed(scores: Any) -> None:
    """Balanced groups and environments, and in each tabular as many cells as columns."""
    scores.add(NASTY, "fid", [1.0, 2.0, 3.0]).add(SCRIPT, "fid", [7.0, 8.0, 9.0])
    text = to_latex(filled(scores).tables(device=NASTY))
    body = re.sub(r"(?m)^%.*$", "", text)
    assert body.isascii()
    bare = re.sub(r"\\[\\{}%$&#_]", "", body)
    assert bare.count("{") == bare.count("}")
    assert "%" not in bare and "#" not in bare and "_" not in bare and bare.count("$") % 2 == 0
    for name in ("table", "tabular", "minipage"):
        assert body.count(rf"\begin{{{name}}}") == body.count(rf"\end{{{name}}}") > 0
    tabulars = re.findall(r"\\begin{tabular}{([lr]+)}(.*?)\\end{tabular}", body, re.S)
    assert len(tabulars) >= 2
    for spec, content in tabulars:
        assert all(rule in content for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
        lines = [line for line in content.splitlines() if line.endswith(r"\\")]
        assert len(lines) > 2
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(spec) - 1}


def lacks_latex() -> bool:
    find = shutil.which("kpsewhich")
    found = find and shutil.which("pdflatex")
    return not found or subprocess.run([find, "booktabs.sty"], capture_output=True).returncode != 0


@pytest.mark.skipif(lacks_latex(), reason="no pdflatex with booktabs")
def test_latex_compiles_with_booktabs_alone(scores: Any, tmp_path: Path) -> None:
    scores.add(NASTY, "fid", [1.0, 2.0, 3.0]).add("é模", "fid", [7.0, 8.0, 9.0])
    scores.add("[x]", "fid", [1.0]).add("*x", "nll_nats", [1.0], bound="upper")
    body = to_latex(filled(scores).tables(device=NASTY))
    start = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "t.tex").write_text(f"{start}{body}\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


def test_csv_has_every_value_unrounded(scores: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.0 + 1e-9], n=500).add("vae", "fid", [9.0, 9.1], n=500)
    scores.add("ldm", "samples_per_second", [10.0], condition="batch=1")
    scores.add("ldm", "samples_per_second", [99.0], condition="batch=64")
    scores.add("vae", "hidden", [0.5]).add("ldm", "fid", [3.0], budget="60s")
    scores.real("fid", 0.1, n=500).add(NASTY, "fid", [5.0, 5.1], n=500)
    rows = list(csv.DictReader(io.StringIO(to_csv(scores.tables()))))
    found = {(r["model"], r["budget"], r["metric"], r["condition"]): r for r in rows}
    assert len(found) == len(rows) == 8
    best = found["ldm", "1000000flop", "fid", ""]
    assert float(best["mean"]) == 1.0 + 5e-10
    assert (best["n_seeds"], best["bold"], best["bound"], best["unit"], best["direction"]) == (
        *("2", "true", "estimate", "1", "min"),
    )
    assert found["real", "", "fid", ""]["n_seeds"] == "0"
    assert found["ldm", "1000000flop", "samples_per_second", "batch=1"]["mean"] == "10.0"
    assert (NASTY, "1000000flop", "fid", "") in found


def test_csv_keeps_failures(scores: Any) -> None:
    scores.add("vae", "fid", [1.0]).fail("gan", 0, "diverged", "loss, is nan")
    (row,) = [
        r for r in csv.DictReader(io.StringIO(to_csv(scores.tables()))) if r["model"] == "gan"
    ]
    assert (row["mean"], row["status"], row["reason"]) == ("", "diverged", "loss, is nan")


@pytest.mark.parametrize("width", [80, 100, 160])
def test_terminal_cuts_nothing(scores: Any, width: int) -> None:
    section = filled(scores).section()
    text = printed(scores.tables(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for row in section.rows:
        for column, cell in zip(section.columns, row.cells, strict=True):
            assert cell_text(cell, column).compact() in text


def test_terminal_reads_no_markup(scores: Any) -> None:
    scores.add("[red]x[/red]", "fid", [1.0]).add("[/]", "fid", [1.0]).add("\x1b[31mz", "fid", [1.0])
    text = printed(scores.tables(device="[bold]cpu[/bold]"))
    assert "[red]x[/red]" in text and "[/]" in text and "[bold]cpu[/bold]" in text
    assert "\x1b" not in text


def test_large_costs_share_a_prefix(scores: Any) -> None:
    scores.add("ldm", "train_flops", [2.001e12]).add("vae", "train_flops", [2.0e12])
    scores.add("ldm", "samples_per_second", [3_100.0])
    scores.add("vae", "samples_per_second", [2_000_000.0])
    section = scores.section()
    heads = {c.spec.name: head_parts(c)[2] for c in section.columns}
    texts = [
        [cell_text(x, c).value for x, c in zip(row.cells, section.columns, strict=True)]
        for row in section.rows
    ]
    assert heads == {"train_flops": "TFLOP", "samples_per_second": "k samples/s"}
    assert texts == [["3.10", "2.00"], ["2,000", "2.00"]]


def test_digits_are_the_specs_or_three_significant(scores: Any) -> None:
    scores.add("ldm", "fid", [3.14159]).add("ldm", "strange", [0.0123456])
    scores.add("vae", "strange", [0.0987654])
    section = scores.section()
    cells = list(zip(section.rows[0].cells, section.columns, strict=True))
    assert [cell_text(cell, column).value for cell, column in cells] == ["3.14", "0.0123"]
    assert cell_text(section.rows[1].cells[1], section.columns[1]).value == "0.0988"


def test_a_small_interval_is_not_printed_as_zero(scores: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.00001])
    section = scores.section()
    assert cell_text(section.rows[0].cells[0], section.columns[0]).spread == "± <0.01"


def test_blocks_hold_each_shown_column_once(scores: Any) -> None:
    section = filled(scores).section()
    for limit in (1, 2, 3, 5, 9, 20):
        found = blocks(section, lambda columns, seeds, limit=limit: len(columns) <= limit)
        columns = [i for block in found for i in block.columns]
        assert columns == [i for i, c in enumerate(section.columns) if c.shown]
        assert [block.seeds for block in found] == [True] + [False] * (len(found) - 1)
        assert max(len(block.columns) for block in found) <= limit


def test_files_are_written_whole(scores: Any, tmp_path: Path) -> None:
    tables = filled(scores).tables(device="cpu")
    paths = write_tables(tables, tmp_path / "results")
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == [
        *("table.csv", "table.md", "table.tex"),
    ]
    texts = {path.name: path.read_text(encoding="utf-8") for path in paths}
    assert texts["table.md"] == to_markdown(tables)
    assert texts["table.tex"] == to_latex(tables)
    assert texts["table.csv"] == to_csv(tables)


def test_a_failed_row_is_printed_in_every_format(scores: Any) -> None:
    scores.add("vae", "fid", [1.0]).fail("gan", 0, "diverged", "nan")
    tables = scores.tables()
    for text in (to_markdown(tables), to_latex(tables), printed(tables)):
        assert "gan" in text and "0 of 1; 1 diverged" in text


def test_clean_is_one_line() -> None:
    assert clean(" a\tb\r\nc\u2028d ") == "a b c d"
