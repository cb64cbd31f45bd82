"""A state file holds data, reads back what was written, and names itself where it is damaged."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from benchbench.api import BenchError, PluginError
from benchbench.runner.checkpoint import load_state, save_state


def test_round_trip(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    state = {
        "a": {0: shared, 1: shared[2:4], "t": (1, None, True)},
        "b": [torch.tensor(3, dtype=torch.int64), {"x": "text", "y": 0.1}],
    }
    save_state(tmp_path / "s", state)
    back = load_state(tmp_path / "s")
    assert torch.equal(back["a"][0], shared)
    assert torch.equal(back["a"][1], shared[2:4])
    assert back["a"]["t"] == (1, None, True)
    assert back["b"][1] == {"x": "text", "y": 0.1}
    assert back["b"][0].dtype == torch.int64


def test_what_is_not_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"state\.f of the checkpoint is a function"):
        save_state(tmp_path / "s", {"f": lambda: None})
    assert not list(tmp_path.iterdir())


def test_damage_is_named(tmp_path: Path) -> None:
    file = tmp_path / "s"
    save_state(file, {"a": torch.zeros(100)})
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    with pytest.raises(BenchError, match="damaged"):
        load_state(file)


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (open, (str(tmp_path / "ran"), "w"))  # type: ignore[return-value]

    (tmp_path / "s").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(BenchError, match="damaged"):
        load_state(tmp_path / "s")
    assert not (tmp_path / "ran").exists()
