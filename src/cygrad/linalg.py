"""Linear algebra over NumPy: inverse, solution of linear equations and determinants, with gradients of every order.

Formulas: M. B. Giles, Collected matrix derivative results for algorithmic differentiation, 2008.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op

__all__ = ["LinAlgError", "det", "inv", "slogdet", "solve"]


class LinAlgError(RuntimeError):
    """A matrix without an inverse, or a factorization that does not exist."""


class Slogdet(NamedTuple):
    """What `slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


def check_square(name: str, a: Array | Tensor) -> None:
    """Refuse what is not a batch of square matrices of floats."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise RuntimeError(f"{name}: expected square matrices of shape (…, n, n), got shape {tuple(a.shape)}")
    if np.dtype(str(a.dtype).rpartition(".")[2]).kind != "f":
        raise RuntimeError(f"{name}: expected a floating dtype, got {a.dtype}")


def adjoint(x: Array) -> Array:
    """Swap the last two axes."""
    return x.swapaxes(-1, -2)


@op
def inv(ctx: Node, A: Array) -> Array:
    """Invert square matrices: Y = A⁻¹, shape (…, n, n).

    Raises:
        LinAlgError: if a matrix is singular.
        RuntimeError: if the matrices are not square, or not floats.
    """
    check_square("inv", A)
    try:
        y = np.linalg.inv(A)
    except np.linalg.LinAlgError:
        raise LinAlgError(f"inv: a matrix of the input of shape {A.shape} is singular") from None
    ctx.save(y)
    return y


@inv.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dA = −Yᵀ·dY·Yᵀ"""
    (y,) = ctx.saved
    return np.asarray(-(adjoint(y) @ dy @ adjoint(y)))


@inv.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dA = −Yᵀ·dY·Yᵀ"""
    y = ctx.output(ctx.saved[0])
    return -(y.mT @ dy @ y.mT)


@op
def logabsdet(ctx: Node, A: Array) -> Array:
    """y = log |det A|, −inf for a singular matrix."""
    check_square("slogdet", A)
    ctx.save(A)
    return np.asarray(np.linalg.slogdet(A)[1], A.dtype)


@logabsdet.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dA = dy·A⁻ᵀ"""
    (a,) = ctx.saved
    try:
        return np.asarray(dy[..., None, None] * adjoint(np.linalg.inv(a)))
    except np.linalg.LinAlgError:
        raise LinAlgError("slogdet: the gradient at a singular matrix does not exist") from None


@logabsdet.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dA = dy·A⁻ᵀ"""
    return dy[..., None, None] * inv(ctx.input(0, ctx.saved[0])).mT


def slogdet(A: Tensor) -> Slogdet:
    """Return the sign and the logarithm of the absolute value of determinants, shape (…)."""
    y = logabsdet(A)
    return Slogdet(y.new_tensor(np.linalg.slogdet(A.detach().numpy())[0]), y)


def det(A: Tensor) -> Tensor:
    """Return determinants, shape (…), from the sign and the logarithm: det A = sign·exp(log |det A|).

    Raises:
        LinAlgError: at backward, if a matrix is singular.
    """
    sign, value = slogdet(A)
    return sign * value.exp()


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """Solve A·X = B, or X·A = B if not `left`. A has shape (…, n, n), B (n,) or (…, n, k); X = A⁻¹·B.

    Raises:
        LinAlgError: if a matrix is singular.
    """
    if A.ndim > 2 and tuple(B.shape) == tuple(A.shape[:-1]):  # a batch of vectors
        return solve(A, B.unsqueeze(-1)).squeeze(-1) if left else solve(A, B.unsqueeze(-2), left=False).squeeze(-2)
    return inv(A) @ B if left else B @ inv(A)
