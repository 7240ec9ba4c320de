"""Products of matrices and vectors, and sums of them."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from cygrad._typing import Tensor
from cygrad.autograd.calls import function, requires_tensor
from cygrad.functions.elementwise import in_floats
from cygrad.functions.indexing import gather
from cygrad.functions.products import bmm, dot, mm, mv, outer
from cygrad.ops import arithmetic, reduce, shape
from cygrad.ops.axes import axis_and_size, checked_axis
from cygrad.ops.definition import constant
from cygrad.ops.einsum import einsum

__all__ = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "cartesian_prod", "cdist", "chain_matmul", "combinations",
    "corrcoef", "cosine_similarity", "cov", "cross", "dist", "inner", "kron", "pdist", "renorm", "tensordot", "trace",
    "vander", "vdot",
]  # fmt: skip


def _plus(input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    """beta·input + alpha·product; where beta is 0, whatever input holds."""
    if not product.is_floating_point():  # factors become integers, or booleans, too
        number: Any = bool if product.dtype.kind == "b" else int
        beta, alpha = number(beta), number(alpha)
    scaled = product if alpha == 1 else product * alpha
    if beta == 0:
        return scaled + arithmetic.where(constant(np.array(True)), 0, input)
    return (input if beta == 1 else input * beta) + scaled


@requires_tensor
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Return beta·input + alpha·mat1·mat2."""
    return _plus(input, mm(mat1, mat2), beta, alpha)


@requires_tensor
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Return beta·input + alpha·mat·vec."""
    return _plus(input, mv(mat, vec), beta, alpha)


@requires_tensor
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Return beta·input + alpha·vec1⊗vec2."""
    return _plus(input, outer(vec1, vec2), beta, alpha)


@requires_tensor
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Return beta·input + alpha·batch1·batch2, for each matrix of the batches."""
    return _plus(input, bmm(batch1, batch2), beta, alpha)


@requires_tensor
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Return beta·input + alpha·Σ batch1ᵢ·batch2ᵢ."""
    return _plus(input, bmm(batch1, batch2).sum(0), beta, alpha)


@function
def chain_matmul(*matrices: Tensor) -> Tensor:
    """Multiply matrices from left to right."""
    return functools.reduce(mm, matrices)


@requires_tensor
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Return the products of sums over the last dimensions: y[…, i, …, j] = Σ input[…, i, k]·other[…, j, k]."""
    if not input.ndim or not other.ndim:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(f"inner: the last dimensions must be equal, got shapes {input.shape} and {other.shape}")
    return tensordot(input, other, ([-1], [-1]))


@requires_tensor
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Return the dot product of two vectors."""
    return dot(input, other)


@requires_tensor
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sum products over several dimensions.

    Args:
        a: a tensor.
        b: a tensor.
        dims: how many of the last dimensions of a meet the first of b; or those of a, and those of b.
    """
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot: dims must not be negative, got {dims}")
        if dims > min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot: {dims} dims are too many for shapes {a.shape} and {b.shape}")
        dims = (list(range(a.ndim - dims, a.ndim)), list(range(dims)))
    left, right = [
        [axis_and_size("tensordot", d, x.shape)[0] for d in ([ds] if isinstance(ds, int) else ds)]
        for ds, x in zip(dims, (a, b))
    ]
    sizes = [a.shape[d] for d in left]
    if len(left) != len(right) or any([n != b.shape[d] and 1 not in (n, b.shape[d]) for n, d in zip(sizes, right)]):
        raise RuntimeError(f"tensordot: dims {dims} do not fit shapes {a.shape} and {b.shape}")
    letters = iter(range(len(a.shape) + len(b.shape)))
    first = [next(letters) for _ in a.shape]
    second = [first[left[right.index(i)]] if i in right else next(letters) for i in range(b.ndim)]
    kept = [x for i, x in enumerate(first) if i not in left] + [x for i, x in enumerate(second) if i not in right]
    return einsum(a, first, b, second, kept)


@requires_tensor
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Return the Kronecker product."""
    n = max(input.ndim, other.ndim)
    a, b = ([1] * (n - x.ndim) + list(x.shape) for x in (input, other))
    left = input.reshape([m for pair in zip(a, [1] * n) for m in pair])
    right = other.reshape([m for pair in zip([1] * n, b) for m in pair])
    return (left * right).reshape([m * k for m, k in zip(a, b)])


@requires_tensor
def trace(input: Tensor) -> Tensor:
    """Return the sum of the diagonal of a matrix."""
    if input.ndim != 2:
        raise RuntimeError(f"trace: input must be a matrix, got shape {input.shape}")
    return shape.diagonal(input).sum()


