"""Counting, searching and distinct elements. They read values, and have no gradient."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array, Operand, Tensor
from cygrad.autograd import engine, recording
from cygrad.autograd.calls import function, requires_tensor
from cygrad.ops.axes import checked_axis

__all__ = [
    "argwhere", "bincount", "bucketize", "histc", "histogram", "isin", "nonzero", "searchsorted", "unique",
    "unique_consecutive", "unravel_index",
]  # fmt: skip


def _plain(x: Any) -> Any:
    return x.array if isinstance(x, engine.Value) else x


def _results(arrays: Sequence[Array]) -> Any:
    """One tensor, or a tuple of several."""
    tensors = tuple([engine.wrap(np.asarray(a)) for a in arrays])
    return tensors if len(tensors) > 1 else tensors[0]


@requires_tensor
def nonzero(input: Tensor, as_tuple: bool = False) -> Any:
    """Return the indices of all elements that are not zero.

    Args:
        input: a tensor.
        as_tuple: whether to return one 1-D tensor for each dimension, or else a matrix with a row for each element.
    """
    recording.reading("nonzero")
    indices = np.nonzero(input.array if input.ndim else input.array.reshape(1))
    if as_tuple:
        return tuple([engine.wrap(i.copy()) for i in indices])
    return engine.wrap(np.stack(indices, 1) if input.ndim else np.zeros((len(indices[0]), 0), np.int64))


@requires_tensor
def argwhere(input: Tensor) -> Tensor:
    """Return the indices of all elements that are not zero, one a row."""
    return nonzero(input)


def _rows(x: Array, dim: int | None, name: str) -> tuple[Array, int]:
    """The elements, or the slices of a dimension as rows of bytes that compare equal where they are equal."""
    if dim is None:
        return x.reshape(-1), 0
    axis = checked_axis(name, dim, x.ndim)
    return np.moveaxis(x, axis, 0), axis


@requires_tensor
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the distinct elements, or slices of a dimension, in order.

    Args:
        input: a tensor.
        sorted: accepted for compatibility; the elements are always sorted.
        return_inverse: whether to return the index of each element among the distinct ones, too.
        return_counts: whether to return how often each occurs, too.
        dim: the dimension whose slices are compared; by default all elements are.
    """
    recording.reading("unique")
    x = input.array
    axis = None if dim is None else checked_axis("unique", dim, x.ndim)
    options: Any = {"axis": axis if x.ndim else None, "equal_nan": False}
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, **options)
    inverse = inverse.reshape(x.shape if axis is None else -1)
    return _results([values, *([inverse] if return_inverse else []), *([counts] if return_counts else [])])


@requires_tensor
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Return the first of each run of equal elements, or of equal slices of a dimension.

    Args:
        input: a tensor.
        return_inverse: whether to return the index of each element's run, too.
        return_counts: whether to return the length of each run, too.
        dim: the dimension whose slices are compared; by default all elements are.
    """
    recording.reading("unique_consecutive")
    rows, axis = _rows(input.array, dim, "unique_consecutive")
    first = np.ones(len(rows), bool)
    if len(rows) > 1:
        first[1:] = (rows[1:] != rows[:-1]).reshape(len(rows) - 1, -1).any(1)
    inverse = np.cumsum(first) - 1
    counts = np.bincount(inverse, minlength=0) if len(rows) else np.zeros(0, np.int64)
    values = np.moveaxis(rows[first], 0, axis) if dim is not None else rows[first]
    inverse = inverse.reshape(input.shape) if dim is None else inverse
    return _results([values, *([inverse] if return_inverse else []), *([counts] if return_counts else [])])


@requires_tensor
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """Count how often each of 0, 1, … occurs in a 1-D tensor.

    Args:
        input: integers, none of them negative.
        weights: the amount that each element adds to its count, by default 1.
        minlength: the smallest number of counts to return.
    """
    recording.reading("bincount")
    x = input.array
    if x.ndim != 1 or x.dtype.kind not in "iu" or (x < 0).any():
        raise RuntimeError("bincount: expected a 1-D tensor of integers, none of them negative")
    factors = None if weights is None else weights.array
    counts = np.bincount(x, factors, minlength)
    return engine.wrap(counts.astype(np.float32) if factors is not None and factors.dtype == np.float32 else counts)


@function
def isin(elements: Operand, test_elements: Operand, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Return elementwise whether an element is among `test_elements`."""
    found = recording.produced(
        lambda a, b: np.asarray(np.isin(a, b, invert=invert)), _plain(elements), _plain(test_elements)
    )
    return engine.wrap(found)


