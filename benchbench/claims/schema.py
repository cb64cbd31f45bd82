"""Claim files: what is claimed, of what data, and what would settle it, in YAML.

name: mine
claims:
  - id: sampler
    hypothesis: A stochastic sampler covers the modes more evenly than a deterministic one.
    datasets: [grid25]
    row: ldm[sampler=stochastic]
    against: ldm
    metric: mode_kl
    direction: lower
    delta: 0.01
    because: twice the value of a perfect sampler

A claim is a `statistic` of a `row`'s values over seeds, in a `direction`, against another row or
a number. Every key is checked, and unknown ones are refused with the nearest known one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from benchbench.api import CONTROLS, KINDS, UsageError, unknown
from benchbench.api.config import describe_invalid
from benchbench.runner.config_files import embedded_files, find_file, read_yaml
from benchbench.store.scores import REFERENCE_MODEL

__all__ = ["Claim", "ClaimFile", "Side", "embedded_claims", "load_claims"]

Statistic = Literal["mean", "spread", "share", "slope"]
Direction = Literal["higher", "lower", "equal"]
_WHEN = re.compile(r"\s*(<=|>=|<|>)\s*(\S+)\s*")


class Side(BaseModel):
    """The other side of a comparison, where it differs in more than its row.

    What is left out is as in the claim: `{budget: 2e11flop}` is the same row under another budget.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    row: str | None = None
    budget: str | None = None
    metric: str | None = None
    condition: str | None = None


