"""Features of Inception v3 as published FIDs use them: torch-fidelity's network and its resize.

    x ∈ [−1, 1] → levels 0 … 255 → three channels → 299 × 299, bilinear as TensorFlow 1 does it
      → Inception v3 of 2015-12-05, TensorFlow's weights → mean over the last 8 × 8 map ∈ R²⁰⁴⁸

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
2017; Obukhov et al., "High-fidelity performance metrics for generative models in PyTorch", 2020.

Only the published weights make a FID that can be compared with published ones: with any others
the extractor's name says so.
"""

from __future__ import annotations

import io

import torch
from torch import Tensor, nn

from benchbench.api import Assets, NotAvailable
from benchbench.api.evaluation import Extractor
from benchbench.metrics.features.digest import digest_of
from benchbench.metrics.features.inception_weights import Weights, find_weights

__all__ = ["InceptionExtractor", "build", "load", "to_bytes"]

PREPROCESSING = "uint8 RGB, TensorFlow 1 bilinear resize to 299, pool 2048, version 1"
LAYER = "2048"
BATCH = 64
"""Images in the network at once, as in torch-fidelity: about 0.5 GB of activations."""


class InceptionExtractor(Extractor):
    """2048 features of (n, 1 or 3, H, W) images.

    weights: checked tensors of the network.
    """

    def __init__(self, weights: Weights) -> None:
        self.name = "inception-v3-compat" + ("" if weights.published else " (unknown weights)")
        self.weights = weights
        self.digest = digest_of(PREPROCESSING, weights.tensors)
        self.net = build(weights.tensors)

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """x: (n, 1 or 3, H, W) in [−1, 1] -> (n, 2048) float32."""
        self.net.to(x.device)
        images = to_bytes(x)
        with torch.autocast(x.device.type, enabled=False):
            return torch.cat([self.net(batch)[0] for batch in images.split(BATCH)])


def to_bytes(x: Tensor) -> Tensor:
    """x: (n, 1 or 3, H, W) in [−1, 1] -> uint8 (n, 3, H, W); grey is repeated.

    Raises NotAvailable for other numbers of channels.
    """
    if x.dim() != 4 or x.shape[1] not in (1, 3):
        raise NotAvailable(f"inception reads (n, 1 or 3, H, W), not {tuple(x.shape)}")
    levels = ((x.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return levels.expand(-1, 3, -1, -1)


def build(tensors: dict[str, Tensor] | None = None) -> nn.Module:
    """torch-fidelity's network with these weights, in eval mode; None: on the meta device.

    No random number is drawn and nothing is fetched.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Network(FeatureExtractorInceptionV3):
        """The same without weights of its own: its constructor would fetch or unpickle them."""

        def load_state_dict(self, *args: object, **kwargs: object) -> None:
            """The constructor's call: there is nothing to load yet."""

    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    with torch.device("meta"):
        net = Network("inception-v3-compat", [LAYER], feature_extractor_weights_path=nothing)
    if tensors is not None:
        counters = {
            name: torch.zeros((), dtype=torch.int64)
            for name in net.state_dict()
            if name.endswith("num_batches_tracked")
        }
        nn.Module.load_state_dict(net, {**counters, **tensors}, assign=True)
    return net.eval().requires_grad_(False)


def load(assets: Assets) -> InceptionExtractor:
    """The extractor `inception`; raises UsageError, in one line, where weights are missing."""
    shapes = {name: tensor.shape for name, tensor in build().state_dict().items()}
    return InceptionExtractor(find_weights(assets, shapes))
