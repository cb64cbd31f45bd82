"""The guide's ten lines give a verdict, through the command line; a second call runs nothing."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
import yaml

from benchbench.claims.schema import Claim, ClaimFile
from benchbench.cli.main import _guarded

GUIDE = Path(__file__).parents[2] / "docs" / "claim-guide.md"


def example() -> str:
    found = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_guide_s_example_has_ten_lines_and_names_every_key() -> None:
    assert len(example().strip().splitlines()) == 10
    text = GUIDE.read_text(encoding="utf-8")
    for key in (*Claim.model_fields, *ClaimFile.model_fields):
        assert f"`{key}`" in text or key == "claims", f"docs/claim-guide.md does not explain {key}"


@pytest.mark.slow
def test_the_example_gets_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(example(), encoding="utf-8")
    arguments = ["claims", "mine.yaml", "--scale", "0.001", "--seeds", "0-2"]
    assert _guarded([*arguments, "--dry-run"]) == 0
    assert "8 cells to run, 0 done" in capsys.readouterr().out
    assert not Path("results").exists()

    assert _guarded(arguments) == 0
    shown = capsys.readouterr()
    assert "8 cells to run" in shown.err
    out = Path("results") / "mine"
    with (out / "claims.csv").open(encoding="utf-8") as file:
        whole, part = csv.DictReader(file)
    assert whole["verdict"] == part["verdict"]
    assert part["verdict"] in ("supported", "refuted", "inconclusive")
    assert (part["n"], part["paired"], float(part["delta"])) == ("3", "True", 0.01)
    assert float(part["ci_low"]) <= float(part["effect"]) <= float(part["ci_high"])
    assert (out / "figures" / "claim-samplers.png").is_file()
    report = (out / "claims.md").read_text(encoding="utf-8")
    assert f"## samplers: {part['verdict']}" in report
    assert "A rehearsal with --scale 0.001 --seeds 0-2" in report

    before = (out / "claims.csv").read_text(encoding="utf-8")
    assert _guarded([*arguments, "--fail-on", part["verdict"]]) == 1
    shown = capsys.readouterr()
    assert "0 cells to run" in shown.err
    assert f"verdict {part['verdict']}: samplers" in shown.out
    assert (out / "claims.csv").read_text(encoding="utf-8") == before


def test_a_file_without_a_testable_claim_needs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    claim = {"id": "t", "hypothesis": "It writes.", "kind": "text"}
    Path("text.yaml").write_text(yaml.safe_dump({"claims": [claim]}), encoding="utf-8")
    assert _guarded(["claims", "text.yaml"]) == 0
    assert "1 untestable" in capsys.readouterr().out
    assert _guarded(["claims", "text.yaml", "--fail-on", "untestable"]) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"row": "ldmm"}, "claim c: unknown model 'ldmm'; did you mean 'ldm'?"),
        ({"metric": "mode_lk"}, "unknown metric 'mode_lk'; did you mean 'mode_kl'?"),
        ({"metric": "prdc"}, "'prdc' is a group of scores; name one of precision"),
        ({"datasets": ["grid26"]}, "unknown data set 'grid26'; did you mean 'grid25'?"),
        ({"against": "ldm"}, "claim c holds 'ldm' against itself"),
        ({"seeds": "3-1"}, "seed list '3-1'"),
        ({"budget": "60 ducks"}, "unknown budget unit 'ducks'"),
    ],
)
def test_mistakes_end_in_one_line_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], words: str
) -> None:
    words_ = {"id": "c", "hypothesis": "h", "datasets": ["grid25"], "because": "b", "delta": 1}
    claim = {**words_, "row": "ldm", "against": "vae", "metric": "mode_kl", **change}
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump({"claims": [claim]}), encoding="utf-8")
    assert _guarded(["claims", str(file), "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
