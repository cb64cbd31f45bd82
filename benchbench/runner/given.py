"""Samples from a file or folder, brought to the stored form of a data set.

With L grey levels, a pixel v in [0, 1] becomes level round(v·(L − 1)); floats in [−1, 1] are taken
as v = (x + 1)/2, whole numbers of 0 to 255 as v = x/255. What was assumed is part of the result.
Nothing is unpickled: arrays are read with allow_pickle=False.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn.functional import interpolate

from benchbench.api import UsageError
from benchbench.api.data import Dataset
from benchbench.api.errors import describe
from benchbench.api.tensors import digest_tensors
from benchbench.data.decoding import SUFFIXES, Refused, decode
from benchbench.data.folder import image_files, shown_path

__all__ = ["SCALES", "Given", "Scale", "read_given"]

Scale = Literal["auto", "levels", "255", "unit", "signed"]
"""levels: the data set's own; 255: 0 to 255; unit: [0, 1]; signed: [-1, 1]."""
SCALES: tuple[str, ...] = get_args(Scale)
FILES = (".npz", ".npy", ".safetensors")
TOLERANCE = 1e-3
"""How far floats may leave [0, 1] or [-1, 1], as the samples of a model may."""
DARK = 0.25
"""Floats in [0, 1] of which none is below this may as well be in [-1, 1]."""


