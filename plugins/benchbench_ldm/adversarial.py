"""The adversarial part of the first stage: reconstructions that a critic of patches can't tell.

    D(x): (h, w) scores, one for each patch of the image
    critic   E softplus(D(x̂) − D(x)) + γ/2 E (‖∇ΣD(x)‖² + ‖∇ΣD(x̂)‖²)
    push     −g, g = ∇_x̂ [softplus(D(x) − D(x̂)) + F ‖φ(x) − φ(x̂)‖₁],  scaled to w ‖∇_x̂ ‖x − x̂‖²‖

"High-Resolution Image Synthesis with Latent Diffusion Models" (Rombach et al., 2022) trains its
autoencoder on such a sum: squared error, a feature loss, a patch critic ("Image-to-Image
Translation with Conditional Adversarial Networks", Isola et al., 2017), the critic's gradient
scaled to the reconstruction's. What differs here:

- The features φ are the critic's own layers ("Autoencoding beyond pixels using a learned
  similarity metric", Larsen et al., 2016), since a network trained elsewhere would stand outside
  the budget.
- The critic compares an image with its own reconstruction ("The relativistic discriminator",
  Jolicoeur-Martineau, 2019), under zero-centred gradient penalties ("Which Training Methods for
  GANs do actually Converge?", Mescheder et al., 2018), taken every `PERIOD` steps with as many
  times the weight.
- Gradients are compared at the image and not at the decoder's last weights: one pass less.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["PatchCritic", "duel", "scaled"]

PERIOD = 8
"""Steps from one gradient penalty to the next; it divides the blocks in which FLOPs are counted."""
GAMMA = 0.1
"""γ: weight of the gradient penalty."""
FEATURES = 10.0
"""F: weight of the distance of the critic's features beside its loss."""
SLOPE = 0.2
"""Of the leaky ReLU on negative inputs."""


class PatchCritic(nn.Module):
    """Images (n, C, H, W) -> a score for each patch and the features behind it.

    width: channels on the grid of half the image's sides; they double on each of two more. A score
    sees 22 × 22 pixels.
    """

    def __init__(self, shape: Sequence[int], *, width: int) -> None:
        super().__init__()
        widths = (shape[0], width, 2 * width, 4 * width)
        stages = [nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(widths)]
        for layer in stages:
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.stages = nn.ModuleList(stages)
        self.head = nn.Conv2d(widths[-1], 1, 1)
        nn.init.normal_(self.head.weight, std=0.1 / math.sqrt(widths[-1]))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """x: (n, C, H, W) -> scores (n, 1, h, w), and every stage's features."""
        features = []
        for stage in self.stages:
            x = functional.leaky_relu(stage(x), SLOPE)
            features.append(x)
        return self.head(x), features


def duel(critic: PatchCritic, x: Tensor, rebuilt: Tensor, *, step: int) -> tuple[Tensor, Tensor]:
    """The critic's loss, (), and the gradient g of what reconstructions fall short by.

    x, rebuilt: images and their reconstructions, (n, C, H, W). The critic sees them within
    [−1, 1], as samples will be. step: of the training.
    """
    penalised = step % PERIOD == 0
    # bfloat16's three digits are too few for a gradient's gradient.
    exact = torch.autocast(x.device.type, enabled=False) if penalised else nullcontext()
    x = x.detach().requires_grad_(penalised)
    shown = rebuilt.detach().requires_grad_()
    with exact:
        real, wanted = critic(x)
        fake, found = critic(shown.clamp(-1, 1))
        target = functional.softplus(real.detach() - fake).mean()
        for a, b in zip(wanted, found, strict=True):
            target = target + FEATURES * (a.detach() - b).abs().mean()
        (push,) = torch.autograd.grad(target, shown, retain_graph=True)
        loss = functional.softplus(fake - real).mean()
        if penalised:
            loss = loss + 0.5 * PERIOD * GAMMA * (_steepness(real, x) + _steepness(fake, shown))
    return loss, push


def scaled(push: Tensor, x: Tensor, rebuilt: Tensor, weight: float) -> Tensor:
    """push with `weight` times the norm of the squared error's gradient over the batch."""
    size = 2 * (rebuilt.detach() - x).norm() / len(x)
    return push * (weight * size / push.norm().clamp_min(1e-12))


def _steepness(scores: Tensor, x: Tensor) -> Tensor:
    """Mean of the squared norm of the scores' gradient in x: ()."""
    (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(dim=1).mean()
