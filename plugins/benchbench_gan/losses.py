"""Losses of the two players and gradient penalties, from the critic's scores.

r = D(real), f = D(fake), one score each; s(u) = log(1 + exp u).

    relativistic     L_D = E s(f − r)            L_G = E s(r − f)
    non-saturating   L_D = E s(f) + E s(−r)      L_G = E s(−f)
    hinge            L_D = E max(0, 1 + f) + E max(0, 1 − r)      L_G = −E f
    wasserstein      L_D = E f − E r             L_G = −E f

"The relativistic discriminator", Jolicoeur-Martineau, 2018; "The GAN is dead; long live the GAN!
A Modern GAN Baseline", Huang et al., 2024; "Generative Adversarial Nets", Goodfellow et al.,
2014; "Geometric GAN", Lim and Ye, 2017; "Wasserstein GAN", Arjovsky et al., 2017.

Penalties on the critic's gradient g = ∇_x D(x), with weight γ:

    zero-centred (γ/2) E |g|²     at real (R1) and generated (R2) examples
    one-centred   γ E (|g| − 1)²  at points between them

"Stabilizing Training of Generative Adversarial Networks through Regularization", Roth et al.,
2017; "Which Training Methods for GANs do actually Converge?", Mescheder et al., 2018; "Improved
Training of Wasserstein GANs", Gulrajani et al., 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from benchbench_gan.config import Loss

__all__ = ["critic_loss", "generator_loss", "gradient", "one_centred", "zero_centred"]


def critic_loss(loss: Loss, real: Tensor, fake: Tensor) -> Tensor:
    """What the critic minimises, from scores (n,) each: a scalar."""
    if loss == "relativistic":
        return softplus(fake - real).mean()
    if loss == "non-saturating":
        return softplus(fake).mean() + softplus(-real).mean()
    if loss == "hinge":
        return relu(1 + fake).mean() + relu(1 - real).mean()
    return fake.mean() - real.mean()


def generator_loss(loss: Loss, real: Tensor, fake: Tensor) -> Tensor:
    """What the generator minimises, from scores (n,) each: a scalar."""
    if loss == "relativistic":
        return softplus(real - fake).mean()
    if loss == "non-saturating":
        return softplus(-fake).mean()
    return -fake.mean()


def gradient(scores: Tensor, x: Tensor) -> Tensor:
    """∇_x of each score, differentiable again: (m,), (n, *shape) -> (m, n/m · D).

    x: what the scores were computed from, with gradient; n/m examples in a row belong to one
    score, and no score depends on the examples of another.
    """
    (g,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return g.reshape(len(scores), -1)


def zero_centred(g: Tensor) -> Tensor:
    """½ E |g|²: (m, k) -> a scalar."""
    return 0.5 * g.square().sum(dim=1).mean()


def one_centred(g: Tensor) -> Tensor:
    """E (|g| − 1)²: (m, k) -> a scalar."""
    return (g.norm(dim=1) - 1).square().mean()
