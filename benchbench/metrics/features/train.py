"""Train a classifier whose features carry the scores, and write its weights.

    python -m benchbench.metrics.features.train NAME [--data-dir DIR] [--steps N] [--seed K]

NAME is a recipe: `digits`, `fashion-mnist` or `mnist`. Only the training split is trained on. The
recipe of `digits` was chosen among about six, on validation accuracy and on the corruption check;
its test accuracy was looked at beside them, so that figure in its file is not blind. Those of the
28×28 nets were chosen on the validation split of fashion-mnist, between two of them, the layers
whose features are used likewise. On the CPU with one thread the same torch gives the same bits. The
weights are an exponential average over the last few hundred steps.

Augmentation is mild on purpose: a network trained to see through blur or noise would have features
that miss them. 28×28 images are moved by whole pixels, since interpolation blurs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, pad

from benchbench.api import Assets
from benchbench.api.data import Split
from benchbench.data.digits import digit_splits
from benchbench.data.idx import FASHION_MNIST, MNIST
from benchbench.data.mnist import idx_splits
from benchbench.metrics.features.classifier import ClassifierNet
from benchbench.metrics.features.digits import WEIGHTS, DigitNet
from benchbench.metrics.features.grey28 import FASHION_WEIGHTS, MNIST_WEIGHTS, Grey28Net
from benchbench.nn import EMA

__all__ = ["RECIPES", "Recipe", "accuracy", "images", "main", "roughened", "shifted", "train"]

TILT, SCALE, SHIFT, NOISE = 0.15, 0.07, 0.18, 0.15
"""Standard deviations of the angle (rad) and scale; largest shift (half-widths); noise, at most."""
BATCH_SIZE = 128
DECAY = 0.995


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

    levels: grey levels of the data. augment: (x, generator) -> x, both (n, 1, side, side).
    steps: of BATCH_SIZE images drawn at random. rate: the peak of a one-cycle schedule.
    """

    net: Callable[[], ClassifierNet]
    weights: Path
    splits: Callable[[Assets], dict[str, Split]]
    levels: int
    augment: Callable[[Tensor, torch.Generator], Tensor]
    steps: int
    rate: float
    weight_decay: float
    smoothing: float


def images(split: Split, levels: int) -> Tensor:
    """Grey levels in model space: (n, 1, side, side) in [−1, 1]."""
    return split.raw.float() * (2 / (levels - 1)) - 1


def roughened(x: Tensor, generator: torch.Generator) -> Tensor:
    """Turn, stretch, shift and roughen each image a little: (n, 1, 8, 8) -> the same."""
    n = len(x)
    angle = TILT * torch.randn(n, generator=generator)
    stretch = 1 + SCALE * torch.randn(n, 2, generator=generator)
    shift = SHIFT * (2 * torch.rand(n, 2, generator=generator) - 1)
    cos, sin = angle.cos(), angle.sin()
    rotation = torch.stack([cos, -sin, sin, cos], dim=1).view(n, 2, 2)
    theta = torch.cat([rotation * stretch.unsqueeze(1), shift.unsqueeze(2)], dim=2)
    grid = affine_grid(theta, list(x.shape), align_corners=False)
    # Outside the frame is background, −1, where grid_sample pads with 0.
    moved = grid_sample(x + 1, grid, align_corners=False) - 1
    level = NOISE * torch.rand(n, 1, 1, 1, generator=generator)
    return (moved + level * torch.randn(x.shape, generator=generator)).clamp(-1, 1)


def shifted(x: Tensor, generator: torch.Generator, pixels: int = 1) -> Tensor:
    """Move each image by up to `pixels` whole pixels both ways: (n, 1, s, s) -> the same."""
    n, side = len(x), x.shape[-1]
    framed = pad(x, (pixels,) * 4, value=-1)
    by = torch.randint(2 * pixels + 1, (2, n, 1), generator=generator) + torch.arange(side)
    rows, columns = by[0].unsqueeze(2), by[1].unsqueeze(1)
    return framed[torch.arange(n).view(-1, 1, 1), 0, rows, columns].unsqueeze(1)


def mirrored(x: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, and turn every second image left to right: (n, 1, s, s) -> the same."""
    turn = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    return shifted(torch.where(turn, x.flip(3), x), generator)


RECIPES = {
    "digits": Recipe(
        net=DigitNet,
        weights=WEIGHTS,
        splits=lambda assets: digit_splits(),
        levels=17,
        augment=roughened,
        steps=2000,
        rate=3e-3,
        weight_decay=0.02,
        smoothing=0.05,
    ),
    "fashion-mnist": Recipe(
        net=Grey28Net,
        weights=FASHION_WEIGHTS,
        splits=lambda assets: idx_splits(FASHION_MNIST, assets),
        levels=256,
        augment=mirrored,
        steps=5200,
        rate=4e-3,
        weight_decay=0.05,
        smoothing=0.02,
    ),
    "mnist": Recipe(
        net=Grey28Net,
        weights=MNIST_WEIGHTS,
        splits=lambda assets: idx_splits(MNIST, assets),
        levels=256,
        augment=shifted,
        steps=2600,
        rate=4e-3,
        weight_decay=0.05,
        smoothing=0.02,
    ),
}


def train(recipe: Recipe, split: Split, steps: int, seed: int) -> ClassifierNet:
    """Fit the classifier to one split; returns the averaged network in eval mode."""
    x, y = images(split, recipe.levels), split.labels
    assert y is not None
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = recipe.net()
    average = EMA(net, decay=DECAY)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (BATCH_SIZE,), generator=generator)
        _, logits = net(recipe.augment(x[rows], generator))
        loss = cross_entropy(logits, y[rows], label_smoothing=recipe.smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update(net)
    return average.module.eval()


@torch.no_grad()
def accuracy(net: ClassifierNet, split: Split, levels: int) -> float:
    """The share of a split's images that the network, in eval mode, reads right."""
    assert split.labels is not None
    right = 0
    for first in range(0, len(split), net.batch):
        rows = slice(first, first + net.batch)
        _, logits = net(images(Split(split.raw[rows]), levels))
        right += int((logits.argmax(dim=1) == split.labels[rows]).sum())
    return right / len(split)


def main(arguments: list[str] | None = None) -> None:
    """Train, print the accuracies, write the weights with how they were made."""
    parser = argparse.ArgumentParser(description="Train the extractor of a data set.")
    parser.add_argument("name", choices=sorted(RECIPES), help="recipe")
    parser.add_argument("--data-dir", type=Path, help="folder with the data set's files")
    parser.add_argument("--out", type=Path, help="file to write (the package's own)")
    parser.add_argument("--steps", type=int, help="training steps (the recipe's)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (%(default)s)")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)
    recipe = RECIPES[options.name]
    out, steps = options.out or recipe.weights, options.steps or recipe.steps
    splits = recipe.splits(Assets.of_user(options.data_dir))
    net = train(recipe, splits["train"], steps, options.seed)
    facts = {
        "steps": steps,
        "seed": options.seed,
        "preprocessing": net.preprocessing,
        "n": {name: len(split) for name, split in splits.items()},
        "accuracy": {
            name: round(accuracy(net, split, recipe.levels), 4) for name, split in splits.items()
        },
        "torch": torch.__version__.split("+")[0],
    }
    tensors = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    # One metadata key: safetensors does not keep the order of several, so bytes would vary.
    save_file(tensors, out, metadata={"training": json.dumps(facts)})
    print(f"{json.dumps(facts)}\nwrote {out}")


if __name__ == "__main__":
    main()
