"""Models that break the contract, one way each, and one that keeps it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time

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


class WrongDtype(Good):
    def sample(self, n, *, generator):
        return super().sample(n, generator=generator).double()


class Crashes(Good):
    def fit(self, training):
        ctypes.string_at(0)


class Eats(Good):
    """Asks for more memory than it may have."""

    def fit(self, training):
        resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
        self.hoard = [bytearray(2**31) for _ in range(8)]


class Quits(Good):
    def fit(self, training):
        sys.exit("enough")


class Noisy(Good):
    """Fills both streams, and fails with what a table, a page or a terminal might take amiss."""

    def fit(self, training):
        for _ in range(64):
            print("x" * 2**16)
            print("y" * 2**16, file=sys.stderr)
        raise RuntimeError("<script>alert(1)</script> \x1b[2J\udcff | $x$ \0 end")


class Busy(Good):
    """Keeps the interpreter's lock in native code for an hour."""

    def fit(self, training):
        ctypes.PyDLL(None).sleep(3600)


class Spawns(Good):
    """Leaves a process behind that holds its pipes, and hangs."""

    def fit(self, training):
        subprocess.Popen(["sleep", "3600"])
        time.sleep(3600)


class Leaves(Good):
    """Leaves a process behind that holds its pipes, and ends."""

    def fit(self, training):
        super().fit(training)
        subprocess.Popen(["sleep", "3600"])


class Slow(Good):
    def fit(self, training):
        opt = torch.optim.SGD(self.parameters(), lr=0.1)
        training.track(optimizer=opt)
        for x in training.batches("train", batch_size=64):
            time.sleep(0.03)
            loss = (x - self.mean).square().mean()
            opt.zero_grad()
            loss.backward()
            opt.step()


class SlowSample(Good):
    def sample(self, n, *, generator):
        time.sleep(3600)


MODELS = (
    *(Good, Raises, NotFinite, WrongShape, WrongDtype, Diverges, Killed, Exits, Hangs, Overdraws),
    *(Crashes, Eats, Quits, Noisy, Busy, Spawns, Leaves, Slow, SlowSample),
)


@hookimpl
def bench_models():
    kinds = frozenset({"points"})
    return [ModelSpec(c.__name__.lower(), "test", kinds, c, summary="a test") for c in MODELS]
