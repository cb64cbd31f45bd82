"""Errors with a reader in mind: what was wrong, what was given, what is allowed, what to do.

`BenchError` and its children carry one line for a person. The command line prints that line and
never a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BenchError",
    "Diverged",
    "NotAvailable",
    "PluginError",
    "UsageError",
    "describe",
    "nearest",
    "one_line",
    "unknown",
]

_LONGEST = 600
"""Characters of a message; of a longer one the middle is left out."""


class BenchError(Exception):
    """Base of every error whose message is written for the user of the bench."""


class UsageError(BenchError):
    """The user asked for something that cannot be; the command line exits with code 2."""


class PluginError(BenchError):
    """A plugin breaks its contract: the message names the plugin, its owner and the breach."""


class NotAvailable(BenchError):
    """A measure or capability does not apply here; becomes a row `skipped` with this reason."""


class Diverged(Exception):
    """Training left the finite numbers; becomes a row with status `diverged`, not an error."""


def nearest(given: str, allowed: Iterable[str]) -> str | None:
    """The allowed name closest to `given`, or None where nothing is close.

    >>> nearest("grid52", ["ring8", "grid25"])
    'grid25'
    """
    names = list(allowed)
    folded = {name.lower(): name for name in names}
    found = difflib.get_close_matches(given.lower(), list(folded), n=1, cutoff=0.5)
    return folded[found[0]] if found else None


def unknown(what: str, given: str, allowed: Iterable[str], hint: str = "") -> UsageError:
    """The one-line error for a name that is not among those allowed.

    >>> print(unknown("data set", "grid52", ["ring8", "grid25"]))
    unknown data set 'grid52'; did you mean 'grid25'? Allowed: grid25, ring8
    """
    names = sorted(set(allowed))
    close = nearest(given, names)
    guess = f"; did you mean {close!r}?" if close else ";"
    listed = ", ".join(names) if names else "none"
    tail = f". {hint}" if hint else ""
    return UsageError(f"unknown {what} {given!r}{guess} Allowed: {listed}{tail}")


def one_line(text: str) -> str:
    """Any text as one printable line of bounded length: control characters are written as escapes.

    >>> one_line("a\\n  b\\x1b[2J")
    'a b\\\\x1b[2J'
    """
    flat = " ".join(text[: 4 * _LONGEST].split())
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in flat)
    if len(plain) <= _LONGEST and len(text) <= 4 * _LONGEST:
        return plain
    return f"{plain[: _LONGEST - 100]} […] {one_line(text[-100:])}"


def describe(error: BaseException) -> str:
    """An error in one line: its own words where they are written for people, else with its type."""
    text = str(error)
    if not isinstance(error, BenchError):
        text = f"{type(error).__name__}: {text}" if text.strip() else type(error).__name__
    return one_line(text)
