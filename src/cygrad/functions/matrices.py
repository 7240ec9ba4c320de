"""Solutions, inverses, determinants, and functions of matrices, over NumPy, with gradients of every order.

Gradients: M. Giles (2008), "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation".
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cygrad._typing import Array, Tensor
from cygrad.autograd import Function, Value
from cygrad.autograd.calls import function
from cygrad.ops.definition import constant
from cygrad.ops.linear import matmul

__all__ = [
    "cholesky_inverse", "cholesky_solve", "det", "inverse", "logdet", "matrix_exp", "matrix_power", "pinverse",
    "slogdet",
]  # fmt: skip


class LinAlgError(RuntimeError):
    """A matrix is singular, or not positive definite."""


class SignAndLog(NamedTuple):
    """The sign of a determinant, and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


class LeastSquares(NamedTuple):
    """What :func:`lstsq` returns."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


def numpy(op: str, compute: Callable[..., Any], *matrices: Tensor) -> Any:
    """One of NumPy's functions on matrices of floats.

    Raises:
        LinAlgError: a matrix is singular, or not positive definite.
        RuntimeError: an argument is not a matrix of floats, or is not square.
    """
    for matrix in matrices:
        if not isinstance(matrix, Value):
            raise TypeError(f"{op}: expected a tensor, got {type(matrix).__name__}")
        if matrix.array.dtype.kind != "f" or matrix.ndim < 2:
            raise RuntimeError(f"{op}: expected matrices of floats, got {matrix.array.dtype} of shape {matrix.shape}")
    try:
        return compute(*[matrix.array for matrix in matrices])
    except np.linalg.LinAlgError as error:
        kind = RuntimeError if "must be square" in str(error) else LinAlgError
        raise kind(f"{op}: {str(error)[:1].lower()}{str(error)[1:]}") from None


def require_square(op: str, matrix: Tensor) -> None:
    """Raise RuntimeError where a matrix is not square."""
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise RuntimeError(f"{op}: matrices must be square, got shape {matrix.shape}")


def identity_like(matrix: Tensor) -> Tensor:
    """The identity of a matrix's size."""
    return constant(np.broadcast_to(np.eye(matrix.shape[-1], dtype=matrix.array.dtype), matrix.shape).copy())


class Solve(Function):
    """X with A·X = B: dB = A⁻ᵀ·dX, dA = −dB·Xᵀ"""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        x = constant(numpy("solve", np.linalg.solve, a, b))
        ctx.save_for_backward(a, x)
        return x

    @staticmethod
    def backward(ctx: Any, dx: Tensor) -> tuple[Tensor, Tensor]:
        a, x = ctx.saved_tensors
        db = Solve.apply(a.mT, dx)
        return -(db @ x.mT), db


