"""The digest of a data set: shapes, types and bytes of its tensors, in order."""

from __future__ import annotations

import hashlib

from torch import Tensor

__all__ = ["digest_tensors"]


def digest_tensors(*tensors: Tensor | None) -> str:
    """SHA-256 over dtype, shape and bytes, as 16 hexadecimal characters."""
    state = hashlib.sha256()
    for tensor in tensors:
        if tensor is None:
            state.update(b"none")
            continue
        array = tensor.detach().cpu().contiguous().numpy()
        state.update(f"{array.dtype}{array.shape}".encode())
        state.update(array.tobytes())
    return state.hexdigest()[:16]
