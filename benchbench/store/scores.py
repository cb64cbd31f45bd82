"""The tidy score frame: one row a score, the same columns in every result folder."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbench.api import Score, ScoreSpec
from benchbench.api.files import file_digest
from benchbench.store.files import write_bytes_atomic, write_text_atomic

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "IDENTITY",
    "CONTROL_MODEL",
    "EXTERNAL",
    "REFERENCE_MODEL",
    "SCORE_COLUMNS",
    "frame",
    "read_scores",
    "score_row",
    "write_scores",
]

SCORE_COLUMNS = (
    "dataset",
    "model",
    "config",
    "budget",
    "variant",
    "seed",
    "at_fraction",
    "metric",
    "condition",
    "value",
    "unit",
    "direction",
    "bound",
    "n",
    "detail",
    "ci_low",
    "ci_high",
    "status",
    "reason",
    "cell_key",
)
IDENTITY = SCORE_COLUMNS[:9]
"""No two rows of a frame agree in all of these."""

REFERENCE_MODEL = "real"
"""The model name of the row that scores held-out real data; no plugin may take it."""
CONTROL_MODEL = "control"
"""The model name of the rows that score controls; the variant says which one."""
EXTERNAL = "external"
"""The budget of models that were trained elsewhere."""

_TEXT = (
    "dataset",
    "model",
    "config",
    "budget",
    "variant",
    "metric",
    "condition",
    "unit",
    "direction",
    "bound",
    "detail",
    "status",
    "reason",
    "cell_key",
)
_INTEGER = ("seed", "n")


def score_row(
    score: Score,
    spec: ScoreSpec,
    *,
    dataset: str,
    model: str,
    config: str,
    budget: str,
    variant: str,
    seed: int | None,
    cell_key: str,
    at_fraction: float = 1.0,
) -> dict[str, Any]:
    """A score as a row of the frame; unit and direction come from its declaration."""
    return {
        "dataset": dataset,
        "model": model,
        "config": config,
        "budget": budget,
        "variant": variant,
        "seed": seed,
        "at_fraction": at_fraction,
        "metric": score.metric,
        "condition": score.condition,
        "value": score.value,
        "unit": spec.unit,
        "direction": spec.direction,
        "bound": score.bound,
        "n": score.n,
        "detail": json.dumps(score.detail, sort_keys=True),
        "ci_low": score.ci_low,
        "ci_high": score.ci_high,
        "status": score.status,
        "reason": score.reason,
        "cell_key": cell_key,
    }


def frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a frame with the documented columns, order and types.

    Raises ValueError where two rows share one identity.
    """
    import pandas as pd

    table = pd.DataFrame(list(rows), columns=list(SCORE_COLUMNS))
    table = _typed(table)
    repeated = table.duplicated(list(IDENTITY), keep=False)
    if repeated.any():
        first = table.loc[repeated, list(IDENTITY)].iloc[0].to_dict()
        raise ValueError(f"two scores share one identity: {first}")
    return table


def write_scores(path: Path, table: pd.DataFrame) -> None:
    """Write scores.csv atomically, and its checksum beside it; numbers keep all their digits.

    The checksum is written first, with the one before: whenever writing ends, the file has one
    of the two.
    """
    buffer = io.StringIO()
    table.to_csv(buffer, index=False, lineterminator="\n")
    content = buffer.getvalue().encode("utf-8")
    new = hashlib.sha256(content).hexdigest()
    old = [file_digest(path)] if path.is_file() else []
    _write_checksums(path, [new, *old])
    write_bytes_atomic(path, content)
    _write_checksums(path, [new])


def read_scores(path: Path) -> pd.DataFrame:
    """Read a scores.csv.

    Raises ValueError where it is not the file that was written, or its columns are not the
    documented ones. A file without a checksum beside it is read as it is.
    """
    import pandas as pd

    checksums = _checksums(path)
    if checksums.is_file():
        known = checksums.read_text(encoding="utf-8", errors="replace").split()
        if file_digest(path) not in known:
            raise ValueError(
                f"{path} is damaged or was changed: its SHA-256 is not in {checksums.name}; the "
                "same `bench run` writes it anew from the cells"
            )
    try:
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(_TEXT, str),
            keep_default_na=False,
            na_values={n: [""] for n in ("value", "ci_low", "ci_high", *_INTEGER)},
        )
        if tuple(table.columns) != SCORE_COLUMNS:
            raise ValueError(f"it has other columns than a score file: {list(table.columns)[:30]}")
        table = _typed(table)
        for detail in table.detail:
            if detail:
                json.loads(detail)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is no score file: {' '.join(str(error).split())}") from error
    return table


def _checksums(path: Path) -> Path:
    """As `sha256sum -c` reads it."""
    return path.with_name(f"{path.name}.sha256")


def _write_checksums(path: Path, digests: Iterable[str]) -> None:
    lines = (f"{digest}  {path.name}\n" for digest in dict.fromkeys(digests))
    write_text_atomic(_checksums(path), "".join(lines))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    text = dict.fromkeys(_TEXT, "object")
    integer = dict.fromkeys(_INTEGER, "Int64")
    real = dict.fromkeys(("value", "ci_low", "ci_high", "at_fraction"), "float64")
    return table.astype({**text, **integer, **real})
