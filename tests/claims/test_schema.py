"""Claim files: what is read, and what is refused in one line that names claim and key."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from claim_cases import claim

from benchbench.api import UsageError
from benchbench.claims.schema import Side, embedded_claims, load_claims

GOOD = {
    "id": "c",
    "hypothesis": "a is better",
    "datasets": ["grid25"],
    "row": "ldm",
    "against": "vae",
    "metric": "mode_kl",
    "direction": "lower",
    "delta": 0.1,
    "because": "said so",
}


def load(path: Path, **change: Any) -> Any:
    entry = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
    file = path / "claims.yaml"
    file.write_text(yaml.safe_dump({"claims": [entry]}))
    return load_claims(str(file))


def test_a_claim_is_read_with_the_file_s_defaults(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert found.name == "claims"
    assert found.seeds == "0-7"
    assert found.comparisons == 1
    assert found.claims[0].other() == Side(row="vae")
    assert load(tmp_path, against=3).claims[0].other() == 3.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"detla": 1}, "claim c: unknown key 'detla'; did you mean 'delta'?"),
        ({"delta": -1}, "delta is -1"),
        ({"direction": "better"}, "direction is 'better'"),
        ({"datasets": None}, "claim c lacks datasets"),
        ({"because": None}, "claim c lacks because"),
        ({"against": None}, "lacks against"),
        ({"against": {"bugdet": "1s"}}, "did you mean 'budget'?"),
        ({"direction": "equal", "delta": 0}, "nothing is equal to within nothing"),
        ({"scale": "log", "delta": 0.5}, "delta is a factor here"),
        ({"instruments": ["blurr"]}, "did you mean 'blur'?"),
        ({"statistic": "share"}, "statistic: share and when"),
        ({"statistic": "spread", "against": 0, "delta": 2}, "a number above 0"),
        ({"when": "< 3"}, "statistic: share and when"),
        ({"statistic": "share", "when": "few"}, "write a comparison"),
        ({"statistic": "slope", "over": ["n=1"]}, "slope and over"),
        ({"delta": {"ring8": 1.0}}, "must name each of datasets"),
        ({"kind": "image"}, "name data sets instead"),
        ({"row": "real"}, "held-out data can only stand alone after against"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, **change)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ids_are_unique_and_files_are_found(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump({"claims": [GOOD, deepcopy(GOOD)]}))
    with pytest.raises(UsageError, match="id 'c' is used twice"):
        load_claims(str(file))
    with pytest.raises(UsageError, match="did you mean 'article'"):
        load_claims("artcle")


@pytest.mark.parametrize(
    ("when", "value", "counts"),
    [("< 20", 19, True), ("< 20", 20, False), (">= 2", 2, True), ("failed", 0, False)],
)
def test_when_compares(when: str, value: float, counts: bool) -> None:
    assert claim(statistic="share", when=when).counts(value) is counts


def test_the_article_has_all_its_claims() -> None:
    """S1 to S12; where models are compared, 8 seeds or more; every testable part has its delta."""
    from benchbench.runner.selection import read_seeds

    file = load_claims("article")
    assert {c.id.partition(".")[0] for c in file.claims} == {f"S{k}" for k in range(1, 13)}
    assert {c.kind for c in file.claims if c.kind} == {"text", "speech"}
    for found in file.claims:
        assert len(read_seeds(found.seeds or file.seeds)) >= 8
    assert set(embedded_claims()) >= {"article", "published-mode-collapse"}
    assert all(c.reported and c.protocol for c in load_claims("published-mode-collapse").claims)
