"""The extension of linear algebra."""

from __future__ import annotations

from typing import Any

import cygrad.functions as F
from cygrad import linalg as L
from cygrad.array_api.manipulation import matrix_transpose
from cygrad.array_api.reductions import sum as sum_of
from cygrad.array_api.searching import matmul, tensordot, vecdot
from cygrad.tensor import Tensor

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
    "trace", "vecdot", "vector_norm",
]  # fmt: skip


def cholesky(x: Any, /, *, upper: bool = False) -> Tensor:
    """Return the factor of Cholesky."""
    return L.cholesky(x, upper=upper)


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Tensor:
    """Return the vector product along an axis of size 3."""
    return L.cross(x1, x2, dim=axis)


def det(x: Any, /) -> Tensor:
    """Return the determinant."""
    return L.det(x)


def diagonal(x: Any, /, *, offset: int = 0) -> Tensor:
    """Return the diagonals of matrices."""
    return L.diagonal(x, offset=offset)


def eigh(x: Any, /) -> Any:
    """Return (eigenvalues, eigenvectors) of symmetric matrices."""
    return L.eigh(x)


def eigvalsh(x: Any, /) -> Tensor:
    """Return the eigenvalues of symmetric matrices."""
    return L.eigvalsh(x)


def inv(x: Any, /) -> Tensor:
    """Return the inverse."""
    return L.inv(x)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """Return a norm of matrices."""
    return L.matrix_norm(x, ord, keepdim=keepdims)


def matrix_power(x: Any, n: int, /) -> Tensor:
    """Return the power of matrices."""
    return L.matrix_power(x, n)


def matrix_rank(x: Any, /, *, rtol: Any = None) -> Tensor:
    """Return the rank."""
    return L.matrix_rank(x, rtol=rtol)


def outer(x1: Any, x2: Any, /) -> Tensor:
    """Return all products of elements of two vectors."""
    return F.outer(x1, x2)


def pinv(x: Any, /, *, rtol: Any = None) -> Tensor:
    """Return the pseudo-inverse."""
    return L.pinv(x, rtol=rtol)


def qr(x: Any, /, *, mode: str = "reduced") -> Any:
    """Return (Q, R)."""
    return L.qr(x, mode)


def slogdet(x: Any, /) -> Any:
    """Return (sign, log |det|)."""
    return L.slogdet(x)


def solve(x1: Any, x2: Any, /) -> Tensor:
    """Return X with x1·X = x2."""
    return L.solve(x1, x2)


def svd(x: Any, /, *, full_matrices: bool = True) -> Any:
    """Return (U, S, Vh)."""
    return L.svd(x, full_matrices)


def svdvals(x: Any, /) -> Tensor:
    """Return the singular values."""
    return L.svdvals(x)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """Return the sums of the diagonals."""
    return sum_of(L.diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """Return a norm of vectors."""
    return L.vector_norm(x, ord, axis, keepdims)
