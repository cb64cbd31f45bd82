"""Seeds by hashing: the same words give the same seed on every machine and in every process."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["derive_seed", "seeded_generator"]


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from parts that are told apart by their text.

    >>> derive_seed(0, "train", "noise") == derive_seed("0", "train", "noise")
    True
    >>> derive_seed("ab", "c") == derive_seed("a", "bc")
    False
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seeded_generator(device: torch.device | str, *parts: object) -> torch.Generator:
    """A fresh generator on `device`, seeded from the parts."""
    import torch

    return torch.Generator(device=device).manual_seed(derive_seed(*parts))
