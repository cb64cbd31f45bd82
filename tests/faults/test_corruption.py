"""Every file of a result folder is truncated and bit-flipped: no wrong number comes of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import LONG, arguments, assert_clear, assert_same_scores, bench, inline

MODELS = "good,vae" if LONG else "good"


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def emptied(_: bytes) -> bytes:
    return b""


def flipped_at(part: float) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        place = int(part * (len(content) - 1))
        return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]

    return flip


DAMAGES = {
    "halved": halved,
    "emptied": emptied,
    "flipped early": flipped_at(0.1),
    "flipped": flipped_at(0.5),
    "flipped late": flipped_at(0.9),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, warmed: None) -> Path:
    """A result folder with everything in it, pictures as well."""
    out = tmp_path_factory.mktemp("folder") / "out"
    ended = bench(arguments(out, MODELS, report=True), out.parent / "log", inline)
    assert ended.code == 0, ended.err
    return out


def contents(folder: Path) -> list[Path]:
    return [f.relative_to(folder) for f in sorted(folder.rglob("*")) if f.is_file()]


def chosen(files: list[Path]) -> list[tuple[Path, str]]:
    """Every file with every damage in the long profile; else one of a kind, each with another."""
    if LONG:
        return [(file, name) for file in files for name in DAMAGES]
    kinds = {f.suffix if f.suffix in (".png", ".pdf", ".svg") else f.name: f for f in files}
    few = [f for kind, f in kinds.items() if kind != ".pdf"]
    return [(f, list(DAMAGES)[i % len(DAMAGES)]) for i, f in enumerate(few)]


def test_every_file(folder: Path, tmp_path: Path) -> None:
    printed = bench(["table", str(folder)], tmp_path / "log").out
    files = [f for f in contents(folder) if f.name != ".lock"]
    kinds = {file.suffix for file in files}
    assert {".json", ".jsonl", ".safetensors", ".csv", ".sha256", ".png", ".md"} <= kinds
    for file, damage in chosen(files):
        out = tmp_path / "out"
        shutil.copytree(folder, out)
        before = (out / file).read_bytes()
        (out / file).write_bytes(DAMAGES[damage](before))
        check(out, file, f"{file} {damage}", folder, printed, tmp_path / "log")
        shutil.rmtree(out)


def check(out: Path, file: Path, what: str, folder: Path, printed: str, log: Path) -> None:
    table = bench(["table", str(out)], log)
    assert_clear(table)
    if table.code == 0:
        assert table.out == printed, what
    else:
        assert file.name.removesuffix(".sha256") in table.err, what
    drawn = file.suffix in (".png", ".pdf", ".svg", ".html")
    again = bench(arguments(out, MODELS, report=drawn), log, inline)
    if file.name == "plan.json":
        assert again.code == 2, what
        assert_clear(again)
        assert "plan.json is damaged" in again.err
        (out / file).unlink()  # as the message says
        again = bench(arguments(out, MODELS), log, inline)
    assert again.code == 0, (what, again.err)
    assert_same_scores(out, folder)
    if file.parts[0] == "cells":
        assert f"{file} is damaged" in again.err, what
        assert (out / file).is_file() or file.name == "train.jsonl", what
        if LONG or file.suffix == ".safetensors":
            third = bench(arguments(out, MODELS), log, inline)
            assert third.code == 0
            assert "damaged" not in third.err, what
            assert "0 cells to run" in third.err, what
    else:
        # The report says the command that makes it, with the folder's name.
        found = (out / file).read_bytes().replace(bytes(out), bytes(folder))
        assert found == (folder / file).read_bytes(), what


def test_every_bit_of_the_scores(folder: Path, tmp_path: Path) -> None:
    """scores.csv is what tables are made from: no changed byte of it is read."""
    from benchbench.store.scores import read_scores

    shutil.copy(folder / "scores.csv.sha256", tmp_path)
    content = (folder / "scores.csv").read_bytes()
    for place in range(0, len(content), 1 if LONG else 97):
        changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        (tmp_path / "scores.csv").write_bytes(changed)
        with pytest.raises(ValueError, match="damaged or was changed"):
            read_scores(tmp_path / "scores.csv")
    (tmp_path / "scores.csv").write_bytes(content)
    assert len(read_scores(tmp_path / "scores.csv"))
