"""What `fit` is handed: batches that are the budget, generators, tracking, a log.

    def fit(self, training):
        opt = torch.optim.Adam(self.parameters(), lr=1e-3, fused=True)
        training.track(optimizer=opt)
        noise = training.generator("noise")
        for x in training.batches("train", share=1.0, batch_size=256):
            loss = self.loss(x, noise)
            opt.zero_grad(); loss.backward(); opt.step()
            training.log(loss=loss)

The loop ends when the phase's share of the budget is spent; that is the only way a budget is
enforced, so everything that `fit` does is charged, whatever it does it in.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from benchbench.api.data import DataInfo

__all__ = ["Training"]


class Training(abc.ABC):
    """The harness's side of `fit`.

    Resume: `fit` runs again from its top. Finished phases yield nothing, the interrupted one goes
    on at `training.step`. The module's parameters and buffers are restored before `fit`; tracked
    objects when they are tracked, which must happen before the loop that uses them. Code between
    phases runs again: it must be deterministic from `training.generator(name)` and from parameters
    that later phases leave alone (latents come from an encoder that the prior's phase does not
    train).
    """

    data: DataInfo
    device: torch.device

    @abc.abstractmethod
    def batches(
        self,
        phase: str,
        *,
        share: float = 1.0,
        batch_size: int,
        source: Tensor | tuple[Tensor, ...] | None = None,
    ) -> Iterator[Any]:
        """Hand out batches until `share` of the whole budget is spent on this phase.

        phase: a name unique within `fit`.
        share: in (0, 1]; the shares of all phases sum to at most 1; what a phase leaves unspent
            (by `break`) expires.
        source: tensors (n, …) with equal n to draw rows from (latents encoded between phases);
            None: the training split, in model space.

        Yields Tensor (batch_size, *shape) float32 on `device`, or a tuple of Tensors where
        `source` is a tuple. Rows come from a fresh permutation each epoch, the same for every
        model of a seed; incomplete last batches are left out (a batch larger than n is refused).
        """

    @abc.abstractmethod
    def sweep(self, batch_size: int) -> Iterator[Tensor]:
        """The training split once, in order, in model space: (b, *shape), last batch short.

        For work between phases, such as encoding all latents. Charged like everything in `fit`.
        """

    @property
    @abc.abstractmethod
    def validation(self) -> Tensor:
        """The validation split in model space, (n, *shape) float32 on `device`."""

    @abc.abstractmethod
    def generator(self, name: str) -> torch.Generator:
        """The generator of this name, on `device`: seeded from the cell's seed and the name.

        The same object at each call; its state is part of the checkpoint.
        """

    @abc.abstractmethod
    def track(self, **objects: Any) -> None:
        """Add objects with `state_dict` and `load_state_dict` to the checkpoint.

        Optimisers, schedulers, an EMA that is no submodule of the model. A function plugin tracks
        its modules as well: `training.track(net=net, optimizer=opt)`.
        """

    @abc.abstractmethod
    def log(self, **values: float | Tensor) -> None:
        """Report scalars of this step; cheap, since they are read only now and then.

        Raises Diverged where a value that is read is not finite.
        """

    @property
    @abc.abstractmethod
    def step(self) -> int:
        """Batches of the current phase that were handed out before the present one, from 0."""

    @property
    @abc.abstractmethod
    def progress(self) -> float:
        """The present phase's share that is spent, from 0 to 1: for learning-rate schedules.

        Deterministic for budgets in steps, images and FLOPs.
        """
