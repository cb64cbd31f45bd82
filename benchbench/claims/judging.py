"""A claim file from its scores to its verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchbench.api import ScoreSpec
from benchbench.claims.compile import Compiled
from benchbench.claims.evidence import gather
from benchbench.claims.intervals import file_level
from benchbench.claims.schema import ClaimFile
from benchbench.claims.verdicts import Judged, judge
from benchbench.report.instruments import check_instruments, failing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["judge_file"]


def judge_file(
    file: ClaimFile, compiled: Compiled, scores: pd.DataFrame, specs: Mapping[str, ScoreSpec]
) -> list[Judged]:
    """The verdict of every claim, in the file's order, from the score frame alone."""
    missed = failing(check_instruments(scores, specs))
    level = file_level(file.comparisons)
    judged = []
    for claim in file.claims:
        evidences = [
            gather(
                claim,
                dataset,
                compiled.sides[claim.id],
                scores,
                missed,
                compiled.missing.get(dataset, ""),
            )
            for dataset in claim.datasets
        ]
        judged.append(judge(claim, evidences, level))
    return judged
