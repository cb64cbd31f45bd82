"""The answer's sentences follow from the numbers: leads, ties, and what decides nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchbench.report.page.answer import answer, outcome, what_was_run
from benchbench.report.page.tables import section_views
from benchbench.report.ranking import standing
from benchbench.report.styles import model_styles


def test_a_supported_lead_is_said_and_a_tie_is_said_as_a_tie(scores: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.1, 0.9]).add("vae", "fid", [5.0, 5.1, 4.9])
    scores.add("ldm", "recall", [0.5, 0.6, 0.7]).add("vae", "recall", [0.55, 0.6, 0.69])
    assert answer(scores.section()) == [
        "Quality: ldm leads in FID.",
        "Ties: all models in recall.",
    ]


def test_those_that_share_the_lead_are_named(scores: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.2, 0.8]).add("vae", "fid", [1.1, 1.3, 0.9])
    scores.add("gan", "fid", [9.0, 9.1, 9.2])
    section = scores.section()
    assert answer(section) == [
        "Quality: no model leads in any score.",
        "Ties: ldm and vae in FID.",
    ]
    found = standing(section.rows, 0, section.columns[0])
    assert found is not None and found.tied == (1,) and not found.supported


def test_one_seed_decides_nothing(scores: Any) -> None:
    section = scores.add("ldm", "fid", [1.0]).add("vae", "fid", [9.0]).section()
    (sentence,) = answer(section)
    assert sentence.startswith("One seed")


def test_a_score_that_missed_a_control_is_marked_and_a_bound_decides_nothing(scores: Any) -> None:
    for model, value in (("ldm", 1.0), ("vae", 5.0)):
        scores.add(model, "fid", [value, value + 0.1, value - 0.1])
        bound = "lower" if model == "ldm" else "exact"
        scores.add(model, "nll_nats", [value, value + 0.1, value - 0.1], bound=bound)
    section = scores.section()
    columns = tuple(replace(c, missed=("blur",) * (c.spec.name == "fid")) for c in section.columns)
    assert answer(replace(section, columns=columns)) == [
        "Quality: ldm leads in FID ⚠.",
        "Undecided: NLL (nats) (bounds or reliability do not let the best value lead).",
        "⚠ did not tell every control from real data: FID (blur).",
    ]


def test_cost_stands_apart_from_quality(scores: Any) -> None:
    for model, value in (("ldm", 1.0), ("vae", 5.0)):
        values = [value, value + 0.1, value - 0.1]
        scores.add(model, "fid", values).add(model, "latency_p50_ms", values)
    assert answer(scores.section()) == [
        "Quality: ldm leads in FID.",
        "Cost: ldm leads in latency p50.",
    ]


def test_the_opening_counts_quality_over_all_data_sets(scores: Any) -> None:
    for dataset, sign in (("grid25", 1), ("ring8", -1)):
        for model, value in (("ldm", 5.0 - sign), ("vae", 5.0 + sign)):
            values = [value, value + 0.1, value - 0.1]
            scores.add(model, "fid", values, dataset=dataset)
            scores.add(model, "recall", [0.5, 0.6, 0.7], dataset=dataset)
            scores.add(model, "latency_p50_ms", values, dataset=dataset)
    sections = scores.tables().sections
    said = "Of 4 comparisons of quality, ldm leads in 1 and vae leads in 1; 2 are ties."
    assert outcome(sections) == said
    assert outcome(sections[:1]) == "Of 2 comparisons of quality, ldm leads in 1; 1 is a tie."
    assert what_was_run([], sections) == (
        "ldm and vae on grid25 and ring8, 3 seeds (0, 1 and 2), 1,000,000 FLOP for each training."
    )


def test_the_opening_does_not_compare_one_model_or_one_seed(scores: Any) -> None:
    section = scores.add("ldm", "fid", [1.0, 2.0]).section()
    assert outcome([section]).startswith("No quality score has values of two models")
    one = scores.__class__().add("ldm", "fid", [1.0]).add("vae", "fid", [9.0]).section()
    assert outcome([one]) == "There is one seed, so no difference can be told from chance."
    two = scores.__class__().add("ldm", "fid", [1.0, 1.1]).add("vae", "fid", [9.0, 9.1]).section()
    assert outcome([one, two]) == (
        "Of 1 comparison of quality, ldm leads in 1; 1 more has one seed, which decides nothing."
    )


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("2e12flop", "ldm on grid25, 1 seed (0), 2e12 FLOP for each training."),
        ("20step", "20 steps for each training, which is not the same compute."),
        ("200000img", "200,000 training images for each training, which is not the same compute."),
        ("external", "ldm (external) on grid25, 1 seed (0)."),
    ],
)
def test_budgets_are_said_in_words(scores: Any, budget: str, said: str) -> None:
    section = scores.add("ldm", "fid", [1.0], budget=budget).section()
    assert what_was_run([], [section]).endswith(said)


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
