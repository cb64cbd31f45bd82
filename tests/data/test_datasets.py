"""Built-in data sets: fixed splits that share nothing, the two spaces, the true density."""

from __future__ import annotations

import math

import pytest
import torch

from benchbench.api.data import Dataset, GaussianModes, LabelModes
from benchbench.data.digits import digit_splits
from benchbench.registry import Registry, resolve

NAMES = ("ring8", "grid25", "digits", "stacked-digits")


@pytest.fixture(scope="module")
def loaded() -> dict[str, Dataset]:
    registry = Registry.load()
    entries = {name: registry.dataset(name) for name in NAMES}
    return {n: resolve(e.spec.implementation, e.owner)(e.spec, None) for n, e in entries.items()}


@pytest.mark.parametrize("name", NAMES)
def test_shape_kind_and_digest(loaded: dict[str, Dataset], name: str) -> None:
    entry = Registry.load().dataset(name)
    dataset = loaded[name]
    again = resolve(entry.spec.implementation, entry.owner)(entry.spec, None)
    assert dataset.digest == again.digest
    assert dataset.info.shape == entry.spec.shape
    assert dataset.info.n_train == len(dataset.train)
    for part in ("train", "validation", "test"):
        split = dataset.split(part)  # type: ignore[arg-type]
        assert split.raw.shape[1:] == entry.spec.shape
        assert split.labels is not None
        assert len(split.labels) == len(split)
    assert len({d.digest for d in loaded.values()}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_spaces_are_inverse(loaded: dict[str, Dataset], name: str) -> None:
    dataset = loaded[name]
    raw = dataset.test.raw[:500]
    x = dataset.to_model(raw)
    assert x.dtype == torch.float32
    back = dataset.to_raw(x)
    assert back.dtype == raw.dtype
    torch.testing.assert_close(back.float(), raw.float(), rtol=1e-5, atol=1e-5)
    if dataset.info.levels:
        assert x.min() == -1
        assert x.max() == 1
        assert torch.equal(dataset.quantise(x + 0.4 / 16), x.clamp(-1, 1))
    else:
        train = dataset.to_model(dataset.train.raw)
        torch.testing.assert_close(train.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
        torch.testing.assert_close(train.std(0), torch.ones(2), atol=1e-4, rtol=0)


def test_the_jacobian_is_that_of_the_map(loaded: dict[str, Dataset]) -> None:
    """log |d model / d data| against a finite difference, and a uniform density on pixels."""
    grid = loaded["grid25"]
    corners = grid.to_model(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    sides = torch.stack([corners[1] - corners[0], corners[2] - corners[0]])
    assert grid.log_jacobian == pytest.approx(float(torch.logdet(sides)), abs=1e-5)
    digits = loaded["digits"]
    width = 2 * 17 / 16  # the dequantised model space is that wide on each axis
    log_density = -64 * math.log(width) + digits.log_jacobian
    assert log_density == pytest.approx(0.0, abs=1e-9)
    assert digits.bits_per_dim(0.0) == pytest.approx(math.log2(17))


def test_dequantised_pixels_fill_their_levels(loaded: dict[str, Dataset]) -> None:
    digits = loaded["digits"]
    x = digits.to_model(digits.test.raw)
    noisy = digits.dequantise(x, generator=torch.Generator().manual_seed(0))
    assert torch.equal(digits.quantise(noisy), x)
    assert (noisy - x).std().item() == pytest.approx((2 / 16) / math.sqrt(12), rel=0.01)


@pytest.mark.parametrize("name", ["ring8", "grid25"])
def test_known_mixtures(loaded: dict[str, Dataset], name: str) -> None:
    dataset = loaded[name]
    modes = dataset.modes
    assert isinstance(modes, GaussianModes)
    raw, labels = dataset.train.raw.double(), dataset.train.labels
    assert labels is not None
    counts = labels.bincount()
    assert counts.max() - counts.min() <= 1
    spread = (raw - modes.centres[labels]).std().item()
    assert spread == pytest.approx(modes.sigma, rel=0.01)
    assert dataset.log_prob is not None
    m, sigma = len(modes.centres), modes.sigma
    entropy = math.log(m) + 1 + math.log(2 * math.pi * sigma**2)  # modes hardly overlap
    assert -dataset.log_prob(dataset.test.raw).mean().item() == pytest.approx(entropy, abs=0.05)


def test_no_digit_image_is_in_two_splits() -> None:
    splits = digit_splits()
    sizes = {name: len(split) for name, split in splits.items()}
    assert sizes == {"train": 1078, "validation": 359, "test": 360}
    keys = {n: {r.numpy().tobytes() for r in s.raw} for n, s in splits.items()}
    assert not keys["train"] & keys["test"]
    assert not keys["train"] & keys["validation"]
    assert not keys["validation"] & keys["test"]


def test_stacked_channels_are_digits_of_the_split(loaded: dict[str, Dataset]) -> None:
    stacked = loaded["stacked-digits"]
    assert stacked.modes == LabelModes(1000)
    source = {r.numpy().tobytes() for r in digit_splits()["test"].raw}
    for image in stacked.test.raw[:200]:
        assert all(channel.unsqueeze(0).numpy().tobytes() in source for channel in image)
    assert stacked.train.labels is not None
    assert len(stacked.train.labels.unique()) == 1000
