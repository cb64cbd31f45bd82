"""Bold where the seeds support it and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_clear_winner_is_bold(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.1, 0.9]).add("vae", "fid", [9.0, 9.2, 9.1])
    scores.add("gan", "fid", [5.0, 5.2, 5.1])
    assert look(scores.section()).bold("fid") == ["ldm"]


def test_direction_decides_which_end_wins(scores: Any, look: Any) -> None:
    scores.add("ldm", "precision", [0.90, 0.91, 0.92]).add("vae", "precision", [0.5, 0.51, 0.52])
    scores.add("ldm", "nfe", [64, 64, 64]).add("vae", "nfe", [1, 1, 1])
    found = look(scores.section())
    assert found.bold("precision") == ["ldm"]
    assert found.bold("nfe") == []


def test_overlap_leaves_the_column_without_bold(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0, 5.0, 3.0]).add("vae", "fid", [2.0, 6.0, 4.5])
    assert look(scores.section()).bold("fid") == []


def test_second_best_must_be_beaten_too(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.1, 0.9]).add("gan", "fid", [99.0, 99.1, 99.2])
    scores.add("vae", "fid", [1.05, 1.15, 0.95])
    assert look(scores.section()).bold("fid") == []


def test_holm_asks_more_of_more_rivals(scores: Any, look: Any) -> None:
    # Against one rival p = 0.033 < 0.05; two such rivals ask for p <= 0.025 of the smaller.
    scores.add("ldm", "fid", [1.0, 2.0, 3.0]).add("vae", "fid", [3.6, 4.6, 5.6])
    assert look(scores.section()).bold("fid") == ["ldm"]
    scores.add("gan", "fid", [3.6, 4.6, 5.6])
    assert look(scores.section()).bold("fid") == []


def test_held_out_and_external_rows_neither_win_nor_block(scores: Any, look: Any) -> None:
    scores.real("fid", 0.01)
    scores.add("edm", "fid", [0.1, 0.11, 0.12], budget="external")
    scores.add("ldm", "fid", [1.0, 1.1, 0.9]).add("vae", "fid", [9.0, 9.2, 9.1])
    assert look(scores.section()).bold("fid") == ["ldm"]


def test_variants_of_one_model_are_paired(scores: Any, look: Any) -> None:
    """A gap of 0.1 in each seed, under a spread between seeds of 10."""
    scores.add("ldm", "fid", [10.0, 20.0, 30.0])
    scores.add("ldm", "fid", [10.1, 20.11, 30.09], variant="steps=8")
    assert look(scores.section()).bold("fid") == ["ldm"]


def test_models_trained_apart_are_not_paired(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [10.0, 20.0, 30.0])
    scores.add("ldm", "fid", [10.1, 20.11, 30.09], config="width=64")
    assert look(scores.section()).bold("fid") == []


def test_one_seed_is_never_bold(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0]).add("vae", "fid", [50.0])
    assert look(scores.section()).bold("fid") == []


def test_a_lone_model_is_not_bold(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.1, 0.9])
    assert look(scores.section()).bold("fid") == []


def test_spend_is_never_bold(scores: Any, look: Any) -> None:
    scores.add("ldm", "train_seconds", [1.0, 1.1], bound="exact").add("ldm", "fid", [1.0, 1.1])
    scores.add("vae", "train_seconds", [9.0, 9.1], bound="exact").add("vae", "fid", [1.0, 1.1])
    assert look(scores.section()).bold("train_seconds") == []


@pytest.mark.parametrize(
    ("winner", "loser", "bold"),
    [
        ("exact", "exact", ["ldm"]),
        ("upper", "exact", ["ldm"]),  # at most this, so certainly lower
        ("exact", "lower", ["ldm"]),  # the other is at least that
        ("exact", "upper", []),  # the other may be lower than it looks
        ("upper", "upper", []),
        ("lower", "exact", []),  # at least this: may be higher than it looks
    ],
)
def test_a_bound_facing_the_wrong_way_supports_no_lead(
    scores: Any, look: Any, winner: str, loser: str, bold: list[str]
) -> None:
    scores.add("ldm", "nll_nats", [1.0, 1.1, 0.9], bound=winner)
    scores.add("vae", "nll_nats", [9.0, 9.1, 9.2], bound=loser)
    assert look(scores.section()).bold("nll_nats") == bold


def test_an_unreliable_value_does_not_win(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.1, 0.9], detail={"reliable": False})
    scores.add("vae", "fid", [9.0, 9.1, 9.2])
    assert look(scores.section()).bold("fid") == []


def test_infinite_values_support_nothing(scores: Any, look: Any) -> None:
    scores.add("ldm", "fid", [1.0, 1.1]).add("vae", "fid", [float("inf"), float("inf")])
    assert look(scores.section()).bold("fid") == []
