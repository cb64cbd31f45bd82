"""Names that become folders: short, plain, and never a way out of the result folder."""

from __future__ import annotations

import re

from benchbench.api.errors import PluginError

__all__ = ["check_name", "slug"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]{0,63}")


def check_name(name: str, what: str) -> str:
    """The name itself where it may stand on the command line and in a path.

    Raises PluginError otherwise.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        raise PluginError(
            f"{what} is {name!r}; allowed: 1 to 64 characters of a-z, 0-9, _ . + and -, "
            "beginning with a letter or digit"
        )
    return name


def slug(text: str) -> str:
    """Any text as a folder name: what is not plain becomes a dash, at most 80 characters.

    >>> slug("ldm[weighting=none]")
    'ldm-weighting-none'
    """
    plain = re.sub(r"[^A-Za-z0-9_.+]+", "-", text).strip("-.")
    return plain[:80] or "unnamed"
