"""Names that become folders: short, plain, and never a way out of the result folder."""

from __future__ import annotations

import hashlib
import re

from benchbench.api.config import Config
from benchbench.api.errors import PluginError

__all__ = ["check_name", "file_name", "instance_name", "option_text", "short_label", "slug"]

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


def file_name(name: str) -> str:
    """A folder or file name for a data set: plain names as they are, others with a hash.

    Names that differ never share a file name, however long or alike they are.

    >>> file_name("grid25")
    'grid25'
    >>> file_name("folder:/home/me/photos?size=64")
    'folder-photos-size-64-fb6d5045'
    """
    if _NAME.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{slug(short_label(name))[:60]}-{digest}"


def instance_name(name: str, argument: str, options: Config | None = None) -> str:
    """`name:ARGUMENT?key=value&…`: the options that differ from the defaults, sorted."""
    changed = options.changed() if options else {}
    query = "&".join(f"{key}={option_text(value)}" for key, value in changed.items())
    return f"{name}:{argument}" + (f"?{query}" if query or "?" in argument else "")


def short_label(name: str) -> str:
    """A data set's or model's name for a table: of a path only the last part.

    >>> short_label("folder:/home/me/photos?size=64")
    'folder:photos?size=64'
    """
    head, colon, rest = name.partition(":")
    path, mark, query = rest.rpartition("?") if "?" in rest else (rest, "", "")
    last = path.rstrip("/").rpartition("/")[2] or path
    return f"{head}{colon}{last}{mark if query else ''}{query}"


def option_text(value: object) -> str:
    """An option's value as it is typed after `=`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
