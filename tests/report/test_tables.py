"""Sections, rows, columns, cells and notes of constructed frames."""

from __future__ import annotations

from typing import Any

import pytest

from benchbench.report.tables import build_tables

DIGITS = {"extractor": "digits-cnn", "extractor_hash": "ab12cd34ef56", "reference": "test"}


def shown(section: Any) -> list[str]:
    return [c.spec.name + (f" {c.suffix}" if c.suffix else "") for c in section.columns if c.shown]


def test_order_of_sections_rows_and_columns(scores: Any) -> None:
    scores.add("ldm", "train_seconds", [60.0], bound="exact").add("ldm", "nfe", [64])
    scores.add("ldm", "recall", [0.9]).add("ldm", "fid", [3.0])
    scores.add("ldm", "recall", [0.8], variant="steps=8")
    scores.real("fid", 0.1).add("edm", "fid", [2.0], budget="external").add("gan", "fid", [4.0])
    scores.add("ldm", "fid", [3.0], dataset="digits")
    first, second = scores.tables().sections
    assert (first.dataset, second.dataset) == ("grid25", "digits")
    labels = [row.label for row in first.rows]
    assert labels == ["real (held out)", "ldm", "ldm[steps=8]", "gan", "edm (external)"]
    assert shown(first) == ["fid", "recall", "nfe", "train_seconds"]


def test_each_budget_is_a_section_and_steps_are_not_compute_equal(scores: Any) -> None:
    scores.real("fid", 0.1).add("edm", "fid", [2.0], budget="external")
    scores.add("ldm", "fid", [3.0], budget="60s").add("ldm", "fid", [3.0], budget="5000step")
    seconds, steps = scores.tables().sections
    assert [row.label for row in seconds.rows] == ["real (held out)", "ldm", "edm (external)"]
    assert [row.label for row in steps.rows] == ["real (held out)", "ldm", "edm (external)"]
    assert "not compute-equal" in steps.title
    assert "not compute-equal" not in seconds.title


def test_cell_is_the_mean_over_seeds(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0, 3.0], n=100)
    cell = look(scores.section()).cell("ldm", "fid")
    assert (cell.value, cell.n_seeds, cell.n) == (2.0, 2, (100,))
    assert cell.ci_low == pytest.approx(2 - 12.7062, abs=1e-4)
    assert not cell.own_interval


def test_one_seed_shows_the_metrics_own_interval_and_says_so(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [3.0], ci_low=2.5, ci_high=3.75).add("vae", "fid", [4.0])
    found = look(scores.section())
    cell = found.cell("ldm", "fid")
    assert (cell.ci_low, cell.ci_high, cell.own_interval) == (2.5, 3.75, True)
    assert found.cell("vae", "fid").ci_low is None
    assert "One seed" in found.notes()


def test_only_scores_of_the_trained_model_count(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [9.0], at_fraction=0.5).add("ldm", "fid", [3.0])
    assert look(scores.section()).cell("ldm", "fid").value == 3.0


@pytest.mark.parametrize(
    ("a", "b", "suffixes"),
    [
        ({"n": 500}, {"n": 2500}, ["n=2500", "n=500"]),
        (
            {"detail": {"reference": "test"}},
            {"detail": {"reference": "train"}},
            ["reference=test", "reference=train"],
        ),
        (
            {"detail": {"extractor": "cnn", "extractor_hash": "1"}},
            {"detail": {"extractor": "inception", "extractor_hash": "2"}},
            ["cnn", "inception"],
        ),
        (
            {"detail": {"extractor": "cnn", "extractor_hash": "0123456789"}},
            {"detail": {"extractor": "cnn", "extractor_hash": "abcdefghij"}},
            ["hash=01234567", "hash=abcdefgh"],
        ),
        ({"detail": {"observation": "sigma"}}, {}, ["no observation", "sigma"]),
    ],
)
def test_scores_that_differ_in_protocol_never_share_a_column(
    scores: Any, look: Any, a: Any, b: Any, suffixes: list[str]
) -> None:
    scores.add("ldm", "fid", [1.0, 1.1], **a).add("vae", "fid", [9.0, 9.1], **b)
    found = look(scores.section())
    assert sorted(c.suffix for c in found.columns("fid")) == suffixes
    for index in (0, 1):
        held = [row.cells[i].value for row in found.section.rows for i in [index]]
        assert held.count(None) == 1
        assert found.bold("fid", index) == []


