"""One convolution that removes noise, sampled by denoising noise down its levels.

    noise injection   X = Z + sqrt(t)·ε,   ε ~ N(0, I)
    noise removal     Ẑ = f(X),            f one 3 × 3 convolution
    loss              L = 1/n Σ (Z_i − Ẑ_i)²
    sampling          X ← f(X) + sqrt(t')·ε from the highest level t down to t' = 0

These are the article's equations. Its code departs from them, and is not followed where it does:
it calls the clean image X and the noisy one Z, and it compares the network's output with its own
NOISY input, so that the identity map has loss 0 and nothing is learned. Its network ignores t, and
that is kept: this is the literal baseline. So f is not the identity at t = 0, which the bench's
capability `denoise` promises, and the plugin does not declare it.

f is linear and so is the chain: up to clipping the samples are one Gaussian, whatever the data.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchbench.api import DataInfo, Model, Training
from benchbench_article import ArticleConfig

__all__ = ["Article"]


class Article(Model):
    """The article's network for images (n, C, H, W)."""

    def __init__(self, config: ArticleConfig, data: DataInfo) -> None:
        super().__init__(config, data)
        self.network = nn.Conv2d(data.shape[0], data.shape[0], kernel_size=3, padding=1)

    def fit(self, training: Training) -> None:
        """Mean squared error at a level drawn for each image."""
        optimizer = torch.optim.Adam(self.parameters(), lr=self.config.lr, fused=True)
        training.track(optimizer=optimizer)
        noise, sigma = training.generator("noise"), self.sigmas(training.device)
        batch_size = min(self.config.batch_size, self.data.n_train)
        for z in training.batches("article", batch_size=batch_size):
            level = torch.randint(
                len(sigma), (len(z), 1, 1, 1), generator=noise, device=training.device
            )
            eps = torch.randn(z.shape, generator=noise, device=z.device, dtype=z.dtype)
            x = z + sigma[level] * eps
            loss = (z - self.network(x).float()).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            training.log(loss=loss.detach())

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, **sampling: Any) -> Tensor:
        """Denoise, and noise again to the next lower level: (n, C, H, W) in [−1, 1]."""
        like = self.network.weight
        x = torch.zeros((n, *self.data.shape), device=like.device, dtype=like.dtype)
        for sigma in self.sigmas(like.device):
            x = x + sigma * torch.randn(x.shape, generator=generator, device=like.device)
            x = self.network(x)
        return x.clamp(-1, 1)

    def sigmas(self, device: torch.device) -> Tensor:
        """sqrt(t) of every level, highest first: (levels,)."""
        c = self.config
        steps = torch.linspace(0, 1, c.levels, device=device)
        return c.sigma_max * (c.sigma_min / c.sigma_max) ** steps

    def nfe(self, **sampling: Any) -> int:
        """One evaluation a level."""
        return self.config.levels

    def describe(self) -> dict[str, Any]:
        """Loss, levels."""
        return {"loss": "mean squared error of the denoised image", "levels": self.config.levels}
