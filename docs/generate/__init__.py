"""The parts of the site that follow from the code: made anew at every build, never committed.

A line `<!-- generated: PART ARGUMENT... -->` of a page is replaced by the Markdown that the
function PART of `PARTS` returns for these arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from generate.commands import command_reference
from generate.contracts import api_changes, checks, contract, hook_reference
from generate.files import claim_files, example_table, measured, score_columns, suite_reference
from generate.metrics import control_legend, control_table, metric, metric_index, score
from generate.models import function_options, model, model_index, model_options, resolved
from generate.options import options
from generate.sources import dataset, extractor

__all__ = ["PARTS", "expand"]

PARTS: dict[str, Callable[..., str]] = {
    "api-changes": api_changes,
    "checks": checks,
    "claim-files": claim_files,
    "commands": command_reference,
    "contract": contract,
    "control-legend": control_legend,
    "controls": control_table,
    "dataset": dataset,
    "example-table": example_table,
    "extractor": extractor,
    "function-options": function_options,
    "hooks": hook_reference,
    "measured": measured,
    "metric": metric,
    "metrics": metric_index,
    "model": model,
    "model-options": model_options,
    "models": model_index,
    "options": options,
    "resolved": resolved,
    "score": score,
    "score-columns": score_columns,
    "suites": suite_reference,
}

_LINE = re.compile(r"^<!-- generated: (\S+)((?: \S+)*) -->$", re.MULTILINE)


def expand(text: str, page: str) -> str:
    """The page's Markdown with every generated part in its place.

    Raises ValueError with the page and the line where a part or what it names does not exist.
    """

    def part(found: re.Match[str]) -> str:
        try:
            return PARTS[found[1]](*found[2].split())
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{page}: {found[0]}: {error!r}") from error

    return _LINE.sub(part, text)
