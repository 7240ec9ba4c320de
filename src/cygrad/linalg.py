"""Linear algebra over NumPy, with gradients of every order. As ``torch.linalg``.

Gradients: M. Giles (2008), "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation".
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cygrad._arguments import checked
from cygrad.autograd import Function
from cygrad.functions import matmul
from cygrad.functions import norm as whole_norm
from cygrad.functions import sum as sum_of
from cygrad.tensor import Tensor

__all__ = [
    "LinAlgError",
    "cholesky",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "logdet",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "slogdet",
    "solve",
    "svdvals",
    "vecdot",
    "vector_norm",
]


class LinAlgError(RuntimeError):
    """A matrix is singular, or not positive definite."""


class SignAndLog(NamedTuple):
    """The sign of a determinant, and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


class Eigen(NamedTuple):
    """Eigenvalues in ascending order, and eigenvectors in columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def numpy(op: str, function: Callable[..., Any], *matrices: Tensor) -> Any:
    """One of NumPy's functions on matrices of floats.

    Raises:
        LinAlgError: a matrix is singular, or not positive definite.
        RuntimeError: an argument is not a matrix of floats, or is not square.
    """
    for matrix in matrices:
        if not isinstance(matrix, Tensor):
            raise TypeError(f"{op}: expected a tensor, got {type(matrix).__name__}")
        if matrix.array.dtype.kind != "f" or matrix.ndim < 2:
            raise RuntimeError(f"{op}: expected matrices of floats, got {matrix.array.dtype} of shape {matrix.shape}")
    try:
        return function(*[matrix.array for matrix in matrices])
    except np.linalg.LinAlgError as error:
        kind = RuntimeError if "must be square" in str(error) else LinAlgError
        raise kind(f"{op}: {str(error)[:1].lower()}{str(error)[1:]}") from None


def identity_like(matrix: Tensor) -> Tensor:
    """The identity of a matrix's size."""
    return Tensor(np.broadcast_to(np.eye(matrix.shape[-1], dtype=matrix.array.dtype), matrix.shape).copy())


