"""Linear algebra over NumPy, with gradients of every order. As ``torch.linalg``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Tensor
from cygrad.autograd import no_grad
from cygrad.autograd.calls import function
from cygrad.functions import factors, matmul, matrices
from cygrad.functions import norm as whole_norm
from cygrad.functions import sum as sum_of
from cygrad.functions.algebra import cross as _cross
from cygrad.functions.algebra import vander as _vander
from cygrad.functions.elimination import householder_product, lu_factor, lu_factor_ex
from cygrad.functions.elimination import lu_decomposition as lu
from cygrad.functions.elimination import solve_factors as lu_solve
from cygrad.functions.factors import eigh, eigvalsh, svdvals
from cygrad.functions.matrices import (
    LinAlgError,
    det,
    inv,
    lstsq,
    matrix_exp,
    matrix_power,
    multi_dot,
    pinv,
    slogdet,
    solve,
    solve_triangular,
    tensorinv,
    tensorsolve,
)
from cygrad.ops.definition import constant

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh",
    "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul",
    "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet",
    "solve", "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot",
    "vector_norm",
]  # fmt: skip

svd = function(factors.full_svd)
qr = function(factors.orthogonal)


@function
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """Return the lower triangular L with A = L·Lᵀ, or its transpose; see :func:`cygrad.cholesky`."""
    return factors.cholesky(A, upper)


@function
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    """Return (L, info): NaN, and info 1, for matrices that are not positive definite."""
    return matrices.with_info("cholesky", lambda a: factors.cholesky(a, upper), A, check_errors)


@function
def inv_ex(A: Tensor, *, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    """Return (inverse, info): NaN, and info 1, for singular matrices."""
    return matrices.with_info("inv", inv, A, check_errors)


@function
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    """Return (solution, info), where info is 0; see :func:`solve`, which raises LinAlgError for singular matrices."""
    return solve(A, B, left=left), constant(np.zeros(A.shape[:-2], np.int32))


@function
def matrix_rank(A: Tensor, *, tol: Any = None, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:
    """Return the number of singular values above max(atol, rtol·σ₁), by default rtol = max(m, n)·ε.

    Args:
        A: matrices of floats (…, m, n).
        tol: the old name of atol.
        atol, rtol: numbers, or a tensor of one for each matrix.
        hermitian: accepted, without effect.
    """
    with no_grad():
        sigma = svdvals(A).array
    bound = matrices.tolerance(A, tol if atol is None else atol, rtol)
    return constant((sigma > bound(sigma)).sum(-1))


@function
def cond(A: Tensor, p: Any = None) -> Tensor:
    """Return the condition number ‖A‖·‖A⁻¹‖, ∞ for singular matrices.

    Args:
        A: matrices of floats (…, m, n), square unless p is None or ±2.
        p: the norm, as in :func:`matrix_norm`; None for 2, σ₁/σₙ.
    """
    if p in (None, 2, -2):
        sigma = svdvals(A)
        return sigma[..., -1] / sigma[..., 0] if p == -2 else sigma[..., 0] / sigma[..., -1]
    matrices.require_square("cond", A)
    return matrix_norm(A, p) * matrix_norm(inv_ex(A)[0], p).nan_to_num(np.inf)


@function
def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Return the vector product along a dimension of size 3; the others are broadcast."""
    if input.ndim != other.ndim:
        raise RuntimeError(f"cross: shapes {input.shape} and {other.shape} differ in their number of dimensions")
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(f"cross: dim {dim} must have size 3, got shapes {input.shape} and {other.shape}")
    shape = np.broadcast_shapes(input.shape, other.shape)
    return _cross(input.expand(shape), other.expand(shape), dim)


@function
def vander(x: Tensor, N: int | None = None) -> Tensor:
    """Return the powers 0, …, N − 1 of each element, one row each; N is the number of elements by default."""
    x = x.reshape(-1) if x.ndim == 0 else x
    return _vander(x, x.shape[-1] if N is None else N, increasing=True)


@function
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Return the scalar products along a dimension."""
    return (x * y).sum(dim)


@function
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return the diagonal of matrices; the result is a view."""
    return A.diagonal(offset, dim1, dim2)


@function
def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return (Σ|x|ᵖ)^(1/p).

    Args:
        x: a tensor of floats.
        ord: p; ±∞ gives the largest or smallest |x|, 0 the number of nonzero elements.
        dim: the dimension or dimensions, all by default.
        keepdim: whether they stay, with size 1.
        dtype: the dtype to compute in.
    """
    return whole_norm(x if dtype is None else x.to(dtype), p=ord, dim=dim, keepdim=keepdim)


def extreme(x: Tensor, ord: float) -> Tensor:
    """The largest, or for a negative order the smallest element along the last dimension; 0 is the largest of none."""
    return x.amin(-1) if ord < 0 else x.amax(-1) if x.shape[-1] else x.sum(-1)


@function
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: tuple[int, int] = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Return a norm of matrices.

    Args:
        A: matrices of floats.
        ord: "fro", "nuc" (the sum of the singular values), ±2 (the largest or smallest), ±1 (sums of columns), ±∞ (of
            rows).
        dim: the two dimensions of a matrix.
        keepdim: whether they stay, with size 1.
        dtype: the dtype to compute in.

    Raises:
        ValueError: there is no such norm.
    """
    x = A if dtype is None else A.to(dtype)
    if ord in ("fro", None):
        return whole_norm(x, p=2, dim=dim, keepdim=keepdim)
    x = x.movedim(dim, (-2, -1))
    if ord in ("nuc", 2, -2):
        sigma = svdvals(x)
        result = sigma.sum(-1) if ord == "nuc" else extreme(sigma, ord)
    elif ord in (1, -1, np.inf, -np.inf):
        sums = sum_of(x.abs(), dim=-2 if abs(ord) == 1 else -1)
        result = extreme(sums, ord)
    else:
        raise ValueError(f"matrix_norm: ord must be fro, nuc, ±1, ±2 or ±inf, got {ord!r}")
    for axis in sorted(d % A.ndim for d in dim) if keepdim else ():
        result = result.unsqueeze(axis)
    return result


@function
def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return a norm: of all elements without `ord`; of vectors for one dimension, of matrices for two.

    Args:
        A: a tensor of floats.
        ord: as in :func:`vector_norm` or :func:`matrix_norm`.
        dim: one dimension, or two.
        keepdim: whether they stay, with size 1.
        dtype: the dtype to compute in.
    """
    two = (dim is None and A.ndim == 2) or (isinstance(dim, (tuple, list)) and len(dim) == 2)
    if ord is not None and two:
        return matrix_norm(A, ord, (-2, -1) if dim is None else tuple(dim), keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
