"""Copies of tensors with elements written, added or combined at indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._arguments import other_than_tensors
from cygrad._typing import Tensor
from cygrad.autograd import engine
from cygrad.autograd.calls import requires_tensor
from cygrad.ops import arithmetic, reduce, shape
from cygrad.ops import index as index_ops
from cygrad.ops.axes import axis_and_size, checked_axis
from cygrad.ops.definition import constant

__all__ = [
    "diagonal_scatter", "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "masked_scatter", "put",
    "scatter_reduce", "select_scatter", "slice_scatter", "take",
]  # fmt: skip


def _key(name: str, input: Tensor, dim: int, index: Tensor) -> tuple[tuple[Any, ...], int]:
    """The key of slices of a dimension, and the dimension."""
    axis = checked_axis(name, dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(f"{name}: index must be a vector, got shape {index.shape}")
    x = input.array if input.ndim else input.array.reshape(1)
    return (*(slice(None),) * axis, index_ops.check_index(name, index.array.reshape(-1), x, axis, False)), axis


def _lines(input: Tensor, *others: Any) -> list[Any]:
    """Tensors without dimensions as tensors of one, where input has none."""
    if input.ndim:
        return [input, *others]
    return [x if x.ndim else x.reshape(1) for x in (input, *others)]


def _check_source(name: str, input: Tensor, axis: int, index: Tensor, source: Tensor) -> None:
    expected = tuple([index.numel() if i == axis else n for i, n in enumerate(input.shape)])
    if input.ndim and not source.ndim and index.numel() != 1:
        raise IndexError(f"{name}: source has no dimensions, so index must have one element, got {index.numel()}")
    if source.dtype != input.dtype:
        raise RuntimeError(f"{name}: source must be {input.dtype}, as input is, got {source.dtype}")
    if input.ndim and source.ndim and source.shape != expected:
        raise RuntimeError(f"{name}: source must have shape {expected}, got {source.shape}")


@requires_tensor
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """Return a copy of input with alpha·source added to slices of a dimension: y[index[i], j] += alpha·source[i, j]."""
    key, axis = _key("index_add", input, dim, index)
    _check_source("index_add", input, axis, index, source)
    line, values = _lines(input, source)
    if values.ndim < line.ndim:
        values = values.reshape(index.numel())
    added = index_ops.placed(values if alpha == 1 else values * alpha, key=key, shape=line.shape)
    return (line + added).reshape(input.shape)


@requires_tensor
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Return a copy of input with slices of a dimension replaced: y[index[i], j] = source[i, j]."""
    key, axis = _key("index_copy", input, dim, index)
    _check_source("index_copy", input, axis, index, source)
    line, values = _lines(input, source)
    return index_ops.index_put(line, values, key=key).reshape(input.shape)


@requires_tensor
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """Return a copy of input with slices of a dimension filled with one value."""
    key, _ = _key("index_fill", input, dim, index)
    if getattr(value, "ndim", False):
        raise RuntimeError("index_fill: value must be one number")
    key = (*key[:-1], np.unique(key[-1]))  # a value that is a tensor counts once for each slice
    return index_ops.index_put(_lines(input)[0], value, key=key).reshape(input.shape)


@requires_tensor
def index_put(input: Tensor, indices: Sequence[Any], values: Tensor, accumulate: bool = False) -> Tensor:
    """Return a copy of input with values written at indices, as ``y[indices] = values``, or added to it.

    Args:
        input: a tensor.
        indices: a tensor of integers or booleans for each of the first dimensions.
        values: the values, broadcast to the shape of the indexed part.
        accumulate: whether to add them, each one where an index repeats.
    """
    if input.dtype != values.dtype:
        raise RuntimeError(f"index_put: values must be {input.dtype}, as input is, got {values.dtype}")
    given = [i for i in indices if i is not None] if isinstance(indices, (tuple, list)) else [indices]
    if (other := other_than_tensors(given)) is not None or isinstance(indices, engine.Value):
        raise TypeError(f"index_put: indices must be a tuple of tensors, got {other or 'one tensor'}")
    key = tuple([slice(None) if i is None else i.array for i in indices])
    if not accumulate:
        return index_ops.index_put(input, values, key=key)
    size = index_ops.at(input.array, key).shape
    return input + index_ops.placed(shape.expand(values, size=size), key=key, shape=input.shape)