class Solve(Function):
    """X with A·X = B: dB = A⁻ᵀ·dX, dA = −dB·Xᵀ"""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        x = Tensor(numpy("solve", np.linalg.solve, a, b))
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
        return Tensor(np.asarray(sign)), Tensor(np.asarray(log))

    @staticmethod
    def backward(ctx: Any, _: Any, dlog: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return inv(a).mT * dlog.unsqueeze(-1).unsqueeze(-1)


class Cholesky(Function):
    """L with A = L·Lᵀ: dA = sym(L⁻ᵀ·Φ(Lᵀ·dL)·L⁻¹), where Φ takes the lower triangle and half of the diagonal"""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        lower = Tensor(numpy("cholesky", np.linalg.cholesky, a))
        ctx.save_for_backward(lower)
        return lower

    @staticmethod
    def backward(ctx: Any, dl: Tensor) -> Tensor:
        (lower,) = ctx.saved_tensors
        product = lower.mT @ dl
        half = product.tril() - product.tril().triu() * 0.5
        inner = Solve.apply(lower.mT, half)
        whole = Solve.apply(lower.mT, inner.mT).mT
        return (whole + whole.mT) * 0.5


class EigenDecomposition(Function):
    """A = V·diag(λ)·Vᵀ: dA = V·(diag(dλ) + F∘(Vᵀ·dV))·Vᵀ with Fᵢⱼ = 1/(λⱼ − λᵢ), for distinct eigenvalues"""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = (Tensor(array) for array in numpy("eigh", np.linalg.eigh, a))
        ctx.save_for_backward(values, vectors)
        return values, vectors

    @staticmethod
    def backward(ctx: Any, dvalues: Tensor, dvectors: Tensor) -> Tensor:
        values, vectors = ctx.saved_tensors
        eye = identity_like(vectors)
        gaps = values.unsqueeze(-2) - values.unsqueeze(-1) + eye
        inner = (vectors.mT @ dvectors) / gaps * (1 - eye) + eye * dvalues.unsqueeze(-1)
        whole = vectors @ inner @ vectors.mT
        return (whole + whole.mT) * 0.5


class SingularValues(Function):
    """σ of A = U·diag(σ)·Vᵀ: dA = U·diag(dσ)·Vᵀ; U and V count as constants, so that there is no second derivative"""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        u, s, vh = numpy("svdvals", functools.partial(np.linalg.svd, full_matrices=False), a)
        ctx.save_for_backward(Tensor(u), Tensor(vh))
        return Tensor(s)

    @staticmethod
    def backward(ctx: Any, ds: Tensor) -> Tensor:
        u, vh = ctx.saved_tensors
        return (u * ds.unsqueeze(-2)) @ vh


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
    if not left:
        return solve(A.mT, B.mT).mT
    if B.ndim == 1 or B.shape == A.shape[:-1]:
        return solve(A, B.unsqueeze(-1)).squeeze(-1)
    batch = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    result: Tensor = Solve.apply(A.expand((*batch, *A.shape[-2:])), B.expand((*batch, *B.shape[-2:])))
    return result


def inv(A: Tensor) -> Tensor:
    """Return the inverse of square matrices.

    Args:
        A: matrices of floats (…, n, n).

    Raises:
        LinAlgError: a matrix is singular.
    """
    result: Tensor = Solve.apply(A, identity_like(A)) if A.ndim > 1 else numpy("inv", np.linalg.inv, A)
    return result


def slogdet(A: Tensor) -> SignAndLog:
    """Return the sign of the determinant, and the logarithm of its absolute value.

    Args:
        A: matrices of floats (…, n, n).
    """
    sign, log = LogDeterminant.apply(A)
    return SignAndLog(sign.detach(), log)


def logdet(input: Tensor) -> Tensor:
    """Return log det A, NaN where the determinant is negative.

    Args:
        input: matrices of floats (…, n, n).
    """
    sign, log = slogdet(input)
    return log + sign.log()


def det(A: Tensor) -> Tensor:
    """Return the determinant: ± e to the power of log |det A|; the gradient needs A to be regular.

    Args:
        A: matrices of floats (…, n, n).
    """
    sign, log = slogdet(A)
    return sign * log.exp()


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """Return the lower triangular L with A = L·Lᵀ, or its transpose.

    Args:
        A: symmetric positive definite matrices of floats (…, n, n).
        upper: whether to return Lᵀ.

    Raises:
        LinAlgError: a matrix is not positive definite.
    """
    lower: Tensor = Cholesky.apply(A)
    return lower.mT if upper else lower


def eigh(A: Tensor, UPLO: str = "L") -> Eigen:
    """Return the eigenvalues and eigenvectors of symmetric matrices.

    Args:
        A: symmetric matrices of floats (…, n, n).
        UPLO: accepted: both triangles must be equal.

    Returns:
        (eigenvalues (…, n) in ascending order, eigenvectors (…, n, n) in columns).
    """
    return Eigen(*EigenDecomposition.apply(A))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Return the eigenvalues of symmetric matrices; see :func:`eigh`."""
    return eigh(A, UPLO).eigenvalues


def svdvals(A: Tensor) -> Tensor:
    """Return the singular values, in descending order.

    Args:
        A: matrices of floats (…, m, n).
    """
    result: Tensor = SingularValues.apply(A)
    return result


def matrix_rank(A: Tensor, *, tol: Any = None, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:
    """Return the number of singular values above max(atol, rtol·σ₁), by default rtol = max(m, n)·ε.

    Args:
        A: matrices of floats (…, m, n).
        tol: the old name of atol.
        atol, rtol: numbers.
        hermitian: accepted, without effect.
    """
    sigma = numpy("matrix_rank", functools.partial(np.linalg.svd, compute_uv=False), A)
    atol = tol if atol is None else atol
    if rtol is None:
        rtol = 0.0 if atol is not None else max(A.shape[-2:]) * np.finfo(A.array.dtype).eps
    bound = np.maximum(atol or 0.0, rtol * sigma[..., :1])
    return Tensor(np.asarray((sigma > bound).sum(-1)))


@checked
def matrix_power(A: Tensor, n: int) -> Tensor:
    """Return A to the power of an integer, by repeated squares.

    Args:
        A: matrices (…, m, m).
        n: the exponent; a negative one inverts A.
    """
    if n < 0:
        return matrix_power(inv(A), -n)
    result, square = identity_like(A), A
    while n:
        result = result @ square if n & 1 else result
        n >>= 1
        square = square @ square if n else square
    return result


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """Return the product of several matrices, from left to right.

    Args:
        tensors: at least two matrices; the first and the last may be vectors.
    """
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot: expected at least two tensors, got {len(tensors)}")
    return functools.reduce(matmul, tensors)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Return the scalar products along a dimension."""
    return (x * y).sum(dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return the diagonal of matrices; the result is a view."""
    return A.diagonal(offset, dim1, dim2)


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
        result = sigma.sum(-1) if ord == "nuc" else sigma.amax(-1) if ord > 0 else sigma.amin(-1)
    elif ord in (1, -1, np.inf, -np.inf):
        sums = sum_of(x.abs(), dim=-2 if abs(ord) == 1 else -1)
        result = sums.amax(-1) if ord > 0 else sums.amin(-1)
    else:
        raise ValueError(f"matrix_norm: ord must be fro, nuc, ±1, ±2 or ±inf, got {ord!r}")
    for axis in sorted(d % A.ndim for d in dim) if keepdim else ():
        result = result.unsqueeze(axis)
    return result


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
