"""The suites that come with the bench name models, data sets, options and metrics that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbench.registry import Registry
from benchbench.runner.plan import check_suite
from benchbench.runner.suite import embedded_suites, load_suite

SUITES = sorted(embedded_suites())


@pytest.mark.parametrize("name", SUITES)
def test_every_embedded_suite_is_valid(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)
    if "diffusers" in embedded_suites()[name].read_text(encoding="utf-8"):
        pytest.importorskip("diffusers")
    suite = load_suite(name)
    checked = check_suite(suite, Registry.load())
    assert checked.suite.summary
    assert len(checked.runs) >= 3


def test_suites_for_a_gpu_state_hardware_and_hours() -> None:
    for path in embedded_suites().values():
        text = path.read_text(encoding="utf-8")
        if "device: cuda" in text:
            assert "# Hardware:" in text
            assert "Expected:" in text
