"""GANs of the literature by name: the same networks and training loop, other defaults.

Each is a subclass of `GanConfig` that changes defaults and nothing else, so every option can still
be set. What a paper says of its optimiser and its penalty is taken over; batch sizes and network
sizes stay those of `gan`, so that the rows differ in the method. The papers' learning rates of 1e-4
and 2e-4 are for hundreds of thousands of steps; where a penalty keeps training stable the rate is
1e-3, for budgets of some thousands. None of the four is tuned.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from benchbench_gan.config import GanConfig, Loss, Penalty, Period

__all__ = ["NonSaturatingConfig", "PacGanConfig", "R3GanConfig", "WganGpConfig"]


def _default(option: str, value: Any) -> Any:
    """The option of `GanConfig` with its limits and its description, and another default."""
    field = copy(GanConfig.model_fields[option])
    field.default = value
    return field


class NonSaturatingConfig(GanConfig):
    """The classic GAN: non-saturating loss, no penalty, no average of weights.

    "Generative Adversarial Nets", Goodfellow et al., 2014; Adam as in "Unsupervised Representation
    Learning with Deep Convolutional Generative Adversarial Networks", Radford et al., 2016.
    """

    loss: Loss = _default("loss", "non-saturating")
    penalty: Penalty = _default("penalty", "none")
    lr_generator: float | None = _default("lr_generator", 2e-4)
    lr_critic: float | None = _default("lr_critic", 2e-4)
    beta1: float = _default("beta1", 0.5)
    beta2: float = _default("beta2", 0.999)
    ema_decay: float | None = _default("ema_decay", 0.0)


class PacGanConfig(NonSaturatingConfig):
    """The classic GAN whose critic judges two examples at once.

    "PacGAN: The power of two samples in generative adversarial networks", Lin et al., 2018.
    """

    pack: int = _default("pack", 2)


class WganGpConfig(GanConfig):
    """Wasserstein loss, one-centred gradient penalty at every step, plain networks.

    "Improved Training of Wasserstein GANs", Gulrajani et al., 2017: λ = 10, Adam with β = (0, 0.9).
    The critic takes one step for each of the generator's and not five, which "GANs Trained by a
    Two Time-Scale Update Rule", Heusel et al., 2017, found enough: under a small budget the
    generator needs its share of steps. No random frequencies: |∇D| = 1 leaves no use for them.
    """

    loss: Loss = _default("loss", "wasserstein")
    penalty: Penalty = _default("penalty", "wgan-gp")
    penalty_period: Period | None = _default("penalty_period", 1)
    fourier: int | None = _default("fourier", 0)
    latent_fourier: int | None = _default("latent_fourier", 0)
    lr_generator: float | None = _default("lr_generator", 1e-3)
    lr_critic: float | None = _default("lr_critic", 1e-3)
    beta1: float = _default("beta1", 0.0)
    beta2: float = _default("beta2", 0.9)
    ema_decay: float | None = _default("ema_decay", 0.0)


class R3GanConfig(GanConfig):
    """Relativistic loss, R1 and R2 at every step, no normalisation, Adam without momentum.

    "The GAN is dead; long live the GAN! A Modern GAN Baseline", Huang et al., 2024: Adam with
    β = (0, 0.99), and an average of the generator's weights. `gan` follows it too, but with lazy
    penalties and normalised convolutions.
    """

    penalty_period: Period | None = _default("penalty_period", 1)
    normalise: bool = _default("normalise", False)
    lr_generator: float | None = _default("lr_generator", 1e-3)
    lr_critic: float | None = _default("lr_critic", 1e-3)
    beta2: float = _default("beta2", 0.99)
