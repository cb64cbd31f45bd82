"""Text and JSON written so that a reader sees the old content or the new, and damage is noticed."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from benchbench.api.files import write_atomic

__all__ = [
    "CHECKSUM",
    "read_json",
    "write_atomic",
    "write_bytes_atomic",
    "write_json",
    "write_text_atomic",
]

CHECKSUM = "sha256"
"""Key of a JSON file's checksum, over the other keys and their values."""
_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Replace the file's content, or leave it as it was."""
    write_atomic(path, lambda temporary: temporary.write_bytes(content))


def write_text_atomic(path: Path, content: str) -> None:
    """Replace the file's content (UTF-8), or leave it as it was."""
    write_bytes_atomic(path, content.encode("utf-8"))


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object with sorted keys, its checksum and a final newline, atomically."""
    checked = {**value, CHECKSUM: _checksum(json.loads(_text(value)))}
    write_text_atomic(path, _text(checked, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file, without its checksum.

    Raises ValueError naming the file where it is no JSON object, or not the one that was
    written. A file from before there were checksums has none.
    """
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: it is not readable as JSON ({error})") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged: it holds no JSON object")
    stated = value.pop(CHECKSUM, None)
    if stated is None:
        # A damaged key leaves a checksum under another name.
        whole = not any(isinstance(v, str) and _HEXADECIMAL.fullmatch(v) for v in value.values())
    else:
        whole = stated == _checksum(value)
    if not whole:
        raise ValueError(f"{path} is damaged: its checksum is not that of its content")
    return value


def _text(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, sort_keys=True, allow_nan=False)


def _checksum(value: Any) -> str:
    try:
        return hashlib.sha256(_text(value).encode()).hexdigest()
    except (ValueError, RecursionError):  # a number that no file of ours can hold
        return ""
