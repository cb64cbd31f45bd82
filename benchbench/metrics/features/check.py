"""Hold a feature space to graded corruptions, and print what it says of them.

    python -m benchbench.metrics.features.check EXTRACTOR [--data NAME] [--data-dir DIR] [--n N]

Each ladder is made of the first n validation images and scored against the first n test images,
as the row `real` is. The exit code is 1 where a step down a ladder lowers the Fréchet distance, or
where samples drawn in k principal components score better than reconstructions from them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from benchbench.api import Assets
from benchbench.api.data import Split
from benchbench.api.evaluation import Extractor
from benchbench.metrics.features import digits, grey28, inception, scattering
from benchbench.metrics.features.corruptions import Components, ladders, quantised, ranks
from benchbench.metrics.features.train import RECIPES, images
from benchbench.metrics.moments import Moments

__all__ = ["Check", "main", "rises"]

EXTRACTORS: dict[str, tuple[Callable[[Assets], Extractor], str]] = {
    "digits-cnn": (digits.load_single, "digits"),
    "stacked-digits-cnn": (digits.load_stacked, "digits"),
    "fashion-mnist-cnn": (grey28.load_fashion, "fashion-mnist"),
    "mnist-cnn": (grey28.load_mnist, "mnist"),
    "stacked-mnist-cnn": (grey28.load_stacked_mnist, "mnist"),
    "scattering": (scattering.load, "fashion-mnist"),
    "inception": (inception.load, "fashion-mnist"),
}
"""How each is loaded, and the data it is held against."""
N = 5_000
TRAINING = 20_000
"""Training images behind the principal components."""


class Check:
    """Scores of corrupted images of one data set by one extractor.

    channels: 1, or 3 for triples of independent images, each a channel.
    """

    def __init__(
        self, extractor: Extractor, data: str, assets: Assets, n: int = N, channels: int = 1
    ) -> None:
        recipe = RECIPES[data]
        self.extractor, self.levels, self.channels = extractor, recipe.levels, channels
        splits = recipe.splits(assets)
        (x, self.labels), (real, _), training = (
            _head(splits[name], rows, recipe.levels)
            for name, rows in (("validation", n), ("test", n), ("train", TRAINING))
        )
        self.x, self.components = x, Components.of(*training)
        self.ladders = ladders(x, self.labels, self.components)
        self.n = len(x) if channels == 1 else n
        self.real = self._moments(real, seed=1)

    def fid(self, x: Tensor) -> float:
        """Fréchet distance of images x: (n, 1, h, w), rounded to grey levels, to real ones."""
        fake = self._moments(quantised(x, self.levels))
        return fake.frechet(self.real)

    def ladder(self, name: str) -> dict[str, float]:
        """The score of each rung of one ladder."""
        return {rung: self.fid(x) for rung, x in self.ladders[name].items()}

    def drawn_over_reconstructed(self) -> dict[str, tuple[float, float]]:
        """By k: the score of samples drawn in k components, of reconstructions from them."""
        counts = torch.bincount(self.labels)
        return {
            str(k): (
                self.fid(self.components.drawn(k, counts)),
                self.fid(self.components.reconstructed(self.x, k)),
            )
            for k in ranks(self.components)[:-2]
        }

    def _moments(self, x: Tensor, seed: int = 0) -> Moments:
        if self.channels > 1:
            generator = torch.Generator().manual_seed(seed)
            rows = torch.randint(len(x), (self.n, self.channels), generator=generator)
            x = x[rows].squeeze(2)
        return Moments.of(torch.cat([self.extractor.features(b) for b in x.split(1000)]))


def rises(scores: dict[str, float]) -> bool:
    """Whether each score is above the one before it."""
    return all(a < b for a, b in pairwise(scores.values()))


def main(arguments: list[str] | None = None) -> int:
    """Print a Markdown table of every ladder; returns the exit code."""
    parser = argparse.ArgumentParser(description="Graded corruptions under an extractor.")
    parser.add_argument("extractor", choices=sorted(EXTRACTORS), help="extractor")
    parser.add_argument("--data", choices=sorted(RECIPES), help="data set (the extractor's)")
    parser.add_argument("--data-dir", type=Path, help="folder with the data set's files")
    parser.add_argument("--inception-weights", type=Path, help="for the extractor inception")
    parser.add_argument("--n", type=int, default=N, help="images (%(default)s)")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)
    weights = {"inception": options.inception_weights} if options.inception_weights else {}
    assets = Assets.of_user(options.data_dir, weights=weights)
    load, data = EXTRACTORS[options.extractor]
    extractor, data = load(assets), options.data or data
    channels = 3 if options.extractor.startswith("stacked") else 1
    check = Check(extractor, data, assets, options.n, channels)
    print(f"{extractor.name} ({extractor.digest}), {data}: validation:{check.n} against test\n")
    print("| ladder | Fréchet distance, from the images as they are downwards | rises |")
    print("|---|---|---|")
    good = True
    for name in check.ladders:
        scores = check.ladder(name)
        cells = ", ".join(f"{rung}: {score:.3g}" for rung, score in scores.items())
        good &= rises(scores)
        print(f"| {name} | {cells} | {'yes' if rises(scores) else 'NO'} |", flush=True)
    pairs = check.drawn_over_reconstructed()
    cells = ", ".join(f"{k}: {drawn:.3g} > {rec:.3g}" for k, (drawn, rec) in pairs.items())
    ordered = all(drawn > rec for drawn, rec in pairs.values())
    print(f"| drawn > reconstructed, by rank | {cells} | {'yes' if ordered else 'NO'} |")
    return 0 if good and ordered else 1


def _head(split: Split, rows: int, levels: int) -> tuple[Tensor, Tensor]:
    """The first rows in model space, and their labels."""
    assert split.labels is not None
    return images(Split(split.raw[:rows]), levels), split.labels[:rows]


if __name__ == "__main__":
    sys.exit(main())