@requires_tensor
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Return a copy of input with the elements of source, in order, where mask is true."""
    if mask.dtype.kind != "b":
        raise RuntimeError(f"masked_scatter: mask must hold booleans, got {mask.dtype}")
    if source.dtype != input.dtype:
        raise RuntimeError(f"masked_scatter: source must be {input.dtype}, as input is, got {source.dtype}")
    size = np.broadcast_shapes(input.shape, mask.shape)
    chosen = np.broadcast_to(mask.array, size)
    count = int(chosen.sum())
    if source.numel() < count:
        raise RuntimeError(f"masked_scatter: source has {source.numel()} elements, and mask is true {count} times")
    return index_ops.index_put(shape.expand(input, size=size), source.reshape(-1)[:count], key=chosen)


@requires_tensor
def take(input: Tensor, index: Tensor) -> Tensor:
    """Return elements by their flat index."""
    if index.dtype != np.int64:
        raise RuntimeError(f"take: index must be int64, got {index.dtype}")
    flat = input.reshape(-1)
    return index_ops.gather(flat, _flat_index("take", flat, index).reshape(-1), dim=0).reshape(index.shape)


def _flat_index(name: str, flat: Tensor, index: Tensor) -> Tensor:
    n, i = flat.numel(), index.array
    if i.size and not ((-n <= i) & (i < n)).all():
        raise IndexError(f"{name}: index {i[(i < -n) | (i >= n)].flat[0]} is out of range for {n} elements")
    return constant(np.where(i < 0, i + n, i))


@requires_tensor
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Return a copy of input with elements at flat indices replaced, or added to."""
    if index.numel() != source.numel():
        raise RuntimeError(
            f"put: index and source must have as many elements, got {index.numel()} and {source.numel()}"
        )
    if source.dtype != input.dtype:
        raise RuntimeError(f"put: source must be {input.dtype}, as input is, got {source.dtype}")
    flat = input.reshape(-1)
    places = _flat_index("put", flat, index).reshape(-1)
    return index_put(flat, [places], source.reshape(-1), accumulate).reshape(input.shape)


REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


