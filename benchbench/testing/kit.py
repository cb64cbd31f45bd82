"""Runs checks on one model: in order, each at most once, those that rest on others after them.

A check that rests on one that failed says nothing of its own: it is skipped and names the cause,
so that one mistake has one failed line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchbench.api import unknown
from benchbench.testing.outcomes import Breach, NotApplicable, Outcome

__all__ = ["Check", "Kit"]


@dataclass(frozen=True)
class Check:
    """One named check.

    run: takes the subject. after: names of the checks whose failure leaves this one without
    meaning. The first line of `run`'s docstring says what it checks.
    """

    name: str
    run: Callable[[Any], None]
    after: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What it checks, in one line."""
        return (self.run.__doc__ or "").strip().splitlines()[0]


class Kit:
    """The checks of one subject.

    expected: reasons of the failures that are known, by check. Such a check that passes is a
    failure: the reason no longer holds.
    """

    def __init__(
        self, checks: Iterable[Check], subject: Any, expected: Mapping[str, str] | None = None
    ) -> None:
        self.checks = {check.name: check for check in checks}
        self.subject, self.expected = subject, dict(expected or {})
        for name, reason in self.expected.items():
            self.check(name)
            if not reason.strip():
                raise ValueError(f"the expected failure of {name!r} has no reason")
        self._outcomes: dict[str, Outcome] = {}

    def check(self, name: str) -> Check:
        """The check of this name; raises UsageError with the nearest name."""
        if name not in self.checks:
            raise unknown("check", name, self.checks)
        return self.checks[name]

    def outcomes(self, names: Iterable[str] = ()) -> Iterator[Outcome]:
        """The outcome of each of these checks, or of all, as they end."""
        for name in list(names) or self.checks:
            yield self.outcome(name)

    def outcome(self, name: str) -> Outcome:
        """How the check of this name ends, with expected failures in mind."""
        found, reason = self._raw(name), self.expected.get(name)
        if reason is None or found.status == "skipped":
            return found
        if found.status == "failed":
            return Outcome(name, "expected", f"{reason} ({found.reason})", found.seconds)
        told = f"passes, though a failure was expected ({reason}): take the expectation back"
        return Outcome(name, "failed", told, found.seconds)

    def _raw(self, name: str) -> Outcome:
        if name not in self._outcomes:
            began = time.perf_counter()
            status, reason = self._attempt(self.check(name))
            seconds = time.perf_counter() - began
            self._outcomes[name] = Outcome(name, status, reason, seconds)
        return self._outcomes[name]

    def _attempt(self, check: Check) -> Any:
        for name in check.after:
            if self._raw(name).status == "failed":
                return "skipped", f"says nothing while {name!r} fails"
        try:
            check.run(self.subject)
        except NotApplicable as reason:
            return "skipped", _one_line(str(reason))
        except Breach as breach:
            return "failed", _one_line(str(breach))
        except Exception as error:
            return "failed", _one_line(f"{type(error).__name__}: {error}")
        return "passed", ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
