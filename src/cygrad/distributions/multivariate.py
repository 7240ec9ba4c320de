"""The multivariate normal distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cygrad.autograd import recording
from cygrad.distributions import constraints
from cygrad.distributions.distribution import Distribution, check_everywhere
from cygrad.functions import stack
from cygrad.random import randn
from cygrad.tensor import Tensor

__all__ = ["MultivariateNormal"]


class Factored(Distribution):
    """A distribution with a positive definite matrix Σ = L·Lᵀ, of which it has the factor."""

    scale_tril: Tensor  # L, (…, n, n)

    @property
    def _unbroadcasted_scale_tril(self) -> Tensor:
        """L, which a subclass may compute when it is asked for."""
        return self.scale_tril

    def _half_log_det(self) -> Tensor:
        return self._unbroadcasted_scale_tril.diagonal(0, -2, -1).log().sum(-1)

    @property
    def covariance_matrix(self) -> Tensor:
        """Σ"""
        return self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT

    @property
    def precision_matrix(self) -> Tensor:
        """Σ⁻¹"""
        factor = self._unbroadcasted_scale_tril
        inverse = solve_lower(factor, factor.new_zeros(factor.shape) + eye_like(factor))
        return inverse.mT @ inverse


def factor_of(
    name: str, covariance_matrix: Tensor | None, precision_matrix: Tensor | None, scale_tril: Tensor | None
) -> Tensor:
    """The factor L of Σ, from exactly one of Σ, Σ⁻¹ and L."""
    if sum(m is not None for m in (covariance_matrix, precision_matrix, scale_tril)) != 1:
        raise ValueError(f"{name}: give one of covariance_matrix, precision_matrix and scale_tril")
    if precision_matrix is not None:
        return inverse_factor(precision_matrix)
    if covariance_matrix is not None:
        return cholesky(covariance_matrix)
    assert scale_tril is not None
    return scale_tril


class MultivariateNormal(Factored):
    """N(loc, Σ) over vectors. The factor of Σ and the solutions are computed row by row, for vectors of few elements.

    Args:
        loc: the mean, shape (…, n).
        covariance_matrix: Σ, positive definite, shape (…, n, n); or
        precision_matrix: Σ⁻¹; or
        scale_tril: the lower triangular L with Σ = L·Lᵀ.
        validate_args: whether arguments are checked.

    Raises:
        ValueError: not exactly one of the three is given, or the matrix is not positive definite.
    """

    support: Any = constraints.real_vector
    has_rsample = True
    _parameter_names = ("loc", "scale_tril")

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        scale_tril = factor_of("MultivariateNormal", covariance_matrix, precision_matrix, scale_tril)
        n = loc.shape[-1]
        if scale_tril.shape[-2:] != (n, n):
            raise ValueError(f"MultivariateNormal: loc has {n} elements, but the matrix is {scale_tril.shape[-2:]}")
        batch = (loc.sum(-1) + scale_tril.sum((-2, -1))).shape
        super().__init__(batch, (n,), validate_args)
        self.loc, self.scale_tril = loc.expand((*batch, n)), scale_tril.expand((*batch, n, n))
        self._require("the matrix", scale_tril.diagonal(0, -2, -1) > 0, "positive definite")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        z = randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self._unbroadcasted_scale_tril @ z.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Any) -> Tensor:
        z = solve_lower(self._unbroadcasted_scale_tril, (self._checked(value) - self.loc).unsqueeze(-1)).squeeze(-1)
        n = self.event_shape[0]
        return -0.5 * (z * z).sum(-1) - self._half_log_det() - 0.5 * n * math.log(2 * math.pi)

    def entropy(self) -> Tensor:
        return self._half_log_det() + 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi))

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        return (self._unbroadcasted_scale_tril * self._unbroadcasted_scale_tril).sum(-1)


def eye_like(matrix: Tensor) -> Tensor:
    """The identity of a matrix's size."""
    n = matrix.shape[-1]
    return matrix.new_ones(n).diag()


def cholesky(matrix: Tensor) -> Tensor:
    """The lower triangular L with L·Lᵀ = matrix, column by column, in differentiable ops."""
    n = matrix.shape[-1]
    columns: list[Tensor] = []
    for j in range(n):
        column = matrix[..., j]
        for done in columns:
            column = column - done * done[..., j : j + 1]
        pivot = column.detach()[..., j] > 0
        recording.call_again(check_everywhere, pivot.array, "MultivariateNormal: the matrix must be positive definite")
        scaled = column / column[..., j : j + 1].sqrt()
        below = matrix.new_tensor([float(i >= j) for i in range(n)])
        columns.append(scaled * below)
    return stack(columns, -1)


def solve_lower(lower: Tensor, b: Tensor) -> Tensor:
    """X with lower·X = B, row by row, in differentiable ops."""
    rows: list[Tensor] = []
    for i in range(lower.shape[-1]):
        row = b[..., i, :]
        for j, known in enumerate(rows):
            row = row - lower[..., i, j].unsqueeze(-1) * known
        rows.append(row / lower[..., i, i].unsqueeze(-1))
    return stack(rows, -2)


def inverse_factor(precision: Tensor) -> Tensor:
    """The lower triangular L with (L·Lᵀ)⁻¹ = precision."""
    # With flipped rows and columns, P = U·Uᵀ for an upper U, and L = U⁻ᵀ.
    flipped = cholesky(precision.flip(-2, -1))
    upper = flipped.flip(-2, -1)
    return solve_lower(upper.mT, precision.new_zeros(precision.shape) + eye_like(precision))
