"""The answer's sentences follow from the numbers: leads, ties, and what decides nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchbench.report.page.answer import answer
from benchbench.report.page.tables import section_views
from benchbench.report.ranking import standing
from benchbench.report.styles import model_styles


def test_a_supported_lead_is_said_and_a_tie_is_said_as_a_tie(scores: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.1, 0.9]).add("vae", "fid", [5.0, 5.1, 4.9])
    scores.add("ldm", "recall", [0.5, 0.6, 0.7]).add("vae", "recall", [0.55, 0.6, 0.69])
    assert answer(scores.section()) == [
        "Significant: ldm leads in FID.",
        "Ties: the models are not told apart in recall.",
    ]


def test_those_that_share_the_lead_are_named(scores: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.2, 0.8]).add("vae", "fid", [1.1, 1.3, 0.9])
    scores.add("gan", "fid", [9.0, 9.1, 9.2])
    section = scores.section()
    assert answer(section) == [
        "No model leads significantly in any score.",
        "Ties: ldm and vae share the lead, not told apart in FID.",
    ]
    found = standing(section.rows, 0, section.columns[0])
    assert found is not None and found.tied == (1,) and not found.supported


def test_one_seed_decides_nothing(scores: Any) -> None:
    section = scores.add("ldm", "fid", [1.0]).add("vae", "fid", [9.0]).section()
    (sentence,) = answer(section)
    assert sentence.startswith("One seed")


def test_a_score_that_failed_its_check_and_a_bound_decide_nothing(scores: Any) -> None:
    for model, value in (("ldm", 1.0), ("vae", 5.0)):
        scores.add(model, "fid", [value, value + 0.1, value - 0.1])
        bound = "lower" if model == "ldm" else "exact"
        scores.add(model, "nll_nats", [value, value + 0.1, value - 0.1], bound=bound)
    section = scores.section()
    columns = tuple(replace(c, missed=("blur",) * (c.spec.name == "fid")) for c in section.columns)
    assert answer(replace(section, columns=columns)) == [
        "No model leads significantly in any score.",
        "Undecided: FID (the score failed its instrument check).",
        "Undecided: NLL (nats) (bounds or reliability do not let the best value lead).",
    ]


def test_nothing_to_compare(scores: Any) -> None:
    assert "fewer than two" in answer(scores.add("ldm", "fid", [1.0, 2.0]).section())[0]


def test_ties_are_marked_in_the_table(scores: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.2, 0.8]).add("vae", "fid", [1.1, 1.3, 0.9])
    scores.add("gan", "fid", [9.0, 9.1, 9.2])
    (view,) = section_views(scores.tables(), model_styles(["ldm", "vae", "gan"]))
    cells = {row.label: row.cells[0] for row in view.blocks[0].rows}
    assert [label for label, cell in cells.items() if cell.tie] == ["ldm", "vae"]
    assert not any(cell.text.bold for cell in cells.values())
    assert float(cells["gan"].sort) == 9.1