class LogDeterminant(Function):
    """(sign, log |det A|): dA = d log·A⁻ᵀ"""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> tuple[Tensor, Tensor]:
        sign, log = numpy("slogdet", np.linalg.slogdet, a)
        ctx.save_for_backward(a)
        return constant(sign), constant(log)

    @staticmethod
    def backward(ctx: Any, _: Any, dlog: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return inv(a).mT * dlog.unsqueeze(-1).unsqueeze(-1)


class PseudoInverse(Function):
    """P = A⁺: dA = −Pᵀ·dP·Pᵀ + (I − A·P)·dPᵀ·P·Pᵀ + Pᵀ·P·dPᵀ·(I − P·A)

    G. Golub, V. Pereyra (1973), "The differentiation of pseudo-inverses and nonlinear least squares problems whose
    variables separate".
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, bound: Callable[[Array], Array]) -> Tensor:
        u, s, vh = numpy("pinv", functools.partial(np.linalg.svd, full_matrices=False), a)
        with np.errstate(divide="ignore"):
            inverse = np.where(s > bound(s), 1 / s, s.dtype.type(0))
        p = constant(np.swapaxes(vh, -1, -2) * inverse[..., None, :] @ np.swapaxes(u, -1, -2))
        ctx.save_for_backward(a, p)
        return p

    @staticmethod
    def backward(ctx: Any, dp: Tensor) -> tuple[Tensor, None]:
        a, p = ctx.saved_tensors
        g = dp.mT
        left = (g - a @ (p @ g)) @ p @ p.mT
        return left + p.mT @ (p @ (g - (g @ p) @ a)) - p.mT @ dp @ p.mT, None


class Exponential(Function):
    """e^A: dA is the upper right block of the exponential of [[Aᵀ, dY], [0, Aᵀ]].

    R. Mathias (1996), "A chain rule for matrix functions and applications".
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        ctx.save_for_backward(a)
        return constant(numpy("matrix_exp", exponential, a))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        from cygrad.ops.shape import cat

        (a,) = ctx.saved_tensors
        n = a.shape[-1]
        rows = [cat([a.mT, dy], dim=-1), cat([dy * 0, a.mT], dim=-1)]
        return Exponential.apply(cat(rows, dim=-2))[..., :n, n:]


def exponential(a: Array) -> Array:
    """e^A = (e^(A/2ᵏ))^(2ᵏ), by Taylor's polynomial of degree 15 where the largest norm is at most ½."""
    size = float(np.abs(a).sum(-2).max(initial=0))
    halvings = max(0, math.ceil(math.log2(size)) + 1) if size > 0 and math.isfinite(size) else 0
    x = a.astype(np.float64) / 2.0**halvings
    eye = np.eye(a.shape[-1])
    y = np.broadcast_to(eye, a.shape)
    for k in range(15, 0, -1):
        y = eye + x @ y / k
    for _ in range(halvings):
        y = y @ y
    return np.asarray(y, a.dtype)


def broadcast_batches(*matrices: Tensor) -> list[Tensor]:
    """The matrices, with equal batches."""
    batch = np.broadcast_shapes(*[m.shape[:-2] for m in matrices])
    return [m.expand((*batch, *m.shape[-2:])) for m in matrices]


@function
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """Return X with A·X = B, or with ``left=False`` X·A = B.

    Args:
        A: square matrices of floats (…, n, n).
        B: matrices (…, n, k), or vectors (n) or (…, n) as many as there are matrices.
        left: on which side of X A stands.

    Raises:
        LinAlgError: a matrix is singular.

    >>> cg.linalg.solve(cg.tensor([[2.0, 0.0], [0.0, 4.0]]), cg.tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    require_square("solve", A)
    if B.ndim == 1 or B.shape == A.shape[:-1]:
        return solve(A if left else A.mT, B.unsqueeze(-1)).squeeze(-1)
    if not left:
        return solve(A.mT, B.mT).mT
    if B.shape[-2] != A.shape[-1]:
        raise RuntimeError(f"solve: shapes {A.shape} and {B.shape} do not fit")
    result: Tensor = Solve.apply(*broadcast_batches(A, B))
    return result


@function
def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """Return X with A·X = B for triangular matrices, or with ``left=False`` X·A = B.

    Args:
        A: matrices (…, n, n), of which one triangle is read.
        B: matrices (…, n, k).
        upper: whether that is the upper triangle.
        left: on which side of X A stands.
        unitriangular: whether the diagonal counts as 1.
    """
    require_square("solve_triangular", A)
    a = A.triu() if upper else A.tril()
    if unitriangular:
        a = a - a.tril().triu() + identity_like(A)
    return solve(a, B, left=left) if B.ndim > 1 else solve(a, B)


@function
def inv(A: Tensor) -> Tensor:
    """Return the inverse of square matrices.

    Args:
        A: matrices of floats (…, n, n).

    Raises:
        LinAlgError: a matrix is singular.
    """
    if not isinstance(A, Value) or A.ndim < 2:
        numpy("inv", np.linalg.inv, A)
    require_square("inv", A)
    result: Tensor = Solve.apply(A, identity_like(A))
    return result


@function
def inverse(input: Tensor) -> Tensor:
    """Return the inverse of square matrices; see :func:`cygrad.linalg.inv`."""
    return inv(input)


@function
def slogdet(A: Tensor) -> SignAndLog:
    """Return the sign of the determinant, and the logarithm of its absolute value.

    Args:
        A: matrices of floats (…, n, n).
    """
    sign, log = LogDeterminant.apply(A)
    return SignAndLog(sign.detach(), log)


@function
def logdet(input: Tensor) -> Tensor:
    """Return log det A, NaN where the determinant is negative.

    Args:
        input: matrices of floats (…, n, n).
    """
    sign, log = slogdet(input)
    return log + sign.log()


@function
def det(A: Tensor) -> Tensor:
    """Return the determinant: ± e to the power of log |det A|; the gradient needs A to be regular.

    Args:
        A: matrices of floats (…, n, n).
    """
    sign, log = slogdet(A)
    return sign * log.exp()


def tolerance(A: Tensor, atol: Any, rtol: Any) -> Callable[[Array], Array]:
    """The bound max(atol, rtol·σ₁) of singular values; by default rtol = max(m, n)·ε, 0 where atol is positive."""

    def number(x: Any) -> Array:
        array: Array = x.array if isinstance(x, Value) else np.asarray(x)
        return array[..., None]

    eps = max(A.shape[-2:]) * np.finfo(A.array.dtype).eps
    low = number(0.0 if atol is None else atol)
    relative = np.where(low > 0, 0.0, eps) if rtol is None else number(rtol)
    return lambda s: np.maximum(low, relative * (s.max(-1, keepdims=True) if s.shape[-1] else s))


@function
def pinv(A: Tensor, *, atol: Any = None, rtol: Any = None, rcond: Any = None, hermitian: bool = False) -> Tensor:
    """Return the pseudo-inverse of Moore and Penrose.

    Args:
        A: matrices of floats (…, m, n).
        atol, rtol: singular values up to max(atol, rtol·σ₁) count as 0; by default rtol = max(m, n)·ε.
        rcond: the old name of rtol.
        hermitian: whether only the lower triangle is read.
    """
    if A.ndim < 2:
        raise RuntimeError(f"pinv: expected matrices, got shape {A.shape}")
    if hermitian:
        A = (A.tril() + A.tril(-1).mT) if A.shape[-1] == A.shape[-2] else A
    result: Tensor = PseudoInverse.apply(A, tolerance(A, atol, rtol if rcond is None else rcond))
    return result


@function
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Return the pseudo-inverse; singular values up to rcond·σ₁ count as 0."""
    return pinv(input, rtol=rcond)


@function
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """Return the X of least norm that minimizes ‖A·X − B‖, as A⁺·B.

    Args:
        A: matrices of floats (…, m, n).
        B: matrices (…, m, k), or vectors (…, m).
        rcond: singular values up to rcond·σ₁ count as 0; by default max(m, n)·ε.
        driver: as in PyTorch, which of the last three results are computed, but not how.

    Returns:
        (solution, residuals, rank, singular_values); residuals only if m > n, the rank is full and driver not "gelsy",
        the default; no rank for "gels"; singular values for "gelsd" and "gelss".
    """
    vector = B.ndim == A.ndim - 1
    b = B.unsqueeze(-1) if vector else B
    if A.ndim < 2 or b.ndim < 2 or A.shape[-2] != b.shape[-2]:
        raise RuntimeError(f"lstsq: shapes {A.shape} and {B.shape} do not fit")
    x = pinv(A, rtol=rcond) @ b
    sigma = numpy("lstsq", functools.partial(np.linalg.svd, compute_uv=False), A)
    rank = (sigma > tolerance(A, None, rcond)(sigma)).sum(-1)
    full = driver not in (None, "gelsy") and A.shape[-2] > A.shape[-1] and (rank == A.shape[-1]).all()
    residuals = (A @ x - b).square().sum(-2) if full else constant(np.empty(0, A.array.dtype))
    values = sigma if driver in ("gelsd", "gelss") else np.empty(0, A.array.dtype)
    ranks = constant(np.empty(0, np.int64) if driver == "gels" else rank)
    return LeastSquares(x.squeeze(-1) if vector else x, residuals, ranks, constant(values))


@function
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """Return X with A·X = B, from the factor L of A = L·Lᵀ, or with ``upper=True`` of A = Lᵀ·L."""
    if B.ndim < 2:
        raise RuntimeError(f"cholesky_solve: B must have at least 2 dimensions, got shape {B.shape}")
    require_square("cholesky_solve", L)
    lower = L.mT if upper else L
    a, lower = broadcast_batches(B, lower - lower.detach().triu(1))
    return solve(lower.mT, solve(lower, a))


@function
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """Return the inverse of A = L·Lᵀ, or with ``upper=True`` of A = Lᵀ·L."""
    return cholesky_solve(identity_like(L), L, upper)


@function
def matrix_exp(A: Tensor) -> Tensor:
    """Return the exponential of square matrices, Σ Aᵏ/k!.

    Args:
        A: matrices of floats (…, n, n).
    """
    require_square("matrix_exp", A)
    result: Tensor = Exponential.apply(A)
    return result


@function
def matrix_power(A: Tensor, n: int) -> Tensor:
    """Return A to the power of an integer, by repeated squares.

    Args:
        A: matrices (…, m, m).
        n: the exponent; a negative one inverts A.
    """
    require_square("matrix_power", A)
    if n < 0:
        return matrix_power(inv(A), -n)
    result, square = identity_like(A), A
    while n:
        result = result @ square if n & 1 else result
        n >>= 1
        square = square @ square if n else square
    return result


@function
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """Return the product of several matrices, from left to right.

    Args:
        tensors: at least two matrices; the first and the last may be vectors.
    """
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot: expected at least two tensors, got {len(tensors)}")
    return functools.reduce(matmul, tensors)


@function
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """Return the inverse of a tensor as a matrix, whose rows are the first `ind` dimensions."""
    rows, columns = A.shape[:ind], A.shape[ind:]
    return inv(A.reshape((math.prod(rows), math.prod(columns)))).reshape((*columns, *rows))


@function
def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """Return X with tensordot(A, X, dims=X.ndim) = B; `dims` of A are moved to its end first."""
    a = A if dims is None else A.movedim(tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    shape = a.shape[B.ndim :]
    return solve(a.reshape((B.numel(), math.prod(shape))), B.reshape(-1)).reshape(shape)


def with_info(op: str, compute: Callable[[Tensor], Tensor], A: Tensor, check_errors: bool) -> tuple[Tensor, Tensor]:
    """The result, and for each matrix 0; NaN, and 1, where one is singular or not positive definite."""
    try:
        return compute(A), constant(np.zeros(A.shape[:-2], np.int32))
    except LinAlgError:
        if check_errors:
            raise
    if A.ndim == 2:
        return A * math.nan, constant(np.ones((), np.int32))
    from cygrad.ops.shape import stack

    found = [with_info(op, compute, a, False) for a in A.unbind(0)]
    return stack([f[0] for f in found], 0), stack([f[1] for f in found], 0)
