"""Size of a trained model: numbers in its parameters.

Everything that the trained module holds counts, what only training needed included (a VAE's
encoder, a GAN's critic): it is what the budget paid for. A moving average (`benchbench.nn.EMA`)
is a second copy of weights that are there already and is not counted again; buffers (running
statistics, random frequencies) are not parameters. Both stand in the detail.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from benchbench.api import Config, Evaluation, NotAvailable, Score
from benchbench.nn import EMA

__all__ = ["compute", "count_parameters"]


def count_parameters(module: nn.Module) -> dict[str, int]:
    """Numbers in `parameters`, in the `averaged_copies` beside them, and in `buffers`.

    A tensor that two submodules share counts once. Where a module holds nothing but averages,
    they are its parameters.
    """
    averages = [m for m in module.modules() if isinstance(m, EMA)]
    copies = {id(p): p for average in averages for p in average.parameters()}
    own = [p for p in module.parameters() if id(p) not in copies]
    counted, repeated = (own, list(copies.values())) if own else (list(copies.values()), [])
    return {
        "parameters": _numbers(counted),
        "averaged_copies": _numbers(repeated),
        "buffers": _numbers(module.buffers()),
    }


def compute(evaluation: Evaluation, config: Config) -> list[Score]:
    """The one score `parameters`, exact."""
    counts = count_parameters(evaluation.model)
    if not any(counts.values()):
        raise NotAvailable("the model shows the bench no tensor, so its size is not known")
    return [Score("parameters", float(counts.pop("parameters")), bound="exact", detail=counts)]


def _numbers(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)