@requires_tensor
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Return a copy of input, combined with src at the positions of :func:`scatter`.

    Args:
        input: a tensor.
        dim: the dimension that `index` refers to.
        index: integers, with as many dimensions as input.
        src: the values, a tensor at least as large as index.
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether input's own elements take part where src is combined with them.
    """
    if reduce not in REDUCTIONS:
        raise RuntimeError(f"scatter_reduce: reduce must be one of {', '.join(REDUCTIONS)}, got {reduce!r}")
    if index.numel() and len({input.ndim or 1, index.ndim or 1, src.ndim or 1}) > 1:
        raise RuntimeError("scatter_reduce: input, index and src must have as many dimensions")
    if src.dtype != input.dtype:
        raise RuntimeError(f"scatter_reduce: src must be {input.dtype}, as input is, got {src.dtype}")
    if not index.numel():
        return shape.clone(input)
    line, values, places = _lines(input, src, index)
    axis = checked_axis("scatter_reduce", dim, line.ndim)
    i = index_ops.check_index("scatter_reduce", places.array, line.array, axis, True)
    part = values[tuple([slice(n) for n in i.shape])]
    grid = np.ogrid[tuple([slice(n) for n in i.shape])]
    key = tuple([i if d == axis else g for d, g in enumerate(grid)])
    hits = np.zeros(line.shape, np.int64)
    np.add.at(hits, key, 1)
    if input.dtype.kind == "b" and reduce in ("sum", "prod"):
        reduce = "amax" if reduce == "sum" else "amin"
    return _reduced(reduce, line, part, key, hits, include_self).reshape(input.shape)


def _reduced(kind: str, x: Tensor, values: Tensor, key: Any, hits: Any, include_self: bool) -> Tensor:
    """x combined with values at the key, which names each element `hits` times."""
    touched = constant(hits > 0)
    if kind in ("sum", "mean"):
        start = x if include_self else x.masked_fill(touched, 0)
        total = start + index_ops.placed(values, key=key, shape=x.shape)
        if kind == "sum":
            return total
        count = constant(np.maximum(hits + include_self, 1).astype(x.dtype))
        return arithmetic.div(total, count, rounding_mode=None if x.is_floating_point() else "floor")
    order = np.zeros(values.shape, np.int64)  # of each value among those of its element
    seen: dict[Any, int] = {}
    for position, place in enumerate(np.ravel_multi_index(np.broadcast_arrays(*key), x.shape).reshape(-1).tolist()):
        seen[place] = order.reshape(-1)[position] = seen.get(place, -1) + 1
    neutral = {"prod": 1, "amax": _least(x.dtype, -1), "amin": _least(x.dtype, 1)}[kind]
    size = (int(hits.max()) + 1, *x.shape)
    stack = constant(np.full(size, neutral, x.dtype))
    stack = index_ops.index_put(stack, x if include_self else x.masked_fill(touched, neutral), key=0)
    stack = index_ops.index_put(stack, values, key=(order + 1, *key))
    operation: Any = {"prod": reduce.prod, "amax": reduce.amax, "amin": reduce.amin}[kind]
    return operation(stack, dim=0)


def _least(dtype: Any, sign: int) -> Any:
    """The smallest number of a dtype, or the largest."""
    if dtype.kind == "f":
        return sign * math.inf
    if dtype.kind == "b":
        return sign > 0
    return np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min


@requires_tensor
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Return a copy of input with slices of a dimension combined with those of source, by "prod", "mean", "amax" or
    "amin"; see :func:`scatter_reduce`."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce: reduce must be prod, mean, amax or amin, got {reduce!r}")
    key, axis = _key("index_reduce", input, dim, index)
    _check_source("index_reduce", input, axis, index, source)
    line, values = _lines(input, source)
    places = np.broadcast_to(key[-1].reshape([-1 if i == axis else 1 for i in range(line.ndim)]), values.shape)
    y = scatter_reduce(line, axis, constant(places.copy()), values, reduce, include_self=include_self)
    return y.reshape(input.shape)


@requires_tensor
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Return a copy of input with one slice of a dimension replaced by src."""
    axis, size = axis_and_size("select_scatter", dim, input.shape)
    if not -size <= index < size:
        raise IndexError(f"select_scatter: index {index} is out of range for dim {dim} of size {size}")
    return _replaced("select_scatter", input, src, (*(slice(None),) * axis, index))


@requires_tensor
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """Return a copy of input with the slice start:end:step of a dimension replaced by src."""
    axis, _ = axis_and_size("slice_scatter", dim, input.shape)
    return _replaced("slice_scatter", input, src, (*(slice(None),) * axis, slice(start, end, step)))


@requires_tensor
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return a copy of input with a diagonal replaced by src."""
    flat = np.arange(input.numel()).reshape(input.shape)
    places = np.diagonal(flat, offset, dim1, dim2)
    _check_shape("diagonal_scatter", places.shape, src)
    key = (places.reshape(-1),)
    return index_ops.index_put(input.reshape(-1), src.reshape(-1), key=key).reshape(input.shape)


def _replaced(name: str, input: Tensor, src: Tensor, key: Any) -> Tensor:
    _check_shape(name, index_ops.at(input.array, key).shape, src)
    return index_ops.index_put(input, src, key=key)


def _check_shape(name: str, expected: tuple[int, ...], src: Tensor) -> None:
    if tuple(src.shape) != expected:
        raise RuntimeError(f"{name}: src must have shape {expected}, got {tuple(src.shape)}")