class Claim(BaseModel):
    """One claim. docs/claim-guide.md explains every key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")
    source: str = ""
    quotation: str = ""
    hypothesis: str = Field(min_length=1)
    kind: str | None = None
    datasets: tuple[str, ...] = ()
    row: str = ""
    against: float | str | Side | None = None
    metric: str = ""
    condition: str = ""
    over: tuple[str, ...] = ()
    when: str = ""
    statistic: Statistic = "mean"
    scale: Literal["linear", "log"] = "linear"
    direction: Direction = "higher"
    delta: float | dict[str, float] = Field(0.0, validate_default=True)
    because: str = ""
    budget: str | None = None
    seeds: str | None = None
    instruments: tuple[str, ...] | None = None
    reported: str = ""
    protocol: str = ""

    @field_validator("against", mode="before")
    @classmethod
    def _side(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        try:
            return Side.model_validate(value)
        except ValidationError as error:
            raise ValueError(describe_invalid(error, Side)) from None

    @field_validator("kind")
    @classmethod
    def _a_missing_kind(cls, kind: str | None) -> str | None:
        if kind in KINDS:
            raise ValueError(f"the bench has data of kind {kind}: name data sets instead")
        return kind

    @field_validator("instruments")
    @classmethod
    def _known_controls(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            if name not in CONTROLS[1:]:
                raise ValueError(str(unknown("control", name, CONTROLS[1:])))
        return names

    @field_validator("delta")
    @classmethod
    def _finite(cls, delta: float | dict[str, float]) -> float | dict[str, float]:
        values = delta.values() if isinstance(delta, dict) else [delta]
        if any(not 0 <= value < float("inf") for value in values):
            raise ValueError("must be a number from 0 up: the smallest difference that matters")
        return delta

    @model_validator(mode="after")
    def _whole(self) -> Claim:
        if self.kind is not None:
            return self
        for key in ("datasets", "row", "because"):
            if not getattr(self, key):
                raise ValueError(f"lacks {key}")
        if self.against is None:
            raise ValueError("lacks against: another row, a number, or real (held-out data)")
        self._check_statistic()
        if isinstance(self.delta, dict) and set(self.delta) != set(self.datasets):
            raise ValueError("delta by data set must name each of datasets, and nothing else")
        least = 1.0 if self.factor else 0.0
        if any(self.delta_on(name) < least for name in self.datasets):
            raise ValueError("delta is a factor here (ratio of the two sides), so at least 1")
        if self.direction == "equal" and any(self.delta_on(n) == least for n in self.datasets):
            raise ValueError("nothing is equal to within nothing: give a delta")
        return self

    def _check_statistic(self) -> None:
        if (self.statistic == "share") != bool(self.when):
            raise ValueError("statistic: share and when (as in '< 20', or failed) go together")
        if self.when and self.when != "failed" and not _WHEN.fullmatch(self.when):
            raise ValueError(f"when is {self.when!r}; write a comparison as in '< 20', or failed")
        if (self.statistic == "slope") != (len(self.over) >= 2):
            raise ValueError("statistic: slope and over (two conditions or more) go together")
        if not self.metric and self.when != "failed":
            raise ValueError("lacks metric")
        if self.scale == "log" and self.statistic in ("share", "slope"):
            raise ValueError("scale: log is for statistic mean or spread")
        if self.statistic == "spread" and isinstance(self.against, float) and self.against <= 0:
            raise ValueError("a spread is held against a number above 0")
        if self.statistic == "slope" and not isinstance(self.against, float):
            raise ValueError("a slope is held against a number")

    @property
    def factor(self) -> bool:
        """Whether effect and delta are factors: ratios of the two sides."""
        return self.statistic == "spread" or self.scale == "log"

    def delta_on(self, dataset: str) -> float:
        """The smallest difference that matters on a data set, as written."""
        return self.delta[dataset] if isinstance(self.delta, dict) else self.delta

    def other(self) -> Side | float:
        """What the row is held against: a side or a number."""
        if isinstance(self.against, str):
            return Side(row=self.against)
        assert self.against is not None
        return self.against

    def counts(self, value: float) -> bool:
        """Whether a finished run counts, for statistic share."""
        found = _WHEN.fullmatch(self.when)
        if found is None:
            return False
        sign, bound = found[1], float(found[2])
        return {
            "<": value < bound,
            "<=": value <= bound,
            ">": value > bound,
            ">=": value >= bound,
        }[sign]


class ClaimFile(BaseModel):
    """All claims that are judged together, and what they share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("claims", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    summary: str = ""
    budget: str = "2e12flop"
    seeds: str = "0-7"
    controls: bool = True
    metrics: dict[str, dict[str, Any]] = Field(default_factory=dict)
    threads: int = Field(1, ge=1, le=1024)
    device: str = "auto"
    plugins: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = Field(min_length=1)

    @property
    def comparisons(self) -> int:
        """How many intervals the file asks for, known before anything is run."""
        return max(1, sum(len(claim.datasets) for claim in self.claims))


def embedded_claims() -> dict[str, Path]:
    """The claim files that come with the bench, by name."""
    return embedded_files("claims")


def load_claims(given: str) -> ClaimFile:
    """Read a claim file, or an embedded one by its name.

    Raises UsageError in one line that names the file, the claim and the key.
    """
    path = find_file(given, "claims", "claim file")
    content = read_yaml(path, f"claim file {given!r}", "claim file")
    if not isinstance(content, dict) or not isinstance(content.get("claims"), list):
        raise UsageError(f"claim file {given!r} has no list `claims`; see docs/claim-guide.md")
    content.setdefault("name", re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip("-_.") or "claims")
    return _checked(given, content)


def _checked(given: str, content: dict[str, Any]) -> ClaimFile:
    claims = [_claim(given, place, entry) for place, entry in enumerate(content["claims"], 1)]
    names = [claim.id for claim in claims]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UsageError(f"claim file {given!r}: id {repeated[0]!r} is used twice")
    for claim in claims:
        side = claim.against if isinstance(claim.against, Side) else None
        if REFERENCE_MODEL in (claim.row, side and side.row):
            raise UsageError(
                f"claim file {given!r}: claim {claim.id}: held-out data can only stand alone "
                f"after against ({REFERENCE_MODEL})"
            )
    try:
        return ClaimFile.model_validate({**content, "claims": claims})
    except ValidationError as error:
        raise UsageError(f"claim file {given!r}: {describe_invalid(error, ClaimFile)}") from None


def _claim(given: str, place: int, entry: Any) -> Claim:
    if not isinstance(entry, dict):
        raise UsageError(f"claim file {given!r}: claim {place} is no mapping of keys to values")
    try:
        return Claim.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = f"claim file {given!r}: claim {entry.get('id', place)}"
        if not first["loc"]:
            message = first["msg"].removeprefix("Value error, ")
            raise UsageError(f"{where} {message}") from None
        raise UsageError(f"{where}: {describe_invalid(error, Claim)}") from None
