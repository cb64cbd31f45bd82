"""The score frame and atomic files."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchbench.api import Score, ScoreSpec
from benchbench.store import files
from benchbench.store.samples import read_samples, write_samples
from benchbench.store.scores import SCORE_COLUMNS, frame, read_scores, score_row, write_scores


def row(**changes: object) -> dict[str, object]:
    spec = ScoreSpec("nll_nats", "nats", "min")
    score = Score("nll_nats", 1 / 3, bound="upper", n=10, detail={"b": 1, "a": [None]}, ci_low=0.1)
    place = {"dataset": "d", "model": "NA", "config": "", "budget": "5step", "variant": "null"}
    return score_row(score, spec, **{**place, "seed": 3, "cell_key": "k", **changes})  # type: ignore[arg-type]


def test_a_frame_reads_back_as_written(tmp_path: Path) -> None:
    """Names that look like missing values, missing seeds and every digit survive."""
    table = frame([row(), row(seed=None), row(seed=4, model='a,"b"\nc')])
    write_scores(tmp_path / "scores.csv", table)
    back = read_scores(tmp_path / "scores.csv")
    pd.testing.assert_frame_equal(back, table, check_exact=True)
    assert tuple(back.columns) == SCORE_COLUMNS
    assert back.value[0] == 1 / 3


def test_an_empty_frame_has_the_columns(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.csv", frame([]))
    assert tuple(read_scores(tmp_path / "scores.csv").columns) == SCORE_COLUMNS


def test_one_identity_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="share one identity"):
        frame([row(), row()])


def test_another_table_is_no_score_file(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="other columns"):
        read_scores(tmp_path / "scores.csv")


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.json"
    files.write_json(file, {"a": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(OSError, match="No space"):
                files.write_json(file, {"a": 2})
        assert files.read_json(file) == {"a": 1}
        assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_damaged_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"x\.json is damaged: it is not readable"):
        files.read_json(tmp_path / "x.json")


def test_samples_by_key_and_count(tmp_path: Path) -> None:
    raw = torch.arange(12, dtype=torch.uint8).reshape(4, 3)
    file = tmp_path / "s.safetensors"
    write_samples(file, raw, "key")
    assert torch.equal(read_samples(file, "key", 2), raw[:2])
    assert torch.equal(read_samples(file), raw)
    assert read_samples(file, "other") is None
    assert read_samples(file, "key", 5) is None
    assert read_samples(tmp_path / "none") is None
    file.write_bytes(b"\x80\x04not a tensor file")
    assert read_samples(file) is None


def test_a_changed_json_file_is_noticed(tmp_path: Path) -> None:
    """Each bit of a value, of a key, of the checksum and of its key; spaces mean nothing."""
    file = tmp_path / "x.json"
    value = {"value": 0.1, "text": "é", "nested": {"1": [None, True]}}
    files.write_json(file, value)
    content = file.read_bytes()
    unnoticed = 0
    for place in range(len(content)):
        for bit in range(8):
            changed = bytes([content[place] ^ 1 << bit])
            file.write_bytes(content[:place] + changed + content[place + 1 :])
            try:
                found = files.read_json(file)
            except ValueError:
                continue
            unnoticed += 1
            assert found == value
    assert unnoticed < len(content) / 4
    for size in range(len(content) - 1):
        file.write_bytes(content[:size])
        with pytest.raises(ValueError, match="damaged"):
            files.read_json(file)


def test_a_json_file_from_before_checksums_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": 1}')
    assert files.read_json(tmp_path / "x.json") == {"a": 1}


def test_scores_that_were_changed_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    write_scores(file, frame([row()]))
    write_scores(file, frame([row(), row(seed=4)]))
    assert len(read_scores(file)) == 2
    file.write_text(file.read_text().replace("0.333", "0.334"))
    with pytest.raises(ValueError, match=r"damaged or was changed.*scores\.csv\.sha256"):
        read_scores(file)


def test_scores_are_never_without_their_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the three writes is the last before power goes, the file can be read."""
    from benchbench.store import scores

    file = tmp_path / "scores.csv"
    for last in range(4):
        write_scores(file, frame([row()]))
        count = 0

        def write(path: Path, content: bytes, last: int = last) -> None:
            nonlocal count
            count += 1
            if count > last:
                raise OSError(28, "No space left on device")
            path.write_bytes(content)

        with monkeypatch.context() as patch:
            patch.setattr(scores, "write_bytes_atomic", write)
            patch.setattr(scores, "write_text_atomic", lambda p, text: write(p, text.encode()))
            if last < 3:
                with pytest.raises(OSError, match="No space"):
                    write_scores(file, frame([row(), row(seed=4)]))
            else:
                write_scores(file, frame([row(), row(seed=4)]))
        assert len(read_scores(file)) == (2 if last >= 2 else 1)


def test_no_two_variants_share_a_file(tmp_path: Path) -> None:
    from benchbench.store.folder import CellFolder

    cell = CellFolder(tmp_path)
    labels = ["", "churn=1", "churn=-1", "a=x/y", "a=x-y", "../a", "b" * 300, "b" * 299, "."]
    paths = {cell.samples(label) for label in labels}
    assert len(paths) == len(labels)
    assert all(path.parent == tmp_path and len(path.name) < 120 for path in paths)
