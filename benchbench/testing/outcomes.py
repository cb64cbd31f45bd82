"""What a check can end in, and the two ways it says so.

A check is a function of its subject that returns where all is well, raises `Breach` where the
contract is broken, and `NotApplicable` where there is nothing to check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from benchbench.api import UsageError

__all__ = ["Breach", "NotApplicable", "Outcome", "Status", "ensure", "loaded"]

Status = Literal["passed", "failed", "skipped", "expected"]


class Breach(AssertionError):
    """The contract is broken: what was found, and what was promised."""


class NotApplicable(Exception):
    """There is nothing to check here, and why."""


@dataclass(frozen=True)
class Outcome:
    """How one check ended.

    reason: why it failed or was skipped; of an expected failure, the reason that was given.
    """

    check: str
    status: Status
    reason: str = ""
    seconds: float = 0.0


def ensure(condition: bool, message: str) -> None:
    """Raise `Breach` with this message unless the condition holds."""
    if not condition:
        raise Breach(message)


def loaded(found: Any, wanted: type[Any]) -> Any:
    """What a plugin's `load` gave, or raised, as what it has to be.

    Raises NotApplicable for a UsageError: its files are not here.
    """
    if isinstance(found, UsageError):
        raise NotApplicable(str(found))
    if isinstance(found, BaseException):
        raise found
    if not isinstance(found, wanted):
        name = f"benchbench.api.{wanted.__name__}"
        raise Breach(f"load returned a {type(found).__name__}, no {name}")
    return found