def test_long_protocols_are_numbered_and_spelt_out_in_the_notes(scores: Any, look: Any) -> None:
    model = "decode(z) + N(0, sigma^2 I), sigma chosen on validation"
    scores.add("ldm", "nll_nats", [1.0], detail={"observation": model}).real("nll_nats", 0.5)
    found = look(scores.section())
    assert sorted(c.suffix for c in found.columns("nll_nats")) == ["protocol 1", "protocol 2"]
    assert f"observation {model}" in found.notes()
    assert "no observation" in found.notes()


def test_n_of_a_cost_is_a_repetition_count_and_splits_nothing(scores: Any, look: Any) -> None:
    scores.add("ldm", "latency_p50_ms", [1.0], n=20).add("vae", "latency_p50_ms", [2.0], n=90)
    assert len(look(scores.section()).columns("latency_p50_ms")) == 1


def test_conditions(scores: Any, look: Any) -> None:
    """Smallest batch of a latency, largest of a throughput; every one is a column."""
    for batch in (1024, 8, 64):
        scores.add("ldm", "latency_p50_ms", [float(batch)], condition=f"batch={batch}")
        scores.add("ldm", "samples_per_second", [float(batch)], condition=f"batch={batch}")
    found = look(scores.section())
    conditions = {
        name: [(c.condition, c.shown) for c in found.columns(name)]
        for name in ("latency_p50_ms", "samples_per_second")
    }
    order = ["batch=8", "batch=64", "batch=1024"]
    assert conditions["latency_p50_ms"] == list(zip(order, (True, False, False), strict=True))
    assert conditions["samples_per_second"] == list(zip(order, (False, False, True), strict=True))


def test_floor_goes_into_the_head(scores: Any, look: Any) -> None:
    for model in ("ldm", "vae"):
        scores.add(model, "mode_kl", [0.05], n=26_000)
        scores.add(model, "mode_kl_floor", [999 / 52_000], n=26_000)
    found = look(scores.section())
    assert shown(found.section) == ["mode_kl"]
    assert found.columns("mode_kl")[0].floor == pytest.approx(0.0192, abs=1e-4)
    assert "0.0192" in found.notes()


def test_floors_that_differ_stay_a_column(scores: Any, look: Any) -> None:
    scores.add("ldm", "mode_kl", [0.05]).add("vae", "mode_kl", [0.05])
    scores.add("ldm", "mode_kl_floor", [0.01]).add("vae", "mode_kl_floor", [0.02])
    found = look(scores.section())
    assert shown(found.section) == ["mode_kl", "mode_kl_floor"]
    assert found.columns("mode_kl")[0].floor is None


def test_hidden_and_unknown_metrics(scores: Any) -> None:
    scores.add("ldm", "hidden", [1.0]).add("ldm", "strange", [1.0]).add("ldm", "fid", [1.0])
    section = scores.section()
    assert shown(section) == ["fid", "strange"]
    assert [c.spec.name for c in section.columns] == ["fid", "hidden", "strange"]


def test_failed_seeds_are_counted_and_told(scores: Any, look: Any) -> None:
    scores.add("gan", "fid", {0: 4.0, 1: 5.0}).fail("gan", 2, "diverged", "loss is nan")
    scores.add("gan", "train_seconds", {2: 7.0}, bound="exact")
    for seed in (0, 1):
        scores.fail("flow", seed, "timeout", "over 60 s")
    found = look(scores.section())
    assert found.row("gan").seeds == "2 of 3; 1 diverged"
    assert found.row("flow").seeds == "0 of 2; 2 timeout"
    assert found.cell("gan", "fid").value == 4.5
    assert "‡" not in found.cell("gan", "fid").marks
    assert "gan, seed 2: diverged: loss is nan" in found.notes()
    assert "flow, seeds 0, 1: timeout: over 60 s" in found.notes()


def test_a_variant_counts_the_failures_of_its_model(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0]).add("ldm", "fid", [2.0], variant="steps=8")
    scores.fail("ldm", 1, "diverged", "nan")
    found = look(scores.section())
    assert found.row("ldm").seeds == found.row("ldm[steps=8]").seeds == "1 of 2; 1 diverged"


