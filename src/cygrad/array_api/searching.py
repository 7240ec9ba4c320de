"""Indices, sets and orders."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import cygrad.functions as F
from cygrad.functions.algebra import tensordot as _tensordot
from cygrad.ops.definition import constant
from cygrad.tensor import Tensor

__all__ = [
    "argsort", "isin", "matmul", "nonzero", "searchsorted", "sort", "take", "take_along_axis", "tensordot",
    "unique_all", "unique_counts", "unique_inverse", "unique_values", "vecdot", "where",
]  # fmt: skip


class Unique(NamedTuple):
    """What :func:`unique_all` returns."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class Counts(NamedTuple):
    """What :func:`unique_counts` returns."""

    values: Tensor
    counts: Tensor


class Inverse(NamedTuple):
    """What :func:`unique_inverse` returns."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Any, /) -> Unique:
    """Return the distinct values (each NaN apart), where each is first, which one each element is, and counts."""
    values, indices, inverse, counts = np.unique(
        x.array, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    return Unique(*map(constant, (values, indices, inverse.reshape(x.shape), counts)))


def unique_counts(x: Any, /) -> Counts:
    """Return the distinct values, and how often each occurs."""
    found = unique_all(x)
    return Counts(found.values, found.counts)


def unique_inverse(x: Any, /) -> Inverse:
    """Return the distinct values, and which one each element is."""
    found = unique_all(x)
    return Inverse(found.values, found.inverse_indices)


def unique_values(x: Any, /) -> Tensor:
    """Return the distinct values."""
    return unique_all(x).values


def argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return the indices that would sort along an axis."""
    return F.argsort(x, axis, descending, stable=True)


def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return the array sorted along an axis."""
    return F.sort(x, dim=axis, descending=descending, stable=True)[0]


def nonzero(x: Any, /) -> tuple[Tensor, ...]:
    """Return the indices of the elements that are not 0, one array for each axis."""
    if not x.ndim:
        raise ValueError("nonzero: the array has no dimensions")
    return tuple(map(constant, np.nonzero(x.array)))


def searchsorted(x1: Any, x2: Any, /, *, side: Any = "left", sorter: Any = None) -> Tensor:
    """Return where the elements of x2 belong in the sorted x1."""
    wanted = x2.array if isinstance(x2, Tensor) else x2
    return constant(np.asarray(np.searchsorted(x1.array, wanted, side, None if sorter is None else sorter.array)))


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Tensor:
    """Return which elements of x1 occur in x2."""
    first, second = (x.array if isinstance(x, Tensor) else x for x in (x1, x2))
    return constant(np.isin(first, second, invert=invert))


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Tensor:
    """Return the elements at indices along an axis."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"take: axis is needed for {x.ndim} dimensions")
    axis = 0 if axis is None else axis % x.ndim
    return x[(slice(None),) * axis + (indices,)]


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Tensor:
    """Return for each index along an axis the element there."""
    return F.take_along_dim(x, F.remainder(indices, x.shape[axis]), axis)


def where(condition: Any, x1: Any, x2: Any, /) -> Tensor:
    """Return the elements of x1 where a condition holds, else those of x2."""
    return F.where(condition, x1, x2)


def matmul(x1: Any, x2: Any, /) -> Tensor:
    """Return the product of matrices."""
    return F.matmul(x1, x2)


def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Tensor:
    """Return sums of products along axes."""
    return _tensordot(x1, x2, axes)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Tensor:
    """Return scalar products along an axis."""
    from cygrad.array_api.reductions import sum as sum_of

    dtype = np.result_type(x1.array.dtype, x2.array.dtype)
    return sum_of(x1 * x2, axis=axis, dtype=dtype)
