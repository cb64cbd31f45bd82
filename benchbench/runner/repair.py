"""What is damaged in a cell is removed, so that it is computed again and never counted.

The training log can't be made again without training, and no number depends on it: it is set aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock

from benchbench.runner.plan import Cell
from benchbench.store.damage import damaged_files
from benchbench.store.folder import CellFolder, ResultFolder

__all__ = ["repair"]

_ANEW = "the cell is computed anew"


def repair(cells: Iterable[Cell], folder: ResultFolder) -> Iterator[str]:
    """Check every file of these cells, and yield a line for each that is damaged.

    Call it where no other process writes to the folder.
    """
    for cell in cells:
        files = folder.cell(cell.folder)
        damaged = damaged_files(files) if files.path.is_dir() else {}
        if damaged:
            with FileLock(files.lock):  # a worker of a run that was killed ends at once
                done = _remove(cell, files, list(damaged))
            for file, reason in damaged.items():
                where = file.relative_to(folder.path)
                yield f"{where} is damaged ({reason}): {done[file]}"


def _remove(cell: Cell, files: CellFolder, damaged: list[Path]) -> dict[Path, str]:
    """Remove the damaged files and what depends on them; for each, what follows."""
    trained = [files.path / "cell.json", files.model]
    if not files.model.is_file():
        trained.append(files.checkpoint)
    if cell.fractions:  # snapshots are taken while the model trains
        trained.append(files.path / "scores.json")
    if any(file in trained for file in damaged):
        files.clear()
        return dict.fromkeys(damaged, _ANEW)
    done = {}
    for file in damaged:
        if file == files.log:
            file.replace(file.with_name("train.damaged.jsonl"))
            done[file] = "set aside as train.damaged.jsonl"
        else:
            file.unlink()
            done[file] = "it is made anew"
    if any(file.suffix == ".safetensors" for file in damaged):
        status = files.status()
        if status["status"] == "done":
            files.write_status({**status, "status": "trained"})
    return done
