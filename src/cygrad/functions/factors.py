"""Factors of matrices over NumPy, with gradients of every order."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from cygrad._typing import Tensor
from cygrad.autograd import Function
from cygrad.autograd.calls import function
from cygrad.functions.matrices import Solve, identity_like, numpy
from cygrad.ops.definition import constant
from cygrad.ops.shape import cat

__all__ = ["cholesky", "qr", "svd"]


class Eigen(NamedTuple):
    """Eigenvalues in ascending order, and eigenvectors in columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class SingularValues(NamedTuple):
    """A = U·diag(S)·Vh"""

    U: Tensor
    S: Tensor
    Vh: Tensor


class SVD(NamedTuple):
    """A = U·diag(S)·Vᵀ"""

    U: Tensor
    S: Tensor
    V: Tensor


class QR(NamedTuple):
    """A = Q·R"""

    Q: Tensor
    R: Tensor


class Cholesky(Function):
    """L with A = L·Lᵀ: dA = sym(L⁻ᵀ·Φ(Lᵀ·dL)·L⁻¹), where Φ takes the lower triangle and half of the diagonal"""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        lower = constant(numpy("cholesky", np.linalg.cholesky, a))
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
    def forward(ctx: Any, a: Tensor, triangle: str) -> tuple[Tensor, Tensor]:
        found = numpy("eigh", functools.partial(np.linalg.eigh, UPLO=triangle), a)
        values, vectors = (constant(array) for array in found)
        ctx.save_for_backward(values, vectors)
        ctx.set_materialize_grads(False)
        return values, vectors

    @staticmethod
    def backward(ctx: Any, dvalues: Tensor | None, dvectors: Tensor | None) -> tuple[Tensor, None]:
        values, vectors = ctx.saved_tensors
        inner = 0.0 if dvalues is None else identity_like(vectors) * dvalues.unsqueeze(-1)
        if dvectors is not None:
            inner = inner + (vectors.mT @ dvectors) * reciprocal_gaps(values)
        whole = vectors @ inner @ vectors.mT
        return (whole + whole.mT) * 0.5, None


def reciprocal_gaps(values: Tensor) -> Tensor:
    """1/(xⱼ − xᵢ), 0 on the diagonal"""
    eye = constant(np.eye(values.shape[-1], dtype=values.array.dtype))
    return (1 - eye) / (values.unsqueeze(-2) - values.unsqueeze(-1) + eye)


class SingularValueDecomposition(Function):
    """A = U·diag(σ)·Vᵀ: with skew(X) = X − Xᵀ and Fᵢⱼ = 1/(σⱼ² − σᵢ²), for distinct σ,
    dA = U·((F∘skew(Uᵀ·dU))·σ + σ·(F∘skew(Vᵀ·dV)) + diag(dσ))·Vᵀ + (I − U·Uᵀ)·dU·σ⁻¹·Vᵀ + U·σ⁻¹·dVᵀ·(I − V·Vᵀ)

    J. Townsend (2016), "Differentiating the singular value decomposition". Columns beyond min(m, n) are constants.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, full: bool) -> tuple[Tensor, Tensor, Tensor]:
        u, s, vh = (constant(x) for x in numpy("svd", functools.partial(np.linalg.svd, full_matrices=full), a))
        ctx.save_for_backward(u, s, vh)
        ctx.set_materialize_grads(False)
        return u, s, vh

    @staticmethod
    def backward(ctx: Any, du: Tensor | None, ds: Tensor | None, dvh: Tensor | None) -> tuple[Tensor, None]:
        u, s, vh = ctx.saved_tensors
        k = s.shape[-1]
        u, vh = u[..., :k], vh[..., :k, :]
        inner: Any = 0.0 if ds is None else identity_like(s.unsqueeze(-1) @ s.unsqueeze(-2)) * ds.unsqueeze(-1)
        outer: Any = 0.0
        for d, basis, left in ((du, u, True), (dvh if dvh is None else dvh.mT, vh.mT, False)):
            if d is None:
                continue
            d = d[..., :k]
            product = basis.mT @ d
            turned = (product - product.mT) * reciprocal_gaps(s * s)
            inner = inner + (turned * s.unsqueeze(-2) if left else turned * s.unsqueeze(-1))
            rest = (d - basis @ product) / s.unsqueeze(-2)
            if basis.shape[-2] > k:
                outer = outer + (rest @ vh if left else u @ rest.mT)
        return u @ inner @ vh + outer, None


class Orthogonal(Function):
    """A = Q·R for m ≥ n: dA = (dQ + Q·S)·R⁻ᵀ, where S is the symmetric matrix with the lower triangle of R·dRᵀ − dQᵀ·Q.

    S. Walter, L. Lehmann (2013), "Algorithmic differentiation of linear algebra functions with application in optimum
    experimental design".
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> tuple[Tensor, Tensor]:
        q, r = (constant(x) for x in numpy("qr", np.linalg.qr, a))
        ctx.save_for_backward(q, r)
        return q, r

    @staticmethod
    def backward(ctx: Any, dq: Tensor, dr: Tensor) -> Tensor:
        q, r = ctx.saved_tensors
        lower = (r @ dr.mT - dq.mT @ q).tril()
        symmetric = lower + lower.tril(-1).mT
        return Solve.apply(r, (dq + q @ symmetric).mT).mT


