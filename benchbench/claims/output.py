"""What a judged claim file leaves: claims.md, claims.csv, figures, and the terminal's table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchbench.api.names import short_label, slug
from benchbench.claims.figures import draw_all, draw_claim, has_figure
from benchbench.claims.intervals import ALPHA, file_level
from benchbench.claims.schema import ClaimFile
from benchbench.claims.verdicts import Comparison, Judged
from benchbench.report.canvas import PUBLISHED
from benchbench.report.renderers.escape import clean, markdown
from benchbench.store.files import write_text_atomic

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["COLUMNS", "SIGNS", "to_markdown", "to_table", "write_claims"]

SIGNS = {"supported": "✓", "refuted": "✗", "inconclusive": "?", "untestable": "–"}
COLUMNS = (
    "id",
    "dataset",
    "verdict",
    "effect",
    "ci_low",
    "ci_high",
    "delta",
    "scale",
    "direction",
    "n",
    "n_against",
    "value",
    "against",
    "level",
    "paired",
    "seeds_needed",
    "reason",
    "hypothesis",
    "source",
    "metric",
    "statistic",
)
"""Of claims.csv: a row with an empty data set has the claim's verdict, the others one each."""


def write_claims(file: ClaimFile, judged: Sequence[Judged], out: Path, note: str = "") -> bool:
    """Write claims.md, claims.csv and, as PNG, SVG and PDF, figures/claims and figures/claim-ID
    into the folder.

    note: a line for the head of claims.md, such as that this was a rehearsal. Where the folder has
    the same words, values and figures already, nothing is written again, and False comes back.
    """
    texts = {"claims.md": to_markdown(file, judged, note), "claims.csv": to_csv(file, judged)}
    drawn = [out / figure_name(one) for one in judged if has_figure(one)]
    overview = out / "figures" / "claims.png"
    figures = [*drawn, overview] if drawn else []
    files = [path.with_suffix(kind) for path in figures for kind in PUBLISHED]
    if all(_holds(out / name, text) for name, text in texts.items()) and all(
        path.is_file() for path in files
    ):
        return False
    (out / "figures").mkdir(parents=True, exist_ok=True)
    for one in judged:
        path = out / figure_name(one)
        if path in drawn:
            draw_claim(one, path)
        else:
            for kind in PUBLISHED:  # of an earlier run
                path.with_suffix(kind).unlink(missing_ok=True)
    draw_all(judged, overview)
    for name, text in texts.items():  # last, because they say that the figures are there
        write_text_atomic(out / name, text)
    return True


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def figure_name(judged: Judged) -> Path:
    """Where a claim's figure lies inside the result folder."""
    return Path("figures", f"claim-{slug(judged.claim.id)}.png")


