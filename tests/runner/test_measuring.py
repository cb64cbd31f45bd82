"""What a metric returns is looked at before it is stored."""

from __future__ import annotations

import math

import pytest

from benchbench.api import PluginError, Score
from benchbench.runner.measuring import check_storable


@pytest.mark.parametrize(
    "score",
    [
        Score("m", math.nan),
        Score("m", 1.0, ci_low=0.0, ci_high=math.inf),
        Score("m", 1.0, detail={"ess": [math.nan]}),
        Score("m", 1.0, detail={"path": object()}),
    ],
)
def test_what_no_file_can_hold_is_named(score: Score) -> None:
    check_storable([Score("good", 1.0, detail={"k": 5})])
    with pytest.raises(PluginError, match=r"^m or its detail is not JSON: "):
        check_storable([Score("good", 1.0), score])
