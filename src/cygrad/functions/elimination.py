"""LU factors by Gaussian elimination with row exchanges, what is solved with them, and products of Householder
reflectors, over NumPy, with gradients of every order."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cygrad._typing import Array, Tensor
from cygrad.autograd import Function
from cygrad.autograd.calls import function
from cygrad.functions.matrices import LinAlgError, broadcast_batches, numpy, require_square, solve_triangular
from cygrad.ops.definition import constant
from cygrad.ops.index import gather
from cygrad.ops.shape import cat

__all__ = ["lu", "lu_solve", "lu_unpack", "orgqr", "ormqr", "triangular_solve"]


class PLU(NamedTuple):
    """A = P·L·U"""

    P: Tensor
    L: Tensor
    U: Tensor


class Factors(NamedTuple):
    """L below the diagonal and U on and above it, and the row that each step exchanged with its own, from 1."""

    LU: Tensor
    pivots: Tensor


class CheckedFactors(NamedTuple):
    """As :class:`Factors`, and the first step whose pivot is zero, from 1; 0 where there is none."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


class TriangularSolution(NamedTuple):
    """X with A·X = B, and A."""

    solution: Tensor
    cloned_coefficient: Tensor


def eliminate(a: Array, exchange: bool) -> tuple[Array, Array, Array]:
    """(LU, pivots, info) of matrices (…, m, n): step k brings the largest element of column k to row k, divides the
    rest of the column by it, and subtracts the product of column and row from what is below and to the right (G. Golub,
    C. Van Loan, "Matrix computations", algorithm 3.4.1). A column of zeros is left as it is."""
    x = np.array(a)
    steps = min(x.shape[-2:])
    pivots = np.zeros((*x.shape[:-2], steps), np.int32)
    info = np.zeros(x.shape[:-2], np.int32)
    for k in range(steps):
        row = np.abs(x[..., k:, k]).argmax(-1) + k if exchange else np.full(x.shape[:-2], k)
        pivots[..., k] = row + 1
        index = row[..., None, None]
        chosen = np.take_along_axis(x, index, -2)
        np.put_along_axis(x, index, x[..., k : k + 1, :], -2)
        x[..., k : k + 1, :] = chosen
        pivot = x[..., k, k]
        info = np.where((info == 0) & (pivot == 0), np.int32(k + 1), info)
        x[..., k + 1 :, k] /= np.where(pivot == 0, x.dtype.type(1), pivot)[..., None]
        x[..., k + 1 :, k + 1 :] -= x[..., k + 1 :, k : k + 1] * x[..., k : k + 1, k + 1 :]
    return x, pivots, np.asarray(info, np.int32)


def row_order(pivots: Array, rows: int) -> Array:
    """The row of A that each row of L·U is, after all exchanges: (…, rows)."""
    order = np.broadcast_to(np.arange(rows), (*pivots.shape[:-1], rows)).copy()
    for k in range(pivots.shape[-1]):
        index = pivots[..., k, None].astype(np.int64) - 1
        other = np.take_along_axis(order, index, -1)
        np.put_along_axis(order, index, order[..., k : k + 1], -1)
        order[..., k : k + 1] = other
    return order


def permutation(order: Array, dtype: Any) -> Array:
    """P with A = P·(the rows of A in this order)."""
    return np.ascontiguousarray(np.swapaxes(np.eye(order.shape[-1], dtype=dtype)[order], -1, -2))


