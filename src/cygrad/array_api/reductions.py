"""Sums, extremes and other reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

import cygrad.functions as F
from cygrad.functions.sums import diff as _diff
from cygrad.ops.definition import constant
from cygrad.tensor import Tensor

__all__ = [
    "all", "any", "argmax", "argmin", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "max", "mean",
    "min", "prod", "std", "sum", "var",
]  # fmt: skip


def axes_of(x: Tensor, axis: Any) -> tuple[int, ...]:
    """The axes, all for None."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for a in axes:
        if not -x.ndim <= a < x.ndim:
            raise IndexError(f"axis {a} is out of bounds for {x.ndim} dimensions")
    return tuple([a % x.ndim for a in axes])


def accumulated(x: Tensor, dtype: Any) -> Tensor:
    """The array in the dtype in which it is summed: integers in the widest of their kind."""
    if dtype is None:
        wide = {"i": np.int64, "u": np.uint64, "b": np.int64}
        dtype = wide.get(x.array.dtype.kind, x.array.dtype)
    return x.to(np.dtype(dtype))


def sum(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """Return the sum along axes."""
    x, axes = accumulated(x, dtype), axes_of(x, axis)
    if not axes:
        return x + 0
    if x.array.dtype.kind == "f":
        return F.sum(x, dim=axes, keepdim=keepdims)
    return constant(np.asarray(x.array.sum(axes, x.array.dtype, keepdims=keepdims)))


def prod(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """Return the product along axes."""
    x, axes = accumulated(x, dtype), axes_of(x, axis)
    if x.array.dtype.kind != "f":
        return constant(np.asarray(x.array.prod(axes, x.array.dtype, keepdims=keepdims)))
    for a in sorted(axes, reverse=True):
        x = F.prod(x, dim=a, keepdim=keepdims)
    return x


def mean(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the mean along axes."""
    axes = axes_of(x, axis)
    return F.mean(x, dim=axes, keepdim=keepdims) if axes else x + 0


def var(x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Return the variance along axes: Σ (x − mean)²/(n − correction)."""
    axes = axes_of(x, axis)
    n = np.prod([x.shape[a] for a in axes]) if axes else 1
    square = F.square(x - mean(x, axis=axis, keepdims=True))
    return sum(square, axis=axis, keepdims=keepdims) / float(np.maximum(n - correction, 0))


def std(x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Return the standard deviation along axes."""
    return F.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def max(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the maximum along axes."""
    axes = axes_of(x, axis)
    return F.amax(x, dim=axes, keepdim=keepdims) if axes else x.clone()


def min(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the minimum along axes."""
    axes = axes_of(x, axis)
    return F.amin(x, dim=axes, keepdim=keepdims) if axes else x.clone()


def all(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return whether all elements along axes are true."""
    return constant(np.asarray(x.array.all(axes_of(x, axis), keepdims=keepdims)))


def any(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return whether an element along axes is true."""
    return constant(np.asarray(x.array.any(axes_of(x, axis), keepdims=keepdims)))


def argmax(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the index of the first maximum."""
    return constant(np.asarray(x.array.argmax(axis, keepdims=keepdims)))


def argmin(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the index of the first minimum."""
    return constant(np.asarray(x.array.argmin(axis, keepdims=keepdims)))


def count_nonzero(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return how many elements are not 0."""
    return constant(np.asarray(np.count_nonzero(x.array, axis, keepdims=keepdims)))


def cumulative(of: Any, x: Tensor, axis: int | None, dtype: Any, start: int, include_initial: bool) -> Tensor:
    if axis is None and x.ndim != 1:
        raise ValueError(f"{of.__name__}: axis is needed for {x.ndim} dimensions")
    axis = 0 if axis is None else axes_of(x, axis)[0]
    x = accumulated(x, dtype)
    if include_initial:
        shape = [1 if i == axis else n for i, n in enumerate(x.shape)]
        x = F.cat([constant(np.full(shape, start, x.array.dtype)), x], axis)
    if x.array.dtype.kind != "f":
        return constant((np.cumsum if start == 0 else np.cumprod)(x.array, axis, x.array.dtype))
    result: Tensor = of(x, axis)
    return result


def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Tensor:
    """Return the sums of the first elements along an axis, perhaps with 0 before them."""
    return cumulative(F.cumsum, x, axis, dtype, 0, include_initial)


def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Tensor:
    """Return the products of the first elements along an axis, perhaps with 1 before them."""
    return cumulative(F.cumprod, x, axis, dtype, 1, include_initial)


def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Tensor:
    """Return the n-th differences along an axis."""
    return _diff(x, n, axis, prepend, append)
