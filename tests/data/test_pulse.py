"""The recorded pulse: splits that share no value, windows as they were recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchbench.api import Assets, UsageError
from benchbench.data import pulse
from benchbench.registry import Registry


def test_splits_share_no_value_of_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the place in the recording as value, no place is in two splits."""
    series = torch.arange(34_000, dtype=torch.float32)
    monkeypatch.setattr(pulse, "_recording", lambda path: series)
    data = pulse.load_pulse(Registry.load().dataset("pulse").spec)
    parts = [set(data.split(n).raw.flatten().tolist()) for n in ("train", "validation", "test")]  # type: ignore[arg-type]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    steps = data.train.raw.diff(dim=2)
    assert bool((steps == 1).all())  # a window is a piece of the recording


def test_the_recording_as_a_data_set() -> None:
    registry = Registry.load()
    data = registry.load_dataset("pulse", Assets())
    assert data.info.shape == (1, 64)
    assert [len(data.train), len(data.validation), len(data.test)] == [9849, 3283, 2814]
    x = data.to_model(data.train.raw)
    assert float(x.mean()) == pytest.approx(0, abs=1e-4)
    assert float(x.std()) == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(data.to_raw(x), data.train.raw, rtol=1e-4, atol=1e-2)
    assert registry.load_dataset("pulse", Assets()).digest == data.digest


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data3.csv"
    file.write_text("datetime,hr\n2016,1\n")
    with pytest.raises(UsageError, match=r"not the recording of HeartPy 1\.2\.7"):
        pulse._recording(file)
    with pytest.raises(UsageError, match="pip install 'heartpy"):
        pulse._recording(None)
