"""Approximations of matrices by their largest singular values, from random projections."""

from __future__ import annotations

from cygrad._typing import Tensor
from cygrad.autograd import recording
from cygrad.autograd.calls import requires_tensor
from cygrad.functions import factors
from cygrad.functions.factors import SVD
from cygrad.generator import normal_array
from cygrad.ops import linear
from cygrad.ops.definition import constant

__all__ = ["pca_lowrank", "svd_lowrank"]


@requires_tensor
def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> SVD:
    """Return (U, S, V) with A − M ≈ U·diag(S)·Vᵀ, for the q largest singular values. As ``torch.svd_lowrank``.

    A is multiplied by random vectors, which with a few more products span what its largest singular vectors span, and
    decomposed there: N. Halko, P.-G. Martinsson, J. Tropp (2011), "Finding structure with randomness", algorithm 5.1.

    Args:
        A: matrices of floats (…, m, n).
        q: the rank, a little above that of A; 6 if None.
        niter: how often the vectors are multiplied by AᵀA, at least 0, default 2.
        M: subtracted from A, of a shape that broadcasts to A's.

    Returns:
        A tuple with fields U (…, m, q), S (…, q) and V (…, n, q).

    Raises:
        ValueError: q is not in [0, min(m, n)], or niter is negative.
    """
    rank, steps = 6 if q is None else q, 2 if niter is None else niter
    if A.ndim < 2:
        raise ValueError(f"svd_lowrank: expected matrices, got shape {A.shape}")
    if not 0 <= rank <= min(A.shape[-2:]) or steps < 0:
        raise ValueError(
            f"svd_lowrank: expected q between 0 and {min(A.shape[-2:])} and niter of at least 0, got {q} and {niter}"
        )
    if M is not None:
        A = A - M
    transposed = A.transpose(-1, -2)
    shape = (*A.shape[:-2], A.shape[-1], rank)
    start = constant(recording.produced(normal_array, shape, A.array.dtype, None))
    Q = factors.orthogonal(linear.matmul(A, start)).Q
    for _ in range(steps):
        Q = factors.orthogonal(linear.matmul(transposed, Q)).Q
        Q = factors.orthogonal(linear.matmul(A, Q)).Q
    U, S, Vh = factors.full_svd(linear.matmul(Q.transpose(-1, -2), A), False)
    return SVD(linear.matmul(Q, U), S, Vh.transpose(-1, -2))


@requires_tensor
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> SVD:
    """Return (U, S, V), where the columns of V are the principal directions of the rows of A. As
    ``torch.pca_lowrank``; see :func:`svd_lowrank`.

    Args:
        A: matrices (…, m, n) of m samples with n features.
        q: the number of directions; min(6, m, n) if None.
        center: whether the mean of each feature is subtracted first.
        niter: as for ``svd_lowrank``.

    Raises:
        ValueError: q is not in [0, min(m, n)], or niter is negative.
    """
    if A.ndim < 2:
        raise ValueError(f"pca_lowrank: expected matrices, got shape {A.shape}")
    rank = min(6, *A.shape[-2:]) if q is None else q
    return svd_lowrank(A, rank, niter, A.mean(dim=-2, keepdim=True) if center else None)
