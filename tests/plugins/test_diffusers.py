"""Saved pipelines of diffusers: sampled as they are, and nothing in their folder is executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchbench.api import DataInfo, PluginError, UsageError
from benchbench.registry import Registry
from benchbench.runner.external import load_external

diffusers = pytest.importorskip("diffusers")
DATA = DataInfo("digits", "image", (1, 8, 8), 100, levels=17)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pipeline with random weights and a scheduler of ten steps."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = diffusers.UNet2DModel(
            sample_size=8,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
        )
    scheduler = diffusers.DDPMScheduler(num_train_timesteps=10)
    diffusers.DDPMPipeline(unet, scheduler).save_pretrained(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_pipeline_is_sampled(folder: Path) -> None:
    entry = Registry.load().model(f"diffusers:{folder}")
    assert entry.spec.external
    assert entry.spec.shape == (1, 8, 8)
    model = load_external(entry, entry.spec.config(), DATA).eval()
    before = torch.random.get_rng_state()
    with torch.no_grad():
        first, again, other = (
            model.sample(3, generator=torch.Generator().manual_seed(seed), steps=2)
            for seed in (0, 0, 1)
        )
    assert first.shape == (3, 1, 8, 8)
    assert first.dtype == torch.float32
    assert float(first.abs().max()) <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert [model.nfe(steps=k) for k in (2, 5)] == [2, 5]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model.describe() == {"pipeline": "DDPMPipeline", "scheduler": "DDPMScheduler"}
    with pytest.raises(PluginError, match="trained elsewhere"):
        model.fit(None)  # type: ignore[arg-type]


def test_the_key_follows_the_weights(folder: Path) -> None:
    name, registry = f"diffusers:{folder}", Registry.load()
    first = registry.model(name).spec
    assert registry.model(first.name).spec == first
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    changed = registry.model(name).spec
    assert first.source is not None and changed.source is not None
    assert changed.name == first.name
    assert changed.source[1] != first.source[1]


def edit(folder: Path, **changes: object) -> None:
    index = folder / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), **changes}))


def refused(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        Registry.load().model(f"diffusers:{folder}")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pickled_weights_are_refused(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    assert "pickled" in refused(folder)


def test_code_is_refused(folder: Path) -> None:
    (folder / "unet" / "diffusers.py").write_text("raise SystemExit(7)")
    assert "Python files, which are not run" in refused(folder)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"_class_name": ["pipeline", "Mine"]}, "names no pipeline"),
        ({"unet": ["os", "system"]}, "comes from 'os'"),
        ({"../../unet": ["diffusers", "UNet2DModel"]}, "no folder's name"),
    ],
)
def test_foreign_parts_are_refused(folder: Path, changes: dict[str, object], part: str) -> None:
    edit(folder, **changes)
    assert part in refused(folder)


def test_folders_that_hold_no_pipeline(tmp_path: Path) -> None:
    assert "is not a folder" in refused(tmp_path / "nowhere")
    assert "holds no model_index.json" in refused(tmp_path)
    (tmp_path / "model_index.json").write_text("[" * 100_000)
    assert "not readable as JSON" in refused(tmp_path)
