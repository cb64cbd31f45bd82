"""A residual multilayer perceptron, with an optional condition vector in every block.

h ← h + W₂ silu(W₁ norm(h) + V c),   last layer of each block starts at zero
"""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ResidualMLP"]


class _Block(nn.Module):
    def __init__(self, width: int, condition: int, norm: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.inner = nn.Linear(width, width)
        self.condition = nn.Linear(condition, width, bias=False) if condition else None
        self.outer = nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)
        self.act = nn.SiLU()

    def forward(self, h: Tensor, c: Tensor | None) -> Tensor:
        inner = self.inner(self.norm(h))
        if self.condition is not None:
            inner = inner + self.condition(c)
        return h + self.outer(self.act(inner))


class ResidualMLP(nn.Module):
    """Vectors (n, in_features) -> (n, out_features).

    width: of the residual stream. depth: number of residual blocks.
    condition: length of a condition vector that every block sees; 0: none.
    norm: layer normalisation before each block.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        width: int,
        depth: int,
        condition: int = 0,
        norm: bool = True,
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(in_features, width)
        self.blocks = nn.ModuleList(_Block(width, condition, norm) for _ in range(depth))
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.act = nn.SiLU()
        self.leave = nn.Linear(width, out_features)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """x: (n, in_features), c: (n, condition) or None -> (n, out_features)."""
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, c)
        return self.leave(self.act(self.norm(h)))
