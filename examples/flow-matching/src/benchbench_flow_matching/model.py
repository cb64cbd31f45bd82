"""The model `flow-matching`: train the velocity of straight paths, follow it from noise to data.

    loss = E ‖v(X_t, t) − (X_1 − X_0)‖²,   X_t = (1 − t) X_0 + t X_1,   logit t ~ N(m, s²)

Every kind of data is a flat vector z = (x − shift)/scale. Points and signals are standardised as
they come; images lose their mean image and are divided by one number, and are dequantised anew in
each batch, so the density is that of the dequantised image that every likelihood is stated for.
Times come from a logit-normal distribution ("Scaling Rectified Flow Transformers for
High-Resolution Image Synthesis", Esser et al., 2024), one from each of n slices of equal
probability.
"""

from __future__ import annotations

from typing import Any

import torch
from benchbench.api import DataInfo, Model, NotAvailable, Training
from benchbench.nn import EMA
from torch import Tensor

from benchbench_flow_matching.config import FlowMatchingConfig, FlowMatchingSampling
from benchbench_flow_matching.coupling import paired
from benchbench_flow_matching.density import log_density
from benchbench_flow_matching.solvers import evaluations, solve, times
from benchbench_flow_matching.velocity import VelocityField

__all__ = ["FlowMatching"]

SWEEP = 1024
"""Examples read at once for the moments of the training split."""
ROWS_CPU, ROWS_GPU = 1024, 65_536
"""Samples that are made at once: what fits a CPU's caches, a GPU's memory."""
WARM_UP = 0.03
"""Share of training over which the learning rate rises; then it falls to zero."""


class FlowMatching(Model):
    """Straight paths in data space. shift (D,) and scale () are those of the training images."""

    shift: Tensor
    scale: Tensor

    def __init__(self, config: FlowMatchingConfig, data: DataInfo) -> None:
        super().__init__(config, data)
        self.settings = s = config.settings(data)
        self.register_buffer("shift", torch.zeros(data.dim))
        self.register_buffer("scale", torch.ones(()))
        self.velocity = VelocityField(
            data.dim,
            width=s.width,
            depth=s.depth,
            fourier=s.fourier,
            fourier_scale=config.fourier_scale,
        )
        self.average = EMA(self.velocity, config.ema_decay)

    # --- training ------------------------------------------------------------------------------

    def fit(self, training: Training) -> None:
        """One phase; the loop over `training.batches` ends when the budget is spent."""
        if self.data.kind == "image":
            self._look(torch.cat([x.flatten(1) for x in training.sweep(SWEEP)]))
        optimizer = torch.optim.AdamW(
            self.velocity.parameters(),
            lr=self.settings.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=1e-4,
            fused=True,
        )
        training.track(optimizer=optimizer)
        generator = training.generator("flow")
        batch_size = min(self.settings.batch_size, self.data.n_train)
        for batch in training.batches("flow", batch_size=batch_size):
            optimizer.param_groups[0]["lr"] = self._rate(training.progress)
            loss = self.loss(self._standardised(batch, generator), generator=generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            self.average.update(self.velocity)
            training.log(loss=loss.detach())

    def loss(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """The mean squared error of the velocity. x: (n, D) in deviations -> ()."""
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        noise = paired(noise, x, self.config.coupling)
        t = self._times(len(x), generator)
        guess = self.velocity(torch.lerp(noise, x, t[:, None]), t)
        return (guess - (x - noise)).square().mean()

    def _times(self, n: int, generator: torch.Generator) -> Tensor:
        """t of a batch, (n,) in [0, 1]."""
        u = torch.rand(n, generator=generator, device=generator.device)
        u = (torch.arange(n, device=u.device) + u) / n
        return torch.sigmoid(
            self.settings.time_mean + self.settings.time_std * torch.special.ndtri(u)
        )

    def _rate(self, progress: float) -> float:
        """The learning rate: up, then down on a line to zero. progress: in [0, 1]."""
        factor = min((progress + 1e-3) / WARM_UP, (1 - progress) / (1 - WARM_UP), 1.0)
        return self.settings.learning_rate * max(factor, 0.0)

    @torch.no_grad()
    def _look(self, x: Tensor) -> None:
        """Take shift and scale from the training images, (n, D)."""
        self.shift.copy_(x.mean(0))
        self.scale.copy_((x - self.shift).square().mean().sqrt().clamp_min(1e-3))

    def _standardised(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A batch (n, *shape), images with uniform noise of one level's width -> (n, D)."""
        x = x.flatten(1)
        if self.data.levels is not None:
            u = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            x = x + (2 * u - 1) / (self.data.levels - 1)
        return (x - self.shift) / self.scale

    # --- the trained model ---------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        """(n, *shape); images clamped to [−1, 1]. sampling: fields of `FlowMatchingSampling`."""
        options = FlowMatchingSampling(**sampling)
        at = times(options.steps, options.rho)
        device = self.shift.device
        noise = torch.randn(n, self.data.dim, generator=generator, device=device)
        parts = noise.split(ROWS_CPU if device.type == "cpu" else ROWS_GPU)
        z = [solve(self.average.module, part, at, solver=options.solver) for part in parts]
        x = (torch.cat(z) * self.scale + self.shift).unflatten(1, self.data.shape)
        return x.clamp(-1, 1) if self.data.kind == "image" else x

    def nfe(self, **sampling: Any) -> int:
        """Evaluations of the velocity for one sample."""
        options = FlowMatchingSampling(**sampling)
        return evaluations(options.solver, options.steps)

    def describe(self) -> dict[str, Any]:
        """JSON-ready facts that stand beside the scores."""
        return {
            "latent_dim": self.data.dim,
            "prior": "N(0, I) in data space",
            "loss": "mean squared error of the velocity of straight paths",
            "coupling": self.config.coupling,
        }

    def log_prob(self, x: Tensor) -> Tensor:
        """ln p(x) in model space along the flow: (n, *shape) -> (n,) nats.

        Raises NotAvailable where an example has more than `density.MAX_DIM` numbers.
        """
        z = (x.flatten(1) - self.shift) / self.scale
        return (log_density(self.average.module, z) - self.data.dim * self.scale.log()).float()

    def add_noise(self, z: Tensor, t: Tensor, *, generator: torch.Generator) -> Tensor:
        """X = Z + sqrt(t)·ε in model space. z: (n, D), t: (n,) >= 0 -> (n, D)."""
        noise = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
        return z + t.sqrt()[:, None] * noise

    def denoise(self, x: Tensor, t: Tensor) -> Tensor:
        """E[Z | X] as the velocity has it, in model space. x: (n, D), t: (n,) -> (n, D).

        In deviations X = Z + σ ε is X_τ/τ with τ = 1/(1 + σ), and E[X_1 | X_τ] = X_τ + (1 − τ) v.
        Raises NotAvailable with minibatch-ot, whose noise is not independent of Z.
        """
        if self.config.coupling != "independent":
            raise NotAvailable(
                f"with coupling={self.config.coupling} the noise depends on the example: the "
                "velocity is no denoiser of independent noise"
            )
        tau = 1 / (1 + t.sqrt() / self.scale)
        on_path = tau[:, None] * (x - self.shift) / self.scale
        clean = on_path + (1 - tau)[:, None] * self.average.module(on_path, tau)
        return clean * self.scale + self.shift
