"""The digest of a feature map: what it does to an image, and every number it does it with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from torch import Tensor

__all__ = ["digest_of"]


def digest_of(preprocessing: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the preprocessing and each tensor's name, type, shape and bytes; 16 digits."""
    state = hashlib.sha256(preprocessing.encode())
    for name, tensor in sorted(tensors.items()):
        array = tensor.detach().cpu().contiguous().numpy()
        state.update(f"{name}{array.dtype}{array.shape}".encode())
        state.update(array.tobytes())
    return state.hexdigest()[:16]