def test_a_metric_that_fails_on_one_seed_is_marked(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0, 2.0]).add("ldm", "recall", {0: 0.9})
    scores.add("ldm", "recall", {1: None}, status="error", reason="out of memory")
    found = look(scores.section())
    assert found.row("ldm").seeds == "2"
    assert found.cell("ldm", "recall").marks == ("‡",)
    assert "out of memory" in found.notes()


def test_skipped_metrics_say_why(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0]).add("ldm", "nll_nats", [2.0])
    scores.add("vae", "fid", [1.0])
    scores.add("vae", "nll_nats", [None], status="skipped", reason="no decoder")
    for model in ("ldm", "vae"):
        scores.add(model, "recall", [None], status="skipped", reason="no feature space")
    found = look(scores.section())
    assert found.cell("vae", "nll_nats").value is None
    assert "–: NLL (nats) of vae: skipped: no decoder" in found.notes()
    assert "Not measured here: recall (skipped: no feature space)" in found.notes()
    assert shown(found.section) == ["fid", "nll_nats"]


def test_bounds_and_doubts_are_marked(scores: Any, look: Any) -> None:
    doubt = {"reliable": False, "unreliable_reason": "effective sample size 3"}
    scores.add("ldm", "nll_nats", [2.0], bound="upper").add("vae", "nll_nats", [2.0], bound="lower")
    scores.add("gan", "nll_nats", [2.0], detail=doubt)
    found = look(scores.section())
    assert [found.cell(m, "nll_nats").bound for m in ("ldm", "vae")] == ["upper", "lower"]
    assert found.cell("gan", "nll_nats").marks == ("†",)
    assert "†: unreliable, NLL (nats) of gan: effective sample size 3" in found.notes()
    assert "≤: an upper bound" in found.notes() and "≥: a lower bound" in found.notes()


def test_scores_of_the_trained_model_are_not_repeated_for_its_variants(
    scores: Any, look: Any
) -> None:
    scores.add("ldm", "fid", [1.0]).add("ldm", "fid", [2.0], variant="steps=8")
    scores.add("ldm", "nll_nats", [5.0])
    found = look(scores.section())
    assert found.cell("ldm[steps=8]", "nll_nats").status == "same"
    assert "same: belongs to the trained model" in found.notes()


def test_a_model_sampled_in_variants_only_has_no_empty_row(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [2.0], variant="steps=8")
    scores.add("ldm", "nll_nats", [5.0]).add("ldm", "train_seconds", [60.0], bound="exact")
    found = look(scores.section())
    assert [row.label for row in found.section.rows] == ["ldm[steps=8]"]
    assert found.cell("ldm[steps=8]", "nll_nats").value == 5.0


def test_a_ceiling_that_ended_training_is_marked(scores: Any, look: Any) -> None:
    scores.add("ldm", "train_seconds", [60.0], detail={"ceiling_reached": True})
    assert look(scores.section()).cell("ldm", "train_seconds").marks == ("§",)


def test_a_done_score_without_a_number_is_an_error(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [float("nan")]).add("vae", "fid", [1.0])
    assert look(scores.section()).cell("ldm", "fid").status == "error"


def test_metrics_that_share_a_label_are_told_apart(scores: Any) -> None:
    from benchbench.api import ScoreSpec

    specs = {n: ScoreSpec(n, u, "min", "NLL") for n, u in (("a", "nats"), ("b", "bits/dim"))}
    scores.add("ldm", "a", [1.0]).add("ldm", "b", [1.0])
    (section,) = build_tables(scores.scores(), specs, {}).sections
    assert [c.spec.label for c in section.columns] == ["NLL [nats]", "NLL [bits/dim]"]


def test_a_frame_with_other_columns_is_refused(scores: Any) -> None:
    frame = scores.add("ldm", "fid", [1.0]).scores().drop(columns="bound")
    with pytest.raises(ValueError, match="a score frame has the columns"):
        build_tables(frame, {}, {})


def test_an_empty_frame_gives_no_section(scores: Any) -> None:
    assert scores.tables().sections == ()
