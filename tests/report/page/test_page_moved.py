"""Two runs of one plan: what moved, what is equal, what can't be judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from benchbench.registry import Registry
from benchbench.report.page.moved import compare_runs
from benchbench.report.page.sources import joined_scores, read_results
from benchbench.runner.scoring import all_specs


def test_what_moved(scores: Any, write_folder: Any, registry: Registry) -> None:
    scores.add("ldm", "fid", [1.0, 1.1, 0.9]).add("vae", "fid", [5.0, 5.1, 4.9])
    scores.add("ldm", "recall", [0.5, 0.6, 0.7]).add("gan", "fid", [2.0])
    earlier = scores.scores()
    later = earlier.copy()
    later.loc[(later.model == "ldm") & (later.metric == "fid"), "value"] += 3.0
    later.loc[later.metric == "recall", "value"] += 0.01
    later.loc[later.model == "gan", "value"] += 50.0
    later = later[later.model != "none"]
    folders = [write_folder(earlier, "before"), write_folder(later, "after")]
    results = read_results(folders, registry)
    (found,) = compare_runs(results, all_specs(registry))
    assert (found.earlier, found.later) == ("before", "after")
    assert dict(found.counts) == {
        "equal": 1,
        "moved": 1,
        "not judged": 1,
        "within its interval": 1,
    }
    (change,) = found.changes
    assert (change.row, change.better) == ("ldm", "worse")
    assert change.change.startswith("+3 [")
    joined = joined_scores(results)
    assert len(joined) == len(earlier)
    assert joined[(joined.model == "gan")].value.tolist() == [52.0]


def test_different_plans_are_joined_and_not_compared(
    scores: Any, write_folder: Any, registry: Registry
) -> None:
    scores.add("ldm", "fid", [1.0, 2.0]).add("ldm", "fid", [1.0, 2.0], dataset="ring8")
    frame = scores.scores()
    parts = [frame[frame.dataset == name] for name in ("grid25", "ring8")]
    folders = [write_folder(part, f"run{i}") for i, part in enumerate(parts)]
    results = read_results(folders, registry)
    assert compare_runs(results, all_specs(registry)) == []
    assert len(joined_scores(results)) == 4


def test_folders_of_one_name_are_told_apart(
    scores: Any, write_folder: Any, tmp_path: Path, registry: Registry
) -> None:
    frame: pd.DataFrame = scores.add("ldm", "fid", [1.0]).scores()
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        write_folder(frame, f"{place}/same")
    results = read_results([tmp_path / "a" / "same", tmp_path / "b" / "same"], registry)
    assert len({result.name for result in results}) == 2
