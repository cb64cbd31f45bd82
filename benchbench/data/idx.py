"""IDX files of MNIST and its kin: where they lie, and their bytes, checked. Loads no torch.

An IDX file is a big-endian header (0, 0, type, rank, one 32-bit size a dimension) and raw bytes.
The checksum is that of the uncompressed content, so that a copy counts however it was compressed.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchbench.api import Assets, DatasetSpec, UsageError
from benchbench.data.missing import damaged, local_ways, missing

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "FASHION_MNIST",
    "MNIST",
    "IdxFile",
    "IdxSource",
    "read_idx",
    "where_fashion",
    "where_mnist",
]

UNSIGNED_BYTE = 8


@dataclass(frozen=True)
class IdxFile:
    """One published file.

    sha256: of the uncompressed content. gz_sha256, gz_size: of the .gz file that is downloaded.
    """

    name: str
    shape: tuple[int, ...]
    sha256: str
    gz_sha256: str
    gz_size: int

    @property
    def spellings(self) -> tuple[str, ...]:
        """File names under which copies go round, `train-images.idx3-ubyte` among them."""
        dotted = self.name.replace("-idx", ".idx")
        return (self.name, f"{self.name}.gz", dotted, f"{dotted}.gz")


@dataclass(frozen=True)
class IdxSource:
    """A data set of four IDX files: `train-images`, `train-labels`, `t10k-images`, `t10k-labels`.

    title: torchvision's folder. system: folder and package of a distribution's copy, or None.
    """

    name: str
    title: str
    url: str
    files: tuple[IdxFile, ...]
    system: tuple[Path, str] | None = None

    def places(self, assets: Assets) -> Iterator[Path]:
        """Folders where somebody else may have put the files, first come first served."""
        for folder in assets.folders:
            for inner in (f"{self.title}/raw", "raw", self.name, self.title, "."):
                yield folder / inner
        if self.system:
            yield self.system[0]

    def locate(self, assets: Assets) -> Path | None:
        """The first place that has all the files; last of all the cache."""
        for place in (*self.places(assets), assets.cache / self.name):
            if all(_first(place, file.spellings) for file in self.files):
                return place
        return None

    def obtain(self, assets: Assets) -> Mapping[str, Path]:
        """Path of each file; fetched where that is allowed, else a UsageError with the ways out."""
        found, cache = self.locate(assets), assets.cache / self.name
        if found is not None and found != cache:
            paths = {file.name: _first(found, file.spellings) for file in self.files}
            return {name: path for name, path in paths.items() if path is not None}
        ways = local_ways(
            f"{self.title}/raw/{self.files[0].name}.gz and its {len(self.files) - 1} fellows",
            *([f"apt-get install {self.system[1]}"] if self.system else []),
        )
        if found is None and not assets.download:
            size = sum(file.gz_size for file in self.files)
            system = [self.system[0]] if self.system else []
            raise missing(self.name, size, (*assets.folders, *system, cache), ways)
        return {
            file.name: assets.fetch(
                f"{self.url}{file.name}.gz",
                sha256=file.gz_sha256,
                name=f"{self.name}/{file.name}.gz",
                size=file.gz_size,
                ways=ways,
            )
            for file in self.files
        }

    def read(self, assets: Assets) -> dict[str, np.ndarray]:
        """Content of each file by its first two words (`train-images`): uint8 arrays, checked."""
        paths = self.obtain(assets)
        return {
            file.name.rpartition("-idx")[0]: read_idx(paths[file.name], file, self.title)
            for file in self.files
        }


def read_idx(path: Path, file: IdxFile, title: str) -> np.ndarray:
    """The uint8 array in an IDX file, plain or gzipped; raises UsageError where it is not whole."""
    import numpy as np

    what = f"{title}'s {file.name}"
    header = 4 + 4 * len(file.shape)
    size = header + math.prod(file.shape)
    content = _content(path, size, what)
    if len(content) != size:
        more = "more than" if len(content) > size else f"{len(content)} of"
        raise damaged(path, what, f"it holds {more} {size} bytes")
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise damaged(path, what, "its checksum differs")
    expected = struct.pack(
        f">BBBB{len(file.shape)}I", 0, 0, UNSIGNED_BYTE, len(file.shape), *file.shape
    )
    if content[:header] != expected:
        raise damaged(path, what, "its header differs")
    return np.frombuffer(content, np.uint8, offset=header).reshape(file.shape)


def _content(path: Path, size: int, what: str) -> bytes:
    """At most one byte more than `size`, unpacked."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as packed:
                return packed.read(size + 1)
        with path.open("rb") as plain:
            return plain.read(size + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged(path, what, f"{error}") from None
    except OSError as error:
        raise UsageError(f"{str(path)!r} can't be read: {error.strerror or error}") from None


def _first(place: Path, names: tuple[str, ...]) -> Path | None:
    return next((place / name for name in names if (place / name).is_file()), None)


MNIST = IdxSource(
    name="mnist",
    title="MNIST",
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    files=(
        IdxFile(
            "train-images-idx3-ubyte",
            (60_000, 28, 28),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            9_912_422,
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            (60_000,),
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            28_881,
        ),
        IdxFile(
            "t10k-images-idx3-ubyte",
            (10_000, 28, 28),
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            1_648_877,
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            (10_000,),
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            4_542,
        ),
    ),
)

FASHION_MNIST = IdxSource(
    name="fashion-mnist",
    title="FashionMNIST",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    system=(Path("/usr/share/datasets/fashion-mnist"), "dataset-fashion-mnist"),
    files=(
        IdxFile(
            "train-images-idx3-ubyte",
            (60_000, 28, 28),
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            26_421_880,
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            (60_000,),
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            29_515,
        ),
        IdxFile(
            "t10k-images-idx3-ubyte",
            (10_000, 28, 28),
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            4_422_102,
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            (10_000,),
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            5_148,
        ),
    ),
)


def where_mnist(spec: DatasetSpec, assets: Assets) -> Path | None:
    """The folder of MNIST's files, or None."""
    return MNIST.locate(assets)


def where_fashion(spec: DatasetSpec, assets: Assets) -> Path | None:
    """The folder of Fashion-MNIST's files, or None."""
    return FASHION_MNIST.locate(assets)
