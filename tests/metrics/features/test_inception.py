"""Inception's weights: found in order, never executed, wrong ones refused in one line."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from inception_cases import random_tensors
from safetensors.torch import save_file
from torch import Tensor

from benchbench.api import Assets, NotAvailable, UsageError
from benchbench.metrics.features import inception_weights
from benchbench.metrics.features.inception import InceptionExtractor, build, load, to_bytes
from benchbench.metrics.features.inception_weights import Weights, check_tensors, find_weights


@pytest.fixture(autouse=True)
def _no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty torch.hub folder, so that weights of this machine play no part."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch-home"))


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(random_tensors(), path)
    return path


def assets(path: Path | None, tmp_path: Path) -> Assets:
    weights = {} if path is None else {inception_weights.KEY: path}
    return Assets(cache=tmp_path / "cache", weights=weights)


def refusal(path: Path | None, tmp_path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load(assets(path, tmp_path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_to_be_found_names_the_three_ways_out(tmp_path: Path) -> None:
    line = refusal(None, tmp_path)
    for way in ("--inception-weights FILE", "--download", str(inception_weights.cached_file())):
        assert way.removesuffix("/" + inception_weights.cached_file().name) in line


def test_random_weights_never_pass_for_a_fid(weights_file: Path, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    extractor = load(assets(weights_file, tmp_path))
    assert torch.equal(torch.get_rng_state(), before)
    assert extractor.name == "inception-v3-compat (unknown weights)"
    assert InceptionExtractor(Weights(random_tensors(), published=True)).name == (
        "inception-v3-compat"
    )


def test_loading_prints_nothing(
    weights_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    load(assets(weights_file, tmp_path))
    assert capfd.readouterr() == ("", "")


def test_digest_follows_the_weights_whatever_the_format(weights_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "same.safetensors"
    save_file(random_tensors(), path)
    first = load(assets(weights_file, tmp_path)).digest
    assert load(assets(path, tmp_path)).digest == first
    changed = {**random_tensors()}
    changed["fc.bias"] = changed["fc.bias"] + 1e-3
    assert InceptionExtractor(Weights(changed, published=False)).digest != first


class Bomb:
    """Unpickled, it would make a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


def wrong_files(folder: Path) -> dict[str, Path]:
    """Files that are no weights, by what they are."""
    tensors = random_tensors()
    made = {name: folder / name for name in ("html.pth", "bomb.pth", "pickle.pth", "cut.pth")}
    made |= {name: folder / name for name in ("few.pth", "shape.pth", "nan.pth", "list.pth")}
    made |= {"junk.safetensors": folder / "junk.safetensors", "empty.pth": folder / "empty.pth"}
    made["html.pth"].write_text("<html><body>404 Not Found</body></html>")
    torch.save({"x": Bomb(folder / "exploded")}, made["bomb.pth"])
    made["pickle.pth"].write_bytes(pickle.dumps(Bomb(folder / "exploded")))
    torch.save(tensors, made["cut.pth"])
    os.truncate(made["cut.pth"], 1_000_000)
    torch.save({"fc.bias": tensors["fc.bias"]}, made["few.pth"])
    torch.save({**tensors, "fc.bias": torch.zeros(1000)}, made["shape.pth"])
    torch.save({**tensors, "fc.bias": torch.full((1008,), torch.nan)}, made["nan.pth"])
    torch.save([1, 2, 3], made["list.pth"])
    made["junk.safetensors"].write_bytes(b"\x10" * 500)
    made["empty.pth"].write_bytes(b"")
    return made


def test_wrong_files_are_refused_in_one_line_and_never_executed(tmp_path: Path) -> None:
    for path in wrong_files(tmp_path).values():
        line = refusal(path, tmp_path)
        assert str(path) in line
        assert "is not a file of them" in line
    assert not (tmp_path / "exploded").exists()
    assert "is not a file" in refusal(tmp_path / "absent.pth", tmp_path)


def test_what_is_wrong_is_said() -> None:
    expected = {"a": torch.Size([2]), "bn.num_batches_tracked": torch.Size([])}
    good = {"a": torch.zeros(2)}
    assert check_tensors(good, expected) == ""
    assert "1 of 1 tensors are missing, the first 'a'" in check_tensors({}, expected)
    assert "unknown tensors, the first 'b'" in check_tensors({**good, "b": good["a"]}, expected)
    assert "the shape (3,), not (2,)" in check_tensors({"a": torch.zeros(3)}, expected)
    assert "finite" in check_tensors({"a": torch.tensor([0.0, torch.inf])}, expected)
    assert "finite" in check_tensors({"a": torch.zeros(2, dtype=torch.int64)}, expected)
    assert "named tensors" in check_tensors({"a": 3}, expected)
    assert "named tensors" in check_tensors({3: torch.zeros(2)}, expected)


def test_a_damaged_cache_of_torch_fidelity_is_refused(tmp_path: Path) -> None:
    cached = inception_weights.cached_file()
    cached.parent.mkdir(parents=True)
    torch.save(random_tensors(), cached)
    line = refusal(None, tmp_path)
    assert "damaged" in line
    assert str(cached) in line


def test_the_named_file_goes_before_the_cache_and_that_before_a_download(
    weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = {name: tensor.shape for name, tensor in build().state_dict().items()}
    digest = inception_weights.file_digest(weights_file)
    monkeypatch.setattr(inception_weights, "SHA256", digest)
    monkeypatch.setattr(inception_weights, "SIZE", weights_file.stat().st_size)
    fetched = tmp_path / "cache" / "inception" / inception_weights.cached_file().name
    fetched.parent.mkdir(parents=True)
    fetched.symlink_to(weights_file)
    assert find_weights(assets(None, tmp_path), shapes).published

    cached = inception_weights.cached_file()
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"damaged")
    with pytest.raises(UsageError, match="damaged"):
        find_weights(assets(None, tmp_path), shapes)

    other = tmp_path / "other.pth"
    torch.save({**random_tensors(), "fc.bias": torch.ones(1008)}, other)
    named = find_weights(assets(other, tmp_path), shapes)
    assert not named.published
    assert named.tensors["fc.bias"].sum() == 1008


@pytest.mark.parametrize("channels", [1, 3])
def test_images_become_the_bytes_of_a_file(channels: int) -> None:
    x = torch.tensor([-1.2, -1.0, 0.0039, 1.0]).view(4, 1, 1, 1).expand(4, channels, 2, 2)
    levels = to_bytes(x)
    assert (levels.dtype, levels.shape) == (torch.uint8, (4, 3, 2, 2))
    assert levels[:, 0, 0, 0].tolist() == [0, 0, 128, 255]


@pytest.mark.parametrize("shape", [(2, 2, 8, 8), (2, 4, 8, 8), (2, 64)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(NotAvailable, match=r"inception reads \(n, 1 or 3, H, W\)"):
        to_bytes(torch.zeros(shape))


def test_a_grey_image_has_the_features_of_the_same_in_rgb() -> None:
    extractor = InceptionExtractor(Weights(random_tensors(), published=False))
    x = 2 * torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0)) - 1
    grey: Tensor = extractor.features(x)
    assert (grey.shape, grey.dtype) == ((2, 2048), torch.float32)
    assert torch.equal(extractor.features(x.repeat(1, 3, 1, 1)), grey)