def to_csv(file: ClaimFile, judged: Sequence[Judged]) -> str:
    """One row a claim, and one for each of its data sets."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    level = file_level(file.comparisons)
    for one in judged:
        words = {"id": one.claim.id, "hypothesis": one.claim.hypothesis}
        words |= {"source": one.claim.source, "direction": one.claim.direction}
        words |= {"metric": one.claim.metric or "", "statistic": one.claim.statistic}
        writer.writerow({**words, "verdict": one.verdict, "reason": one.reason})
        for c in one.comparisons:
            writer.writerow({**words, **_fields(c, level)})
    return buffer.getvalue()


def _fields(c: Comparison, level: float) -> dict[str, object]:
    fields = {
        "dataset": c.dataset,
        "verdict": c.verdict,
        "effect": c.shown(c.effect),
        "ci_low": c.shown(c.low),
        "ci_high": c.shown(c.high),
        "delta": c.shown(c.delta),
        "scale": "factor" if c.claim.factor else "difference",
        "n": c.n[0] if c.n else None,
        "n_against": c.n[1] if len(c.n) > 1 else None,
        "value": c.value,
        "against": c.other,
        "level": level,
        "paired": c.paired,
        "seeds_needed": c.needed,
        "reason": c.reason,
    }
    empty = (None, "nan")
    return {
        key: "" if value is None or str(value) in empty else value for key, value in fields.items()
    }


def to_markdown(file: ClaimFile, judged: Sequence[Judged], note: str = "") -> str:
    """A table of verdicts, then a section a claim with its evidence."""
    level = file_level(file.comparisons)
    head = [f"# {markdown(file.name)}"]
    head += [markdown(text) for text in (file.summary, note) if text]
    head.append(
        f"Intervals are at {100 * level:.2f} %: with probability {100 * (1 - ALPHA):g} % all "
        f"{file.comparisons} of this file hold together. An effect is positive where the claim is "
        "right; a factor is above 1. Supported: the whole interval lies above δ; refuted: below δ; "
        "for claims of equality: inside or outside ±δ."
    )
    lines = ["| claim | verdict | hypothesis | effect | δ | seeds |"]
    lines.append("| :-- | :-- | :-- | :-- | --: | --: |")
    for one in judged:
        lines += _table_lines(one)
    return "\n\n".join([*head, "\n".join(lines), *(_section(one) for one in judged)]) + "\n"


def _table_lines(one: Judged) -> list[str]:
    verdict = f"{SIGNS[one.verdict]} {one.verdict}"
    first = f"| {markdown(one.claim.id)} | **{verdict}** | {markdown(one.claim.hypothesis)} |"
    if len(one.comparisons) == 1:
        (only,) = one.comparisons
        return [f"{first} {effect_text(only)} | {delta_text(only)} | {_seeds(only)} |"]
    lines = [f"{first} | | |"]
    for c in one.comparisons:
        name = markdown(short_label(c.dataset))
        cells = f"{effect_text(c)} | {delta_text(c)} | {_seeds(c)}"
        lines.append(f"| | {SIGNS[c.verdict]} {c.verdict} | on {name} | {cells} |")
    return lines


def _section(one: Judged) -> str:
    claim = one.claim
    parts = [f"## {markdown(claim.id)}: {one.verdict}", markdown(claim.hypothesis)]
    if claim.quotation:
        parts.append(f"> {markdown(claim.quotation)}")
    facts = [f"Source: {markdown(claim.source)}"] if claim.source else []
    facts += [f"δ: {markdown(claim.because)}"] if claim.because else []
    facts += [f"Reported: {markdown(claim.reported)}"] if claim.reported else []
    facts += [_measured(c) for c in one.comparisons if c.value is not None]
    facts += [f"Protocol: {markdown(claim.protocol)}"] if claim.protocol else []
    if one.aggregate is not None:
        found = one.aggregate
        facts.append(
            f"Over {found.datasets} data sets: interquartile mean {found.value:.3g} δ "
            f"\\[{found.low:.3g}, {found.high:.3g}\\] (95 %, stratified bootstrap; no part of the "
            "verdict)"
        )
    facts += [f"Why: {markdown(one.reason)}"] if one.reason else []
    parts.append("\n".join(f"- {fact}" for fact in facts))
    if has_figure(one):
        parts.append(f"![{markdown(claim.id)}]({figure_name(one).as_posix()})")
    return "\n\n".join(parts)


def _measured(c: Comparison) -> str:
    name = markdown(short_label(c.dataset))
    first, second = markdown(side_text(c, 0)), markdown(side_text(c, 1))
    return f"Measured on {name}: {first} {c.value:.4g}, {second} {c.other:.4g}"


def side_text(c: Comparison, side: int) -> str:
    """What a side is called: its row, or the number it is held against."""
    claim = c.claim
    if side == 0:
        return claim.row
    other = claim.other()
    if isinstance(other, float):
        return "held against"
    words = [other.row or claim.row]
    words += [f"{key} {value}" for key, value in other if value and key != "row"]
    return ", ".join(words)


def effect_text(c: Comparison) -> str:
    """`0.31 [0.12, 0.50]`, `×3.2 [2.1, 4.9]`, or a dash."""
    if c.effect is None:
        return "–"
    effect, low, high = (c.shown(v) for v in (c.effect, c.low, c.high))
    return f"{'×' if c.claim.factor else ''}{effect:.3g} [{low:.3g}, {high:.3g}]"


def delta_text(c: Comparison) -> str:
    """`0.1`, `±0.1`, `×1.05`, or `×÷1.05` for a factor either way."""
    equal = c.claim.direction == "equal"
    sign = ("×÷" if equal else "×") if c.claim.factor else ("±" if equal else "")
    return f"{sign}{c.shown(c.delta):.3g}"


def _seeds(c: Comparison) -> str:
    return " / ".join(map(str, c.n)) if c.n else "–"


def to_table(judged: Sequence[Judged]) -> Table:
    """The verdicts for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    colours = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("claim", "verdict", "data", "effect [interval]", "δ", "seeds", "why"):
        table.add_column(name, overflow="fold")
    for one in judged:
        many = len(one.comparisons) != 1
        if many:
            word = Text(f"{SIGNS[one.verdict]} {one.verdict}", colours.get(one.verdict, "dim"))
            table.add_row(Text(one.claim.id), word, "", "", "", "", Text(clean(one.reason)))
        for c in one.comparisons:
            word = Text(f"{SIGNS[c.verdict]} {c.verdict}", colours.get(c.verdict, "dim"))
            name = "" if many else one.claim.id
            cells = (short_label(c.dataset), effect_text(c), delta_text(c), _seeds(c), c.reason)
            table.add_row(Text(name), word, *(Text(clean(cell)) for cell in cells))
    return table
