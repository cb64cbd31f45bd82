"""Which files of a cell are not what was written, and why.

JSON and safetensors files carry a checksum, the training log has its own in cell.json, and PNG
files one for each of their chunks.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from benchbench.api.errors import BenchError
from benchbench.api.files import file_digest
from benchbench.store.files import read_json
from benchbench.store.folder import CellFolder

__all__ = ["damaged_files"]


def damaged_files(cell: CellFolder) -> dict[Path, str]:
    """The damaged files of a cell with the reasons, cell.json first; reads every byte of it."""
    found: dict[Path, str] = {}
    status, scores = cell.path / "cell.json", cell.path / "scores.json"
    logs: dict[str, str] = {}
    for file in (status, scores):
        try:
            content = read_json(file) if file.is_file() else {}
        except ValueError as error:
            found[file] = str(error).partition(" is damaged: ")[2]
            continue
        logs = content.get("files", {}) if file == status else logs
    for file in sorted(cell.path.glob("*.safetensors")):
        reason = _tensor_damage(file)
        if reason:
            found[file] = reason
    stated = logs.get(cell.log.name)
    if stated and cell.log.is_file() and stated != file_digest(cell.log):
        found[cell.log] = "its checksum is not the one in cell.json"
    for file in sorted(cell.path.glob("*.png")):
        if not _whole_picture(file):
            found[file] = "it is no whole PNG file"
    return found


def _tensor_damage(file: Path) -> str:
    from benchbench.api.tensors import read_tensors

    try:
        read_tensors(file)
    except BenchError as error:
        return str(error).partition(" is damaged: ")[2]
    return ""


def _whole_picture(file: Path) -> bool:
    """Whether every chunk of a PNG file has its checksum, up to the last."""
    content = file.read_bytes()
    if content[:8] != b"\x89PNG\r\n\x1a\n":
        return False
    place, name = 8, b""
    while place + 12 <= len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        end = place + 12 + size
        if end > len(content):
            return False
        body, stated = content[place + 4 : end - 4], content[end - 4 : end]
        if struct.pack(">I", zlib.crc32(body)) != stated:
            return False
        place, name = end, body[:4]
    return place == len(content) and name == b"IEND"
