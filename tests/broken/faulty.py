"""Models that break the contract, one way each, and one that keeps it."""

from __future__ import annotations

import os
import signal

import torch

from benchbench.api import ModelSpec, hookimpl
from benchbench.api.model import Model


class Good(Model):
    """A Gaussian around a trained mean."""

    def __init__(self, config, data):
        super().__init__(config, data)
        self.mean = torch.nn.Parameter(torch.zeros(data.shape))

    def fit(self, training):
        opt = torch.optim.SGD(self.parameters(), lr=0.1)
        training.track(optimizer=opt)
        for x in training.batches("train", batch_size=64):
            loss = (x - self.mean).square().mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            training.log(loss=loss)

    def sample(self, n, *, generator):
        noise = torch.randn(n, *self.data.shape, generator=generator)
        return (self.mean.detach() + noise).clamp(-1, 1)


class Raises(Good):
    def fit(self, training):
        raise RuntimeError("no luck today")


class NotFinite(Good):
    def sample(self, n, *, generator):
        return super().sample(n, generator=generator) * float("nan")


class WrongShape(Good):
    def sample(self, n, *, generator):
        return super().sample(n, generator=generator)[:, :1]


class Diverges(Good):
    def fit(self, training):
        for _ in training.batches("train", batch_size=64):
            training.log(loss=float("inf"))


class Killed(Good):
    def fit(self, training):
        os.kill(os.getpid(), signal.SIGKILL)


class Exits(Good):
    def fit(self, training):
        os._exit(7)


class Hangs(Good):
    def fit(self, training):
        while True:
            signal.pause()


class Overdraws(Good):
    def fit(self, training):
        for _ in training.batches("a", share=0.8, batch_size=64):
            continue
        for _ in training.batches("b", share=0.8, batch_size=64):
            continue


@hookimpl
def bench_models():
    classes = (Good, Raises, NotFinite, WrongShape, Diverges, Killed, Exits, Hangs, Overdraws)
    kinds = frozenset({"points"})
    return [ModelSpec(c.__name__.lower(), "test", kinds, c, summary="a test") for c in classes]
