"""FID and KID by torch-fidelity's own pipeline, so that a published number can be reproduced.

torch-fidelity is handed the bytes that our own extractor reads and the weights it has checked, and
does everything else itself: resize, network, moments, kernel. Its cache, whose key leaves the
weights out, stays off, and so do its downloads.

Obukhov et al., "High-fidelity performance metrics for generative models in PyTorch", 2020.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchbench.api import Evaluation, NotAvailable
from benchbench.metrics.features.inception import BATCH, InceptionExtractor, to_bytes

__all__ = ["PIPELINE", "peer_detail", "peer_scores"]

PIPELINE = "torch-fidelity"


class _Images(Dataset[Tensor]):
    """uint8 images (n, 3, H, W) on the CPU, one at a time."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


def peer_scores(evaluation: Evaluation, n: int, **asked: Any) -> dict[str, float]:
    """What torch-fidelity says of n samples against the first n test examples.

    asked: arguments of `torch_fidelity.calculate_metrics`, such as `fid=True`.
    Raises NotAvailable where the plan's extractor is not Inception.
    """
    extractor = evaluation.extractor
    if not isinstance(extractor, InceptionExtractor):
        raise NotAvailable(
            f"the pipeline {PIPELINE} has Inception's features alone, this row has those of "
            f"{extractor.name}; give --extractor inception"
        )
    samples, reference = (to_bytes(x) for x in (evaluation.samples(n), evaluation.reference(n)))
    return calculate(samples, reference, extractor, evaluation.device, **asked)


def calculate(
    samples: Tensor,
    reference: Tensor,
    extractor: InceptionExtractor,
    device: torch.device,
    **asked: Any,
) -> dict[str, float]:
    """torch-fidelity on two sets of uint8 images (n, 3, H, W), with the extractor's weights."""
    from torch_fidelity import calculate_metrics

    # It reads weights with an unrestricted unpickler: it gets a file of tensors that we wrote.
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        weights = Path(folder) / "inception.pth"
        torch.save(extractor.weights.tensors, weights)
        found: dict[str, float] = calculate_metrics(
            input1=_Images(samples.cpu()),
            input2=_Images(reference.cpu()),
            feature_extractor="inception-v3-compat",
            feature_extractor_weights_path=str(weights),
            cuda=device.type == "cuda",
            batch_size=BATCH,
            cache=False,
            datasets_download=False,
            save_cpu_ram=True,  # no worker processes
            verbose=False,
            **asked,
        )
    return found


def peer_detail() -> dict[str, Any]:
    """What tells these scores apart from our own, for a detail."""
    return {"pipeline": f"{PIPELINE} {version('torch-fidelity')}"}