@function
def searchsorted(
    sorted_sequence: Tensor,
    input: Operand,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Return where to insert values into ascending sequences, along the last dimension.

    Args:
        sorted_sequence: ascending sequences, in the last dimension.
        input: the values; the other dimensions are those of the sequences, unless there is one sequence.
        out_int32: whether the result is int32, not int64.
        right: whether to insert behind equal elements, not in front of them.
        side: "left" or "right", another way to say it.
        sorter: indices that sort the sequences, where they are not sorted.
    """
    edges, x = sorted_sequence.array, np.asarray(_plain(input))
    if side not in (None, "left", "right") or (side == "left" and right):
        raise RuntimeError(f"searchsorted: side must be left or right, and agree with right, got {side!r} and {right}")
    if not edges.ndim:
        raise RuntimeError("searchsorted: sorted_sequence must have at least one dimension")
    if edges.ndim > 1 and edges.shape[:-1] != x.shape[:-1]:
        raise RuntimeError(f"searchsorted: the first dimensions must be equal, got shapes {edges.shape} and {x.shape}")
    if sorter is not None:
        if sorter.shape != sorted_sequence.shape:
            raise RuntimeError(f"searchsorted: sorter must have shape {edges.shape}, got {sorter.shape}")
        if sorter.numel() and not 0 <= sorter.array.min() <= sorter.array.max() < edges.shape[-1]:
            raise RuntimeError(f"searchsorted: sorter must hold indices below {edges.shape[-1]}")
        edges = np.take_along_axis(edges, sorter.array, -1)
    where: Any = "right" if right or side == "right" else "left"

    def search(edges: Array, x: Array) -> Array:
        found: Array
        if not edges.size:
            found = np.zeros(x.shape)
        elif edges.ndim == 1:
            found = np.searchsorted(edges, x, where)
        else:
            lines = [
                np.searchsorted(e, v, where)
                for e, v in zip(edges.reshape(-1, edges.shape[-1]), x.reshape(-1, x.shape[-1]))
            ]
            found = np.stack(lines).reshape(x.shape) if lines else np.zeros(x.shape)
        return np.asarray(found, np.int32 if out_int32 else np.int64)

    return engine.wrap(recording.produced(search, edges, x))


@function
def bucketize(input: Operand, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """Return the index of the bucket that each value falls into: between which ascending `boundaries` it lies."""
    if boundaries.ndim != 1:
        raise RuntimeError(f"bucketize: boundaries must be a vector, got shape {boundaries.shape}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@requires_tensor
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Count elements in bins of equal width between min and max, by default those of the input."""
    recording.reading("histc")
    x = input.array.reshape(-1)
    if bins < 1:
        raise RuntimeError(f"histc: bins must be positive, got {bins}")
    low, high = (float(min), float(max)) if min != max or not x.size else (float(x.min()), float(x.max()))
    if not (np.isfinite([low, high]).all() and low <= high):
        raise RuntimeError(f"histc: the range from {low} to {high} must be finite and ascending")
    if low == high:
        low, high = low - 1, high + 1
    return engine.wrap(np.histogram(x, bins, (low, high))[0].astype(input.dtype))


@requires_tensor
def histogram(
    input: Tensor,
    bins: Any,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return (counts, edges) of a histogram; see :func:`numpy.histogram`."""
    recording.reading("histogram")
    limits: Any = None if range is None else builtins.tuple(range)
    weights: Any = None if weight is None else weight.array.reshape(-1)
    counts, edges = np.histogram(input.array.reshape(-1), _plain(bins), limits, density, weights)
    return engine.wrap(counts.astype(input.dtype)), engine.wrap(edges.astype(input.dtype))


@requires_tensor
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Return the coordinates, in a tensor of `shape`, of flat indices."""
    size = (shape,) if isinstance(shape, int) else builtins.tuple(shape)
    if indices.dtype.kind not in "iu":
        raise ValueError(f"unravel_index: indices must be integers, got {indices.dtype}")
    return builtins.tuple([engine.wrap(np.asarray(i)) for i in np.unravel_index(indices.array, size)])
