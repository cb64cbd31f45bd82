"""What `ldm` and `ddpm` share: a diffusion process that is trained in one phase and sampled by ODE.

A subclass brings the space that the process runs in, standardised vectors (n, d), and the way
from there to examples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchbench.api import NotAvailable
from benchbench.api.model import Model
from benchbench.api.training import Training
from benchbench_ldm.config import DiffusionSampling
from benchbench_ldm.diffusion import Denoiser, Diffusion
from benchbench_ldm.likelihood import ode_log_prob
from benchbench_ldm.solvers import noise_levels, solve

__all__ = ["DiffusionModel", "adamw", "descend", "least_sigma", "set_rate"]

WARM_UP = 0.03
"""Share of a phase in which its learning rate rises; it falls to zero over the rest."""
FLOOR = 0.5
"""σ_min over the width of the noise that Z has by itself: nothing finer than that is left."""
LEAST_SIGMA = 2e-3
"""The smallest σ_min, in standard deviations of Z."""


class DiffusionModel(Model):
    """A model whose samples come out of `self.diffusion`."""

    diffusion: Diffusion

    def _fit_diffusion(
        self,
        training: Training,
        phase: str,
        draw: Callable[[Any, torch.Generator], Tensor],
        *,
        share: float,
        batch_size: int,
        rate: float,
        source: tuple[Tensor, ...] | None = None,
    ) -> None:
        """One phase on all that is left.

        draw: what `training.batches` yields -> Z (b, d), with noise from the generator.
        """
        noise = training.generator("diffusion")
        optimizer = adamw(self.diffusion.denoiser, rate)
        training.track(**{f"{phase}_optimizer": optimizer})
        for batch in training.batches(phase, share=share, batch_size=batch_size, source=source):
            set_rate(optimizer, rate, training.progress)
            loss = self.diffusion.loss(draw(batch, noise), generator=noise)
            descend(optimizer, loss)
            self.diffusion.ema.update(self.diffusion.denoiser)
            training.log(loss=loss.detach())

    def _solve(self, n: int, options: DiffusionSampling, generator: torch.Generator) -> Tensor:
        """Z by the diffusion process, (n, d)."""
        low, high = float(self.diffusion.sigma_min), self.diffusion.sigma_max
        return solve(
            self.diffusion.denoise,
            self.diffusion.draw_start(n, generator=generator),
            noise_levels(options.steps, low, high, options.rho, options.schedule),
            sampler=options.sampler,
            churn=options.churn,
            generator=generator,
        )

    def _log_density(self, z: Tensor) -> Tensor:
        """ln p(z) through the probability-flow ODE with exact trace: (n, d) -> (n,) nats.

        Raises NotAvailable above `likelihood.MAX_DIM` dimensions, and for a U-Net.
        """
        denoiser = self.diffusion.ema.module
        if not isinstance(denoiser, Denoiser):
            raise NotAvailable(
                "exact likelihood through a U-Net costs too much: its trace has no closed form, "
                "and an estimated one would bias importance weights; use denoiser=mlp"
            )
        return ode_log_prob(
            denoiser,
            z,
            sigma_min=float(self.diffusion.sigma_min),
            sigma_max=self.diffusion.sigma_max,
            covariance=self.diffusion.covariance,
            trace=denoiser.trace,
        )

    def _sigmas(self) -> dict[str, Any]:
        """Facts for `describe`."""
        return {
            "sigma_min": float(self.diffusion.sigma_min),
            "sigma_max": self.diffusion.sigma_max,
        }


def least_sigma(std: Tensor) -> float:
    """σ_min where Z itself has noise of these standard deviations."""
    return max(LEAST_SIGMA, FLOOR * float(std.log().mean().exp()))


def adamw(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    """The optimiser of every phase."""
    return torch.optim.AdamW(
        module.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float, progress: float) -> None:
    """Linear warm-up, then linear decay to zero. progress: in [0, 1]."""
    factor = min((progress + 1e-3) / WARM_UP, (1 - progress) / (1 - WARM_UP), 1.0)
    for group in optimizer.param_groups:
        group["lr"] = rate * max(factor, 0.0)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step down the loss's gradient."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
