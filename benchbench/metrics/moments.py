"""Mean and covariance of rows that stream by, and the Fréchet distance of two Gaussians.

    d² = |μ₁ − μ₂|² + tr S₁ + tr S₂ − 2 tr (S₁ S₂)^½

With roots S = L Lᵀ the last trace is the nuclear norm of K = L₁ᵀ L₂, Σ sqrt eig(K Kᵀ). L is the
Cholesky factor. Of n <= f rows, H (X − μ) over sqrt(n − 1) is a root, H an orthonormal basis of
what is orthogonal to 1, so K is (n − 1) × (n − 1) and no f × f matrix is made. Eigenvalues of K Kᵀ
carry an error of about eps·λ_max, which makes eps·λ_max / (2 sqrt λ) of their roots: where those
errors add up to something, as for singular covariances, singular values of K are taken instead,
and lose nothing.

Sums are float64, of rows shifted by the mean of the first batch: float32 sums, and sums of squares
about the origin, lose a small spread beside a large mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Moments", "frechet_distance", "root", "root_distance"]

BATCH = 1024
TRUSTED = 1e-11
"""Of tr S₁ + tr S₂: the error up to which eigenvalues of K Kᵀ will do."""


@dataclass(frozen=True)
class Moments:
    """Mean and spread of n rows, float64.

    mean: (f,). factor: of n <= f rows, R with Rᵀ R the scatter, (n − 1, f); else None.
    scatter: of n > f rows, Σ (x − mean)(x − mean)ᵀ, (f, f); else None.
    """

    n: int
    mean: Tensor
    factor: Tensor | None = None
    scatter: Tensor | None = None

    @classmethod
    def of(cls, x: Tensor | Iterable[Tensor]) -> Moments:
        """Moments of rows (n, f), n >= 1, given at once or batch by batch: one is read at a time.

        Raises ValueError where a row is not finite.
        """
        stream = _Stream()
        for batch in x.split(BATCH) if isinstance(x, Tensor) else x:
            stream.add(batch.double())
        return stream.moments()

    @property
    def covariance(self) -> Tensor:
        """The unbiased covariance, (f, f); needs n >= 2."""
        if self.scatter is not None:
            return self.scatter / (self.n - 1)
        assert self.factor is not None
        return self.factor.T @ self.factor / (self.n - 1)

    @property
    def trace(self) -> float:
        """Trace of the covariance."""
        if self.scatter is not None:
            return float(self.scatter.trace()) / (self.n - 1)
        assert self.factor is not None
        return float(self.factor.square().sum()) / (self.n - 1)

    def tensors(self) -> dict[str, Tensor]:
        """The mean and the factor or scatter, by name; `Moments(n, **tensors)` reads them."""
        named = {"mean": self.mean, "factor": self.factor, "scatter": self.scatter}
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    def root(self) -> Tensor:
        """L with L Lᵀ the covariance: (f, n − 1) or (f, f)."""
        if self.factor is not None:
            return self.factor.T / (self.n - 1) ** 0.5
        return root(self.covariance)

    def frechet(self, other: Moments) -> float:
        """d² between the Gaussians of both; each needs n >= 2."""
        if min(self.n, other.n) < 2:
            raise ValueError(f"a covariance needs 2 rows; there are {self.n} and {other.n}")
        traces = self.trace + other.trace
        return root_distance(self.mean - other.mean, traces, self.root(), other.root())


class _Stream:
    """Sums of shifted rows; the rows themselves while they are few."""

    def __init__(self) -> None:
        self.n = 0
        self.rows: list[Tensor] = []
        self.shift = self.total = self.scatter = torch.empty(0)

    def add(self, x: Tensor) -> None:
        """x: (b, f) float64."""
        if not bool(x.isfinite().all()):
            bad = int((~x.isfinite()).any(dim=1).sum())
            raise ValueError(f"{bad} of {len(x)} rows of features are not finite")
        self.n += len(x)
        if self.scatter.dim() == 1 and self.n <= x.shape[1]:
            self.rows.append(x)
            return
        if self.scatter.dim() == 1:
            kept, self.rows = [*self.rows, x], []
            self.shift = kept[0].mean(dim=0)
            self.total = torch.zeros_like(self.shift)
            self.scatter = x.new_zeros(x.shape[1], x.shape[1])
            for rows in kept:
                self._sum(rows)
        else:
            self._sum(x)

    def _sum(self, x: Tensor) -> None:
        x = x - self.shift
        self.total += x.sum(dim=0)
        for rows in _blocks(x.shape[1]):  # the lower triangle will do
            self.scatter[rows, : rows.stop].addmm_(x[:, rows].T, x[:, : rows.stop])

    def moments(self) -> Moments:
        if self.n == 0:
            raise ValueError("no rows, no moments")
        if self.rows:
            x = torch.cat(self.rows)
            # Off the first row, so that constant features have no spread at all.
            mean = x[0] + (x - x[0]).mean(dim=0)
            return Moments(self.n, mean, factor=_without_ones(x - mean))
        offset = self.total / self.n
        scatter = self.scatter.addr_(offset, offset, alpha=-self.n).tril_()
        scatter += scatter.tril(-1).T
        return Moments(self.n, self.shift + offset, scatter=scatter)


def _without_ones(x: Tensor) -> Tensor:
    """H x for centred rows x: (n, f) -> (n − 1, f), by the Householder reflection of 1 to e₁.

    A root of full rank, where the rows themselves have rank n − 1.
    """
    n = len(x)
    v = x.new_full((n,), n**-0.5)
    v[0] += 1
    return x[1:] - torch.outer(v[1:], v @ x) * (2 / float(v @ v))


def _blocks(size: int) -> list[slice]:
    """Eight slices of [0, size): of a symmetric product they cost 9/16."""
    step = max(1, -(-size // 8))
    return [slice(i, min(size, i + step)) for i in range(0, size, step)]


def root(covariance: Tensor) -> Tensor:
    """L with L Lᵀ = S for a symmetric, positive semi-definite S: (f, f) float64.

    The Cholesky factor, or where S is singular, from its eigenvectors: eigenvalues below the
    rounding error of the largest are zero.
    """
    factor, failed = torch.linalg.cholesky_ex(covariance)
    floor = len(covariance) * torch.finfo(covariance.dtype).eps
    pivots = factor.diagonal().square()
    if not failed and bool((pivots > floor * covariance.diagonal()).all()):
        return factor
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > values[-1].clamp_min(0) * floor
    return vectors[:, kept] * values[kept].sqrt()


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """d² between N(mean1, cov1) and N(mean2, cov2); means (f,), covariances (f, f), >= 0."""
    mean1, cov1, mean2, cov2 = (t.double() for t in (mean1, cov1, mean2, cov2))
    traces = float(cov1.trace() + cov2.trace())
    return root_distance(mean1 - mean2, traces, root(cov1), root(cov2))


def root_distance(gap: Tensor, traces: float, root1: Tensor, root2: Tensor) -> float:
    """d² from the gap of means (f,), tr S₁ + tr S₂ and roots (f, r₁), (f, r₂)."""
    product = _product(root1, root2)
    shared = _nuclear_norm(product if product.shape[0] <= product.shape[1] else product.T, traces)
    return max(0.0, float(gap @ gap) + traces - 2 * shared)


def _product(root1: Tensor, root2: Tensor) -> Tensor:
    """L₁ᵀ L₂; triangular roots have nothing above their diagonals to multiply."""
    if not _triangular(root1):
        return root1.T @ root2
    width = root2.shape[1]
    product = root2.new_empty(len(root1), width)
    parts = _blocks(width) if _triangular(root2) else [slice(0, width)]
    for rows in _blocks(len(root1)):
        for columns in parts:
            first = max(rows.start, columns.start)
            product[rows, columns] = root1[first:, rows].T @ root2[first:, columns]
    return product


def _triangular(matrix: Tensor) -> bool:
    """Whether a square matrix has zeros alone above its diagonal."""
    return matrix.shape[0] == matrix.shape[1] and not any(
        bool(matrix[rows, rows.stop :].any()) or bool(matrix[rows, rows].triu(1).any())
        for rows in _blocks(len(matrix))
    )


def _nuclear_norm(k: Tensor, traces: float) -> float:
    """Σ of singular values of a matrix (r, s), r <= s."""
    if not k.numel():
        return 0.0
    gram = k.new_zeros(len(k), len(k))
    for rows in _blocks(len(k)):
        gram[rows, : rows.stop] = k[rows] @ k[: rows.stop].T
    values = torch.linalg.eigvalsh(gram, UPLO="L")
    if values[0] > 0:
        error = torch.finfo(values.dtype).eps * values[-1] * (0.5 / values.sqrt()).sum()
        if float(error) <= TRUSTED * traces:
            return float(values.sqrt().sum())
    return float(torch.linalg.svdvals(k).sum())