class LowerUpper(Function):
    """(L, U) of matrices (…, m, n) whose rows are in order. With square blocks L₁, U₁ of L = [L₁; L₂], U = [U₁, U₂]:

    dA₁ = L₁⁻ᵀ·(tril(L₁ᵀ·dL₁ − dU₂·U₂ᵀ, −1) + triu(dU₁·U₁ᵀ − L₂ᵀ·dL₂))·U₁⁻ᵀ,
    to the right of it L₁⁻ᵀ·dU₂, below it dL₂·U₁⁻ᵀ.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, packed: Array) -> tuple[Tensor, Tensor]:
        steps = min(packed.shape[-2:])
        eye = np.eye(packed.shape[-2], steps, dtype=packed.dtype)
        lower, upper = constant(np.tril(packed[..., :steps], -1) + eye), constant(np.triu(packed[..., :steps, :]))
        ctx.save_for_backward(lower, upper)
        return lower, upper

    @staticmethod
    def backward(ctx: Any, dl: Tensor, du: Tensor) -> tuple[Tensor, None]:
        lower, upper = ctx.saved_tensors
        k = lower.shape[-1]
        l1, l2, u1, u2 = lower[..., :k, :], lower[..., k:, :], upper[..., :k], upper[..., k:]
        dl1, dl2, du1, du2 = dl[..., :k, :], dl[..., k:, :], du[..., :k], du[..., k:]
        middle = (l1.mT @ dl1 - du2 @ u2.mT).tril(-1) + (du1 @ u1.mT - l2.mT @ dl2).triu()
        da = behind_upper(u1, below_lower(l1, middle))
        if u2.shape[-1]:
            da = cat([da, below_lower(l1, du2)], dim=-1)
        if l2.shape[-2]:
            da = cat([da, behind_upper(u1, dl2)], dim=-2)
        return da, None


def below_lower(lower: Tensor, x: Tensor) -> Tensor:
    """L⁻ᵀ·x"""
    return solve_triangular(lower.mT, x, upper=True, unitriangular=True)


def behind_upper(upper: Tensor, x: Tensor) -> Tensor:
    """x·U⁻ᵀ"""
    return solve_triangular(upper.mT, x, upper=False, left=False)


def factors(op: str, A: Tensor, pivot: bool) -> tuple[Tensor, Tensor, Array, Array]:
    """L, U, the pivots and the info of matrices."""
    packed, pivots, info = numpy(op, lambda a: eliminate(a, pivot), A)
    order = row_order(pivots, A.shape[-2])
    rows = gather(A, dim=-2, index=constant(np.broadcast_to(order[..., None], A.shape).copy())) if pivot else A
    lower, upper = LowerUpper.apply(rows, packed)
    return lower, upper, pivots, info


def together(lower: Tensor, upper: Tensor) -> Tensor:
    """L − I and U in one matrix (…, m, n)."""
    (m, k), n = lower.shape[-2:], upper.shape[-1]
    below = lower.tril(-1)
    if n > k:
        below = cat([below, constant(np.zeros((*below.shape[:-1], n - k), below.array.dtype))], dim=-1)
    if m > k:
        upper = cat([upper, constant(np.zeros((*upper.shape[:-2], m - k, n), upper.array.dtype))], dim=-2)
    return below + upper


@function
def lu_decomposition(A: Tensor, *, pivot: bool = True) -> PLU:
    """Return (P, L, U) with A = P·L·U: a permutation, L lower triangular with ones on its diagonal, U upper triangular.

    Args:
        A: matrices of floats (…, m, n).
        pivot: whether rows are exchanged, which limits the elements of L to ±1; P is empty otherwise.

    Returns:
        P (…, m, m), L (…, m, k) and U (…, k, n), k = min(m, n).

    >>> P, L, U = cg.linalg.lu(cg.tensor([[0.0, 2.0], [1.0, 1.0]]))
    >>> P @ L @ U
    tensor([[0., 2.],
            [1., 1.]])
    """
    lower, upper, pivots, _ = factors("lu", A, pivot)
    dtype = A.array.dtype
    p = permutation(row_order(pivots, A.shape[-2]), dtype) if pivot else np.empty(0, dtype)
    return PLU(constant(p), lower, upper)


@function
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> CheckedFactors:
    """Return (LU, pivots, info); see :func:`lu_factor`. Instead of an error, info, int32 for each matrix, is the step
    of the first zero pivot, from 1, and 0 where there is none.

    Args:
        A: matrices of floats (…, m, n).
        pivot: whether rows are exchanged.
        check_errors: whether a zero pivot raises LinAlgError.
    """
    lower, upper, pivots, info = factors("lu_factor", A, pivot)
    if check_errors and info.any():
        raise LinAlgError(f"lu_factor: pivot {int(info[info > 0].flat[0])} is zero, so the matrix is singular")
    return CheckedFactors(together(lower, upper), constant(pivots), constant(info))


@function
def lu_factor(A: Tensor, *, pivot: bool = True) -> Factors:
    """Return (LU, pivots), the factors of :func:`cygrad.linalg.lu` in one matrix, for :func:`lu_solve`.

    Args:
        A: matrices of floats (…, m, n).
        pivot: whether rows are exchanged.

    Returns:
        LU (…, m, n), and pivots, int32 (…, min(m, n)): the row that each step exchanged with its own, from 1.

    Raises:
        LinAlgError: a pivot is zero.
    """
    return Factors(*lu_factor_ex(A, pivot=pivot, check_errors=True)[:2])


@function
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> tuple[Tensor, ...]:
    """Return (LU, pivots), or (LU, pivots, info) with ``get_infos``; see :func:`cygrad.linalg.lu_factor`."""
    return tuple(lu_factor_ex(A, pivot=pivot)) if get_infos else Factors(*lu_factor_ex(A, pivot=pivot)[:2])


@function
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> PLU:
    """Return (P, L, U) of the result of :func:`cygrad.linalg.lu_factor`.

    Args:
        LU_data: the factors (…, m, n).
        LU_pivots: the pivots, int32 (…, min(m, n)).
        unpack_data: whether L and U are returned; they are empty otherwise.
        unpack_pivots: whether P is returned; it is empty otherwise.
    """
    if LU_pivots.array.dtype != np.int32:
        raise RuntimeError(f"lu_unpack: LU_pivots must be int32, got {LU_pivots.dtype}")
    dtype, empty = LU_data.array.dtype, constant(np.empty(0, LU_data.array.dtype))
    p = lower = upper = empty
    if unpack_pivots:
        p = constant(permutation(row_order(LU_pivots.array, LU_data.shape[-2]), dtype))
    if unpack_data:
        k = min(LU_data.shape[-2:])
        lower = LU_data[..., :k].tril(-1) + constant(np.eye(LU_data.shape[-2], k, dtype=dtype))
        upper = LU_data[..., :k, :].triu()
    return PLU(p, lower, upper)


@function
def solve_factors(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """Return X with A·X = B, for the factors of A.

    Args:
        LU, pivots: what :func:`cygrad.linalg.lu_factor` returns of matrices (…, n, n).
        B: matrices (…, n, k), or (…, k, n) with ``left=False``.
        left: whether A stands to the left of X; X·A = B otherwise.
        adjoint: whether to solve with Aᵀ.

    >>> A = cg.tensor([[0.0, 2.0], [4.0, 0.0]])
    >>> cg.linalg.lu_solve(*cg.linalg.lu_factor(A), cg.tensor([[1.0], [2.0]]))
    tensor([[0.5000],
            [0.5000]])
    """
    require_square("lu_solve", LU)
    if B.ndim < 2 or B.shape[-2 if left else -1] != LU.shape[-1]:
        raise RuntimeError(f"lu_solve: shapes {LU.shape} and {B.shape} do not fit")
    if not left:  # X·A = B is Aᵀ·Xᵀ = Bᵀ
        return solve_factors(LU, pivots, B.mT, adjoint=not adjoint).mT.contiguous()
    p = constant(permutation(row_order(pivots.array, LU.shape[-1]), LU.array.dtype))
    p, lu, b = broadcast_batches(p, LU, B)
    if adjoint:
        y = solve_triangular(lu.mT, b, upper=False)
        return p @ solve_triangular(lu.mT, y, upper=True, unitriangular=True)
    y = solve_triangular(lu, p.mT @ b, upper=False, unitriangular=True)
    return solve_triangular(lu, y, upper=True)


@function
def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """Return X with A·X = b; see :func:`cygrad.linalg.lu_solve`, whose arguments are in another order."""
    return solve_factors(LU_data, LU_pivots, b)


@function
def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> TriangularSolution:
    """Return (X, A) with A·X = b; see :func:`cygrad.linalg.solve_triangular`, which replaces it.

    Args:
        b: matrices (…, n, k).
        A: matrices (…, n, n), of which one triangle is read.
        upper: whether that is the upper triangle.
        transpose: whether to solve with Aᵀ.
        unitriangular: whether the diagonal counts as 1.
    """
    if b.ndim < 2:
        raise RuntimeError(f"triangular_solve: b must be matrices, got shape {b.shape}")
    require_square("triangular_solve", A)
    a = A.mT if transpose else A
    x = solve_triangular(a, b, upper=bool(upper) != bool(transpose), unitriangular=unitriangular)
    return TriangularSolution(x, A.clone())


@function
def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """Return the first n columns of H₁·H₂⋯Hₖ, where Hᵢ = I − τᵢ·vᵢ·vᵢᵀ is a reflector.

    Args:
        A: matrices of floats (…, m, n), m ≥ n, whose column i is vᵢ below its 1 on the diagonal.
        tau: the τ (…, k), k ≤ n.
    """
    if A.ndim < 2 or A.shape[-2] < A.shape[-1]:
        raise RuntimeError(f"householder_product: expected matrices of at least as many rows as columns, got {A.shape}")
    m, n = A.shape[-2:]
    if tau.ndim != A.ndim - 1 or tau.shape[:-1] != A.shape[:-2] or tau.shape[-1] > n:
        raise RuntimeError(f"householder_product: shapes {A.shape} and {tau.shape} do not fit")
    return reflected(A, tau, constant(np.broadcast_to(np.eye(m, n, dtype=A.array.dtype), A.shape).copy()))


def reflected(A: Tensor, tau: Tensor, x: Tensor, transpose: bool = False) -> Tensor:
    """H₁·H₂⋯Hₖ·x, or Hₖ⋯H₂·H₁·x."""
    k = tau.shape[-1]
    vectors = A[..., :k].tril(-1) + constant(np.eye(A.shape[-2], k, dtype=A.array.dtype))
    for i in range(k) if transpose else reversed(range(k)):
        v = vectors[..., i : i + 1]
        x = x - tau[..., i : i + 1].unsqueeze(-1) * (v @ (v.mT @ x))
    return x


@function
def orgqr(input: Tensor, tau: Tensor) -> Tensor:
    """Return the product of reflectors; see :func:`cygrad.linalg.householder_product`."""
    return householder_product(input, tau)


@function
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """Return Q·other, where Q is the square product of reflectors.

    Args:
        input, tau: as in :func:`cygrad.linalg.householder_product`.
        other: matrices.
        left: whether Q stands to the left; other·Q otherwise.
        transpose: whether to multiply by Qᵀ.
    """
    if other.ndim < 2 or other.shape[-2 if left else -1] != input.shape[-2]:
        raise RuntimeError(f"ormqr: shapes {input.shape} and {other.shape} do not fit")
    return reflected(input, tau, other, transpose) if left else reflected(input, tau, other.mT, not transpose).mT
