"""Bytes, text and JSON written so that a reader sees the old content or the new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchbench.api.files import write_atomic

__all__ = ["read_json", "write_atomic", "write_bytes_atomic", "write_json", "write_text_atomic"]


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Replace the file's content, or leave it as it was."""
    write_atomic(path, lambda temporary: temporary.write_bytes(content))


def write_text_atomic(path: Path, content: str) -> None:
    """Replace the file's content (UTF-8), or leave it as it was."""
    write_bytes_atomic(path, content.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys and a final newline, atomically."""
    write_text_atomic(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in a file; raises ValueError naming the file where it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not readable as JSON: {error}") from error