@function
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """Return the lower triangular L with A = L·Lᵀ, or its transpose.

    Args:
        input: symmetric positive definite matrices of floats (…, n, n), of which one triangle is read.
        upper: whether to return Lᵀ.

    Raises:
        LinAlgError: a matrix is not positive definite.
    """
    if upper:
        return cholesky(input.mT).mT
    result: Tensor = Cholesky.apply(input)
    return result


@function
def eigh(A: Tensor, UPLO: str = "L") -> Eigen:
    """Return the eigenvalues and eigenvectors of symmetric matrices.

    Args:
        A: symmetric matrices of floats (…, n, n).
        UPLO: the triangle that is read, "L" or "U".

    Returns:
        (eigenvalues (…, n) in ascending order, eigenvectors (…, n, n) in columns).
    """
    if str(UPLO).upper() not in ("L", "U"):
        raise RuntimeError(f"eigh: UPLO must be L or U, got {UPLO!r}")
    return Eigen(*EigenDecomposition.apply(A, UPLO.upper()))


@function
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Return the eigenvalues of symmetric matrices; see :func:`eigh`."""
    return eigh(A, UPLO).eigenvalues


def full_svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> SingularValues:
    """Return (U, S, Vh) with A = U·diag(S)·Vh, the singular values S in descending order.

    Args:
        A: matrices of floats (…, m, n).
        full_matrices: whether U is (…, m, m) and Vh (…, n, n), or both have min(m, n) vectors.
        driver: accepted, without effect.
    """
    return SingularValues(*SingularValueDecomposition.apply(A, full_matrices))


@function
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> SVD:
    """Return (U, S, V) with A = U·diag(S)·Vᵀ; see :func:`cygrad.linalg.svd`.

    Args:
        input: matrices of floats (…, m, n).
        some: whether U and V have min(m, n) columns.
        compute_uv: whether U and V are computed; they are 0 otherwise.
    """
    u, s, vh = full_svd(input, not (some and compute_uv))
    return SVD(u, s, vh.mT.contiguous()) if compute_uv else SVD(u.detach() * 0, s, vh.detach().mT * 0)


@function
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """Return the singular values, in descending order.

    Args:
        A: matrices of floats (…, m, n).
        driver: accepted, without effect.
    """
    return full_svd(A, False).S


@function
def qr(input: Tensor, some: bool = True) -> QR:
    """Return (Q, R) with A = Q·R; see :func:`cygrad.linalg.qr`."""
    return orthogonal(input, "reduced" if some else "complete")


def orthogonal(A: Tensor, mode: str = "reduced") -> QR:
    """Return (Q, R) with A = Q·R, Q orthogonal and R upper triangular.

    Args:
        A: matrices of floats (…, m, n).
        mode: "reduced" for min(m, n) columns of Q; "complete" for m; "r" for R alone, Q empty.
    """
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr: mode must be reduced, complete or r, got {mode!r}")
    m, n = A.shape[-2:] if A.ndim > 1 else (0, 0)
    if mode == "reduced" or (mode == "complete" and m <= n):
        if m >= n:
            return QR(*Orthogonal.apply(A))
        q, r = Orthogonal.apply(A[..., :m])  # Qᵀ·[X, Y] = [R, Qᵀ·Y]
        return QR(q, cat([r, q.mT @ A[..., m:]], dim=-1))
    if A.requires_grad:
        raise NotImplementedError(f"qr: mode {mode!r} of shape {A.shape} has no gradient")
    found = numpy("qr", functools.partial(np.linalg.qr, mode=mode), A)
    if mode == "r":
        return QR(constant(np.empty(0, A.array.dtype)), constant(found))
    return QR(*map(constant, found))
