"""Train the digit classifier whose features carry the scores, and write its weights.

    python -m benchbench.metrics.features.train_digits [--out FILE] [--steps N] [--seed K]

Only the 1,078 training digits are trained on. The recipe was chosen among about six, on validation
accuracy and on the corruption check; test accuracy was looked at beside them, so the figure in the
file is not blind. On the CPU with one thread the same torch gives the same bits. The weights are an
exponential average over the last few hundred steps; augmentation is a small random affine map and a
little noise. The noise is kept mild on purpose: a network trained to see through it would have
features that miss it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from benchbench.api.data import Split
from benchbench.data.digits import LEVELS, digit_splits
from benchbench.metrics.features.digits import PREPROCESSING, WEIGHTS, DigitNet
from benchbench.nn import EMA

__all__ = ["accuracy", "augment", "main", "train"]

BATCH_SIZE = 128
LEARNING_RATE = 3e-3
LABEL_SMOOTHING = 0.05
TILT, SCALE, SHIFT, NOISE = 0.15, 0.07, 0.18, 0.15
"""Standard deviations of the angle (rad) and scale; largest shift (half-widths); noise, at most."""


def images(split: Split) -> Tensor:
    """Levels 0 to 16 in model space: (n, 1, 8, 8) in [−1, 1]."""
    return split.raw.float() * (2 / (LEVELS - 1)) - 1


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
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


def train(split: Split, steps: int, seed: int) -> DigitNet:
    """Fit the classifier to one split; returns the averaged network in eval mode."""
    x, y = images(split), split.labels
    assert y is not None
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = DigitNet()
    average = EMA(net, decay=0.995)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (BATCH_SIZE,), generator=generator)
        _, logits = net(augment(x[rows], generator))
        loss = cross_entropy(logits, y[rows], label_smoothing=LABEL_SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update(net)
    return average.module.eval()


@torch.no_grad()
def accuracy(net: nn.Module, split: Split) -> float:
    """The share of a split's digits that the network, in eval mode, reads right."""
    _, logits = net(images(split))
    assert split.labels is not None
    return float((logits.argmax(dim=1) == split.labels).double().mean())


def main(arguments: list[str] | None = None) -> None:
    """Train, print the accuracies, write the weights with how they were made."""
    parser = argparse.ArgumentParser(description="Train the extractor of the digit data sets.")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file to write (%(default)s)")
    parser.add_argument("--steps", type=int, default=2000, help="training steps (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (%(default)s)")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)
    splits = digit_splits()
    net = train(splits["train"], options.steps, options.seed)
    facts = {
        "steps": options.steps,
        "seed": options.seed,
        "preprocessing": PREPROCESSING,
        "n": {name: len(split) for name, split in splits.items()},
        "accuracy": {name: round(accuracy(net, split), 4) for name, split in splits.items()},
        "torch": torch.__version__.split("+")[0],
    }
    tensors = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    # One metadata key: safetensors does not keep the order of several, so bytes would vary.
    save_file(tensors, options.out, metadata={"training": json.dumps(facts)})
    print(f"{json.dumps(facts)}\nwrote {options.out}")


if __name__ == "__main__":
    main()
