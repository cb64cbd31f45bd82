"""One torch thread: networks this small are faster with it."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