@requires_tensor
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Return the vector product along a dimension of size 3, the first such by default."""
    if dim is None:
        if input.ndim != other.ndim or 3 not in input.shape:
            raise RuntimeError(f"cross: no dimension of size 3 in shapes {input.shape} and {other.shape}")
        dim = input.shape.index(3)
    if input.ndim != other.ndim or input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(f"cross: dim {dim} must have size 3, got shapes {input.shape} and {other.shape}")
    (a, b, c), (x, y, z) = input.unbind(dim), other.unbind(dim)
    return shape.stack([b * z - c * y, c * x - a * z, a * y - b * x], dim)


@requires_tensor
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """Return the p-norm of input − other."""
    return reduce.norm(input - other, p=p)


@requires_tensor
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """Return the p-norm distance of each row of x1 and each row of x2: (…, n, d), (…, m, d) → (…, n, m)."""
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"cdist: rows must have equal sizes, got shapes {x1.shape} and {x2.shape}")
    return reduce.norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p=p, dim=-1)


@requires_tensor
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Return the p-norm distance of each pair of rows."""
    first, second = (constant(i) for i in np.triu_indices(input.shape[0], 1))
    return reduce.norm(input.index_select(0, first) - input.index_select(0, second), p=p, dim=-1)


@requires_tensor
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle: x1·x2/(max(‖x1‖, eps)·max(‖x2‖, eps))."""
    a, b = (x / reduce.norm(x, dim=dim, keepdim=True).clamp(min=eps) for x in (x1, x2))
    return (a * b).sum(dim)


@requires_tensor
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Scale each slice of a dimension whose p-norm is above maxnorm down to it."""
    if input.ndim < 2:
        raise RuntimeError(f"renorm: input must have at least 2 dimensions, got shape {input.shape}")
    axis = checked_axis("renorm", dim, input.ndim)
    norms = reduce.norm(input, p=p, dim=[i for i in range(input.ndim) if i != axis], keepdim=True)
    return input * arithmetic.where(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)


@requires_tensor
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """Return the covariance matrix of variables (rows) over observations (columns), perhaps weighted."""
    if input.ndim > 2:
        raise RuntimeError(f"cov: input must have at most 2 dimensions, got shape {input.shape}")
    x = input.reshape(1, -1) if input.ndim < 2 else input
    x = in_floats(x)
    for name, weights, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if weights is not None:
            _check_weights(name, weights, kinds, x.shape[1])
    w: Any = fweights
    if aweights is not None:
        w = aweights if w is None else w * aweights
    if w is None:
        total: Any = x.shape[1]
        centered = x - x.mean(1, keepdim=True)
        weighted = centered
        norm: Any = total - correction
    else:
        total = w.sum()
        centered = x - (x * w).sum(1, keepdim=True) / total
        weighted = centered * w
        norm = total - (correction * (w * aweights).sum() / total if aweights is not None else correction)
    result = weighted @ centered.T / (norm.clamp(min=0) if hasattr(norm, "clamp") else max(norm, 0))
    return result.squeeze()


def _check_weights(name: str, weights: Tensor, kinds: str, count: int) -> None:
    if weights.ndim > 1 or weights.numel() != count or weights.dtype.kind not in kinds:
        what = "integers" if "i" in kinds else "floats"
        raise RuntimeError(f"cov: {name} must be a vector of {count} {what}, got {weights.dtype}{weights.shape}")
    if (weights.array < 0).any():
        raise RuntimeError(f"cov: {name} must not be negative")


@requires_tensor
def corrcoef(input: Tensor) -> Tensor:
    """Return the matrix of correlation coefficients of variables (rows)."""
    c = cov(input)
    if not c.ndim:
        return c / c
    deviation = shape.diagonal(c).sqrt()
    return (c / deviation.unsqueeze(1) / deviation).clamp(-1, 1)


@function
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Return all combinations of the elements of vectors, one a row."""
    from cygrad.functions.shapes import meshgrid

    if len(tensors) == 1:
        return tensors[0]
    return shape.stack([g.reshape(-1) for g in meshgrid(*tensors, indexing="ij")], 1)


@requires_tensor
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return all combinations of r elements of a vector, one a row."""
    choose: Any = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input.numel()), r)), np.int64).reshape(-1, r)
    return gather(input, 0, constant(rows.reshape(-1))).reshape(rows.shape)


@requires_tensor
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the powers of each element of a vector, one row each, by default from the highest power to 0."""
    n = x.numel() if N is None else N
    powers = constant(np.arange(n) if increasing else np.arange(n)[::-1].copy())
    return x.unsqueeze(-1) ** powers
