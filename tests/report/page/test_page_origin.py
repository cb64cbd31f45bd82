"""The command to rerun plans the same cells; failures are named; gaps are said."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchbench.api import UsageError
from benchbench.cli.run import _with_options
from benchbench.cli.run import run as run_command
from benchbench.registry import Registry
from benchbench.report.page.origin import failures, rerun
from benchbench.report.page.sources import read_results
from benchbench.runner.plan import Plan, check_suite, resolve_plan
from benchbench.runner.suite import Suite, load_suite
from benchbench.store.files import read_json, write_json


def planned(command: str, folder: Path, registry: Registry) -> Plan:
    """The plan that a command of the report would make, without running it."""
    *lines, last = command.splitlines()
    words = shlex.split(last)
    assert words[:2] == ["bench", "run"]
    if lines:
        (folder / words[2]).write_text("\n".join(lines[1:-1]) + "\n", encoding="utf-8")
        words[2] = str(folder / words[2])
    context = run_command.make_context("run", words[2:])
    given = context.params["suite"]
    base = load_suite(given or "default")
    suite = _with_options(base, given is not None, context.params)
    return resolve_plan(check_suite(suite, registry), registry)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"metrics": {"modes": {"n": 77}}, "ceiling_seconds": 50.0},
        {"metrics": {"modes": {}, "cost": {}}, "controls": True},
        {"models": ("gan[loss=wasserstein]", "ldm[width=16]", "ldm[steps=4,width=16]")},
    ],
)
def test_the_command_plans_the_same_cells(
    change: dict[str, Any], tmp_path: Path, registry: Registry
) -> None:
    base = {"models": ("vae", "ldm", "ldm[steps=4]"), "datasets": ("digits", "ring8")}
    suite = Suite.model_validate(
        {**base, "seeds": (0, 2), "budget": "5step", "fractions": (0.5,), **change}
    )
    plan = resolve_plan(check_suite(suite, registry), registry)
    (command,) = rerun(plan, str(tmp_path / "out"), registry)
    assert ("rerun.yaml" in command) == ("ceiling_seconds" in change)
    again = planned(command, tmp_path, registry)
    assert {c.key for c in again.cells} == {c.key for c in plan.cells}
    scores = [
        {c.score_key(v, m) for c in p.cells for v in c.variants for m in c.metrics}
        for p in (plan, again)
    ]
    assert scores[0] == scores[1]


def test_a_merged_plan_takes_a_command_for_each_part(tmp_path: Path, registry: Registry) -> None:
    parts = [
        {"models": ("vae",), "datasets": ("digits",), "seeds": (0, 1)},
        {"models": ("vae", "gan"), "datasets": ("ring8",), "seeds": (0,)},
    ]
    plans = [
        resolve_plan(
            check_suite(
                Suite.model_validate({**p, "budget": "5step", "metrics": {"modes": {}}}), registry
            ),
            registry,
        )
        for p in parts
    ]
    whole = plans[1].merged(plans[0])
    commands = rerun(whole, "out", registry)
    found = {c.key for text in commands for c in planned(text, tmp_path, registry).cells}
    assert found == {c.key for c in whole.cells}
    assert len(commands) == 2


def test_failures_name_the_cell_and_the_reason(
    real_folder: Path, tmp_path: Path, registry: Registry
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(real_folder, folder)
    (result,) = read_results([folder], registry)
    cell = result.cells[-2]
    status = {"status": "error", "reason": "out of <b>memory</b>", "cell": {}}
    write_json(folder / cell.folder / "cell.json", status)
    (result,) = read_results([folder], registry)
    (line,) = failures([result]).rows
    assert line == ("copy", cell.title, "error", "out of <b>memory</b>")
    assert result.counts()["missing"] == 1


def test_what_cannot_be_read_is_a_gap_and_not_a_crash(
    real_folder: Path, tmp_path: Path, registry: Registry
) -> None:
    folder = tmp_path / "old"
    shutil.copytree(real_folder, folder)
    plan = read_json(folder / "plan.json")
    write_json(folder / "plan.json", {**plan, "version": "0.0.1"})
    (result,) = read_results([folder], registry)
    assert result.plan is None and len(result.scores) > 0
    assert re.search("0.0.1", " ".join(result.gaps))


def test_a_killed_run_without_scores_is_read_from_its_cells(
    real_folder: Path, tmp_path: Path, registry: Registry
) -> None:
    folder = tmp_path / "killed"
    shutil.copytree(real_folder, folder)
    (whole,) = read_results([folder], registry)
    (folder / "scores.csv").unlink()
    (result,) = read_results([folder], registry)
    assert len(result.scores) == len(whole.scores)


def test_no_result_folder_is_refused(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(UsageError, match="neither plan"):
        read_results([tmp_path], registry)
