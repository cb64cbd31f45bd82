"""From a claim file to one plan: what is trained once, what is measured, what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from benchbench.api import Assets, UsageError
from benchbench.claims.compile import Compiled, Row, compile_claims, rehearsal
from benchbench.claims.schema import ClaimFile, Side
from benchbench.registry import Registry
from benchbench.runner.plan import Cell

BASE = {"hypothesis": "h", "datasets": ["ring8"], "because": "b", "delta": 1.0, "row": "ldm"}


def claim_file(*claims: dict[str, Any], **shared: Any) -> ClaimFile:
    entries = [{"id": f"c{k}", **BASE, **c} for k, c in enumerate(claims)]
    head = {"budget": "100step", "seeds": "0-2", "controls": False}
    return ClaimFile.model_validate({**head, **shared, "claims": entries})


def compiled(*claims: dict[str, Any], **shared: Any) -> Compiled:
    return compile_claims(claim_file(*claims, **shared), Registry.load(), Assets())


def trained(found: Compiled) -> list[Cell]:
    assert found.plan is not None
    return [cell for cell in found.plan.cells if cell.seed is not None]


def test_a_model_that_several_claims_ask_for_is_trained_once() -> None:
    found = compiled(
        {"against": "ldm[steps=4]", "metric": "modes"},
        {"against": "ldm[sampler=stochastic]", "metric": "recall"},
        {"against": "vae", "metric": "nfe"},
    )
    cells = trained(found)
    assert [(c.model, c.seed) for c in cells if c.model == "ldm"] == [("ldm", s) for s in (0, 1, 2)]
    assert len(cells) == 6
    ldm = next(c for c in cells if c.model == "ldm")
    assert {v.label for v in ldm.variants} == {"", "steps=4", "sampler=stochastic"}
    assert {m.name for m in ldm.metrics} == {"modes", "prdc", "speed"}
    vae = next(c for c in cells if c.model == "vae")
    assert {m.name for m in vae.metrics} == {"speed"}  # only what a claim asks of it


def test_budgets_are_trainings_of_their_own() -> None:
    found = compiled({"against": {"budget": "10step"}, "metric": "modes"})
    assert {c.budget for c in trained(found)} == {"100step", "10step"}
    pair = found.sides["c0"]
    assert isinstance(pair.second, Row)
    assert not pair.first.same_training(pair.second)


def test_variants_and_scores_of_the_model() -> None:
    found = compiled(
        {"against": "ldm[steps=4]", "metric": "modes"},
        {"against": {"metric": "noise_variance", "condition": "t=1"}, "metric": "denoise_error"},
    )
    pair = found.sides["c0"]
    assert isinstance(pair.second, Row)
    assert pair.second.variant == "steps=4"
    assert pair.first.same_training(pair.second)
    pair = found.sides["c1"]
    assert isinstance(pair.second, Row)
    assert (pair.second.text, pair.second.condition) == ("ldm", "t=1")


def test_options_of_a_metric_reach_its_scores() -> None:
    found = compiled({"against": 1, "metric": "nfe"}, metrics={"speed": {"batch_sizes": [8]}})
    (metric,) = trained(found)[0].metrics
    assert list(metric.config["batch_sizes"]) == [8]
    with pytest.raises(UsageError, match="unknown metric 'sped'; did you mean 'speed'"):
        compiled({"against": 1, "metric": "nfe"}, metrics={"sped": {}})


def test_controls_are_scored_unless_told_otherwise() -> None:
    found = compiled({"against": "vae", "metric": "modes"}, controls=True)
    assert sum(cell.model == "control" for cell in trained(found)) == 4


def test_data_that_are_not_here_are_missing_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "where", lambda self, name, assets: "not here")
    found = compiled({"against": "vae", "metric": "modes"})
    assert found.plan is None
    assert "--data-dir" in found.missing["ring8"]


def test_a_rehearsal_scales_every_budget() -> None:
    file = claim_file(
        {"against": {"budget": "10step"}, "metric": "modes", "budget": "2e12flop", "seeds": "5-9"},
        budget="60s",
    )
    scaled = rehearsal(file, 0.1, "0,1,2")
    assert (scaled.budget, scaled.seeds) == ("6s", "0,1,2")
    (one,) = scaled.claims
    assert (one.budget, one.seeds) == ("2e11flop", None)
    assert isinstance(one.against, Side)
    assert one.against.budget == "1step"
    assert rehearsal(file, None, None) == file
