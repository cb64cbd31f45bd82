"""A model that writes a checkpoint after every step, and notes the steps at which it began.

Halfway it waits until it may go on, so that what a test does to it happens in mid-training.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch

from benchbench.api import ModelSpec, hookimpl
from benchbench.api.model import Model
from benchbench.runner import cell as cell_module

HALFWAY = 5


class Steady(Model):
    """A Gaussian around a trained mean."""

    def __init__(self, config, data):
        super().__init__(config, data)
        self.mean = torch.nn.Parameter(torch.zeros(data.shape))

    def fit(self, training):
        opt = torch.optim.SGD(self.parameters(), lr=0.1)
        training.track(optimizer=opt)
        noted = False
        for x in training.batches("train", batch_size=64):
            if not noted:
                with Path(os.environ["STEADY_NOTES"]).open("a") as file:
                    file.write(f"{training.step}\n")
                noted = True
            while training.step == HALFWAY and not Path(os.environ["STEADY_GO"]).exists():
                time.sleep(0.05)
            loss = (x - self.mean).square().mean()
            opt.zero_grad()
            loss.backward()
            opt.step()

    def sample(self, n, *, generator):
        noise = torch.randn(n, *self.data.shape, generator=generator)
        return self.mean.detach() + noise


@hookimpl
def bench_models():
    cell_module.CHECKPOINT_SECONDS, cell_module.CHECKPOINT_SHARE = 0.0, 1e9
    return [ModelSpec("steady", "test", frozenset({"points"}), Steady, summary="a test")]
