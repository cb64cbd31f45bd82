"""Which noise goes with which example.

independent    X_0 and X_1 as they are drawn
minibatch-ot   the pairs of a batch that minimise Σ ‖X_1 − X_0‖²; both marginals stay as they
               are, and paths cross less, so that fewer steps follow them ("Improving and
               Generalizing Flow-Based Generative Models with Minibatch Optimal Transport",
               Tong et al., 2024)
"""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from benchbench_flow_matching.config import Coupling

__all__ = ["paired"]


def paired(noise: Tensor, x: Tensor, coupling: Coupling) -> Tensor:
    """The rows of `noise` in the order of their partners in x: (n, d), (n, d) -> (n, d)."""
    if coupling == "independent":
        return noise
    _, partner = linear_sum_assignment(torch.cdist(x, noise).square().cpu().numpy())
    return noise[torch.from_numpy(partner).to(noise.device)]