@dataclass(frozen=True)
class Given:
    """raw: (n, *shape), uint8 levels or float32 in original units. read: how, in words.

    notes: a line for each file that was refused.
    """

    raw: Tensor
    read: str
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The hash that stands in the keys of their scores."""
        return digest_tensors(self.raw)


def read_given(
    path: Path, dataset: Dataset, *, scale: Scale = "auto", array: str = "", resize: bool = False
) -> Given:
    """Read samples for this data set; raises UsageError in one line.

    array: which one of a file with several. resize: whether images of another size are resized,
    antialiased, instead of refused.
    """
    if not path.exists():
        raise UsageError(f"{str(path)!a} does not exist; give a folder of images or a file")
    if path.is_dir():
        given = _read_folder(path, dataset, resize)
    elif path.suffix.lower() not in FILES:
        raise UsageError(f"{str(path)!a} is no folder and none of {', '.join(FILES)}")
    else:
        values, name = _read_array(path, array)
        where = f"{path.name}{f'[{name}]' if name else ''}"
        _check_finite(values, where)
        if dataset.info.levels is None:
            given = Given(_units(values, dataset, where), f"{where}, original units")
        else:
            given = _images(values, dataset, where, scale, resize)
    if len(given.raw) < 2:
        raise UsageError(f"{str(path)!a} holds {len(given.raw)} samples; at least 2 are needed")
    return given


# --- folders ---------------------------------------------------------------------------------


def _read_folder(root: Path, dataset: Dataset, resize: bool) -> Given:
    info = dataset.info
    if info.levels is None:
        raise UsageError(f"{str(root)!a} is a folder; {info.name} holds {info.kind}: give a file")
    channels, height, width = info.shape
    if height != width or channels not in (1, 3):
        raise UsageError(f"{info.name} has the shape {info.shape}; give its samples as a file")
    found, notes = [], []
    files = sorted(image_files(root))
    for file in files:
        try:
            image = decode(file, height, exact=not resize)
            found.append(image if channels == 3 else _grey(image))
        except Refused as reason:
            notes.append(f"refused {shown_path(root, file)}: {reason}")
    if not found:
        looked = f"looked for {', '.join(sorted(SUFFIXES))}"
        why = f"the first of {len(notes)}: {notes[0]}" if notes else looked
        hint = "" if resize or not notes else "; --resize resizes images"
        raise UsageError(f"{str(root)!a} holds no image that can be used ({why}){hint}")
    raw = torch.from_numpy(np.stack(found))
    read = f"{len(found)} of {len(files)} images in {root.name}"
    read += ", resized (Lanczos, antialiased)" if resize else ""
    return Given(_to_levels(raw.float() / 255, info.levels), read, tuple(notes))


def _grey(image: np.ndarray) -> np.ndarray:
    """(3, S, S) with equal channels to (1, S, S)."""
    if not (image == image[:1]).all():
        raise Refused("coloured, and the data set is grey")
    return image[:1]


# --- arrays ----------------------------------------------------------------------------------


def _read_array(path: Path, wanted: str) -> tuple[np.ndarray, str]:
    """The array of a file and its name there; a .npy file has no names."""
    try:
        if path.suffix.lower() == ".safetensors":
            with safe_open(path, framework="np") as file:
                name = _chosen(path, list(file.keys()), wanted)
                return file.get_tensor(name), name
        found: Any = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found, ""
        with found:
            name = _chosen(path, list(found), wanted)
            return found[name], name
    except UsageError:
        raise
    except (SafetensorError, Exception) as error:  # damaged files raise anything
        pickled = "pickle" in str(error)
        why = "it is pickled or no array; pickles are never loaded" if pickled else describe(error)
        raise UsageError(f"{str(path)!a} can't be read: {why}") from None


def _chosen(path: Path, names: list[str], wanted: str) -> str:
    if wanted in names:
        return wanted
    if wanted or len(names) != 1:
        listed = ", ".join(map(repr, sorted(names)[:10])) or "none"
        raise UsageError(f"{str(path)!a} holds the arrays {listed}; choose one with --array NAME")
    return names[0]


def _check_finite(values: np.ndarray, where: str) -> None:
    if values.dtype != np.uint8 and values.dtype.kind != "f":
        raise UsageError(f"{where} has dtype {values.dtype}; allowed: uint8 and floats")
    if values.dtype.kind == "f":
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise UsageError(f"{where}: {bad} of {values.size} numbers are not finite")


def _units(values: np.ndarray, dataset: Dataset, where: str) -> Tensor:
    """Points and signals in original units: float32 (n, *shape)."""
    info = dataset.info
    if values.dtype.kind != "f":
        raise UsageError(f"{where} has dtype {values.dtype}; {info.name} needs floats")
    if values.shape[1:] != info.shape or values.ndim != 1 + len(info.shape):
        raise UsageError(f"{where} has shape {values.shape}; {info.name} needs {_n(info.shape)}")
    with np.errstate(over="ignore"):
        raw = torch.from_numpy(values.astype(np.float32))
    if not bool(raw.isfinite().all()):
        raise UsageError(f"{where} has numbers that are too large for float32")
    return raw


def _images(values: np.ndarray, dataset: Dataset, where: str, scale: Scale, resize: bool) -> Given:
    info = dataset.info
    assert info.levels is not None
    values, layout = _channels_first(values, info.shape, where, resize)
    size = values.shape[2:]
    used = _scale(values, info.levels, where, scale)
    read = f"{where}, {values.dtype} {layout}, taken as {_SAID[used].format(top=info.levels - 1)}"
    if used == "levels" and size == info.shape[1:]:
        levels = torch.from_numpy(np.ascontiguousarray(values)).round().to(torch.uint8)
        return Given(levels, read)
    low, high = {"levels": (0, info.levels - 1), "255": (0, 255), "unit": (0, 1)}.get(used, (-1, 1))
    pixels = torch.from_numpy(values.astype(np.float32)).sub(low).div(high - low)
    if size != info.shape[1:]:
        pixels = interpolate(
            pixels, info.shape[1:], mode="bicubic", antialias=True, align_corners=False
        )
        read += f", resized from {size[0]} x {size[1]} (bicubic, antialiased)"
    return Given(_to_levels(pixels, info.levels), read)


def _channels_first(
    values: np.ndarray, shape: tuple[int, ...], where: str, resize: bool
) -> tuple[np.ndarray, str]:
    """(n, C, H, W), and what it was."""
    channels, height, width = shape
    grey = values.ndim == 3 and channels == 1
    last = values[..., None] if grey else values  # (n, H, W) is (n, H, W, 1)
    forms = {"NCHW": values} if values.ndim == 4 else {}
    if last.ndim == 4:
        forms["NHW" if grey else "NHWC"] = last.transpose(0, 3, 1, 2)
    found = {name: form for name, form in forms.items() if form.shape[1:] == shape}
    if resize and not found:
        found = {
            name: form
            for name, form in forms.items()
            if form.shape[1] == channels and form.shape[2] * width == form.shape[3] * height > 0
        }
    if len(found) == 1:
        name, form = found.popitem()
        return form, name
    if found:
        raise UsageError(f"{where} has shape {values.shape}: its channels may be first or last")
    hint = "" if resize else "; --resize resizes images of the same proportions"
    raise UsageError(
        f"{where} has shape {values.shape}; needed: {_n(shape)} or "
        f"{_n((height, width, channels))}{hint}"
    )


_SAID: Mapping[str, str] = {
    "levels": "levels of 0 to {top}",
    "255": "0 to 255",
    "unit": "[0, 1]",
    "signed": "[-1, 1]",
}


def _scale(values: np.ndarray, levels: int, where: str, asked: Scale) -> Scale:
    """The scale of the numbers; UsageError where it can't be told, or is not the one asked for."""
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    ends = {"levels": (0, levels - 1), "255": (0, 255), "unit": (0, 1), "signed": (-1, 1)}
    span = f"numbers from {low:.4g} to {high:.4g} ({values.dtype})"
    if asked != "auto":
        least, most = ends[asked]
        if low < least - TOLERANCE or high > most + TOLERANCE:
            raise UsageError(f"{where} has {span}; --scale {asked} allows {least} to {most}")
        return asked
    unclear = f"{where} has {span}, which can be read in more than one way; say --scale"
    if values.dtype == np.uint8:
        if high <= 1:
            raise UsageError(f"{unclear} levels, 255 or unit")
        return "levels" if high < levels else "255"
    if low < -1 - TOLERANCE or high > 1 + TOLERANCE:
        raise UsageError(
            f"{where} has {span}; allowed: uint8, floats in [0, 1] or [-1, 1], or say --scale"
        )
    if low < -TOLERANCE:
        return "signed"
    if low > DARK:
        raise UsageError(f"{unclear} unit or signed")
    return "unit"


def _to_levels(pixels: Tensor, levels: int) -> Tensor:
    """[0, 1] to uint8 levels."""
    top = levels - 1
    return (pixels * top).round().clamp(0, top).to(torch.uint8)


def _n(shape: tuple[int, ...]) -> str:
    return f"(n, {', '.join(map(str, shape))})"
