"""Every check of an extractor catches its broken one, alone; whole extractors pass them all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from broken_extractors import BROKEN, GOOD

from benchbench.api import Assets, ExtractorSpec
from benchbench.registry import Registry
from benchbench.testing import (
    EXTRACTOR_CHECKS,
    Breach,
    check_extractor,
    extractor_checks,
)


@pytest.mark.parametrize("extractor", GOOD, ids=lambda s: "-".join(sorted(s.kinds)))
def test_an_extractor_that_keeps_the_contract_passes(extractor: ExtractorSpec) -> None:
    outcomes = check_extractor(extractor)
    assert {o.check: o.reason for o in outcomes if o.status == "failed"} == {}
    assert [o.check for o in outcomes] == [c.name for c in EXTRACTOR_CHECKS]


def test_the_first_leaves_no_check_out() -> None:
    assert {o.status for o in check_extractor(GOOD[0])} == {"passed"}


@pytest.mark.parametrize(
    ("extractor", "check"), [b[1:] for b in BROKEN], ids=[b[0].replace(" ", "-") for b in BROKEN]
)
def test_a_broken_extractor_fails_its_check_alone(extractor: ExtractorSpec, check: str) -> None:
    failed = {o.check: o.reason for o in check_extractor(extractor) if o.status == "failed"}
    assert list(failed) == [check], failed


def test_every_check_has_its_broken_extractor() -> None:
    assert {check for _, _, check in BROKEN} == {c.name for c in EXTRACTOR_CHECKS}


@pytest.mark.parametrize("name", [n for n in Registry.load().extractors if n != "inception"])
def test_built_in_extractors_pass(name: str) -> None:
    outcomes = {o.check: o for o in check_extractor(name)}
    assert {o.check: o.reason for o in outcomes.values() if o.status == "failed"} == {}
    assert outcomes["alone"].status == "passed"


def test_weights_that_are_not_here_are_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    outcomes = {o.check: o for o in check_extractor("inception", assets=Assets(cache=tmp_path))}
    assert {o.status for o in outcomes.values()} == {"passed", "skipped"}
    assert outcomes["declared"].status == "passed"
    assert "--inception-weights" in outcomes["features"].reason


def test_parameters_for_pytest() -> None:
    broken = {name: s for name, s, _ in BROKEN}
    found = extractor_checks(broken["centred"], expected_failures={"alone": "on purpose"})
    assert [p.id for p in found] == [c.name for c in EXTRACTOR_CHECKS]
    by_name: dict[str, Callable[[], None]] = {str(p.id): p.values[0] for p in found}
    by_name["features"]()
    with pytest.raises(Breach, match="one by one differ"):
        by_name["alone"]()
