"""Reading and writing at places, sorting, and choosing."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op
from cygrad.ops.axes import checked_axis
from cygrad.ops.broadcast import as_array, promoted, spec, unbroadcast

BASIC = (int, np.integer, slice)


def is_basic(key: Any) -> bool:
    """Whether an index gives a view: integers, slices, None and … alone."""
    parts = key if isinstance(key, tuple) else (key,)
    return all([p is None or p is Ellipsis or (isinstance(p, BASIC) and not isinstance(p, bool)) for p in parts])


def at(x: Array, key: Any) -> Array:
    """x[key]; NumPy copies the one element of a full index, but with an ellipsis it gives a view."""
    result = x[key]
    if isinstance(result, np.ndarray):
        return result
    return x[(*key, ...) if isinstance(key, tuple) else (key, ...)]


@op
def getitem(ctx: Node, input: Array, *, key: Any) -> Array:
    """input[key], as in NumPy: a view for integers and slices, a copy for arrays and masks."""
    ctx.save(input.shape, key)
    return at(input, key)


@getitem.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy at the places, added up where one appears more than once; zeros elsewhere"""
    shape, key = ctx.saved
    dx = np.zeros(shape, dy.dtype)
    if is_basic(key):
        dx[key] = dy
    else:
        np.add.at(dx, key, dy)
    return dx


@op
def index_put(ctx: Node, input: Array, value: Any, *, key: Any) -> Array:
    """A copy of input with value, broadcast, at [key]."""
    y = input.copy()
    y[key] = value
    ctx.save(key, spec(value))
    return y


@index_put.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dx = dy with zeros at the places, d value = dy at the places"""
    key, value = ctx.saved
    dx = None
    if ctx.needs[0]:
        dx = dy.copy()
        dx[key] = 0
    return dx, unbroadcast(np.asarray(dy[key]), value) if ctx.needs[1] else None


def check_index(name: str, index: Any, input: Array, axis: int, exact: bool) -> Array:
    """index as int64 for take_along_axis and its kin: every number in 0..size − 1."""
    if not isinstance(index, np.ndarray) or index.dtype.kind not in "iu":
        got = getattr(index, "dtype", type(index).__name__)
        raise TypeError(f"{name}: index must be a tensor of integers, got {got}")
    if exact and (
        index.ndim != input.ndim or any([i != axis and m > n for i, (m, n) in enumerate(zip(index.shape, input.shape))])
    ):
        raise RuntimeError(f"{name}: index of shape {index.shape} does not fit input of shape {input.shape}")
    size = input.shape[axis] if input.ndim else 1
    if index.size and (index.min() < 0 or index.max() >= size):
        bad = index[(index < 0) | (index >= size)].flat[0]
        raise IndexError(f"{name}: index {bad} is out of range for dim {axis} of size {size}")
    return index.astype(np.int64)


def corner(x: Array, index: Array, axis: int) -> Array:
    """The part of x that an index, which may be smaller beside its axis, speaks of: a view."""
    return x[tuple([slice(None) if i == axis else slice(n) for i, n in enumerate(index.shape)])]


@op
def gather(ctx: Node, input: Array, index: Array, *, dim: int) -> Array:
    """y[i, j] = input[index[i, j], j] for dim 0, and likewise for others."""
    axis = checked_axis("gather", dim, input.ndim)
    places = check_index("gather", index, input, axis, True)
    ctx.save(input.shape, places, axis)
    return np.take_along_axis(corner(input, places, axis), places, axis) if input.ndim else input[places]


@gather.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None]:
    """dx[index[i, j], j] += dy[i, j]"""
    shape, places, axis = ctx.saved
    dx = np.zeros(shape, dy.dtype)
    add_along(dx, places, dy, axis)
    return dx, None


def add_along(x: Array, index: Array, values: Array, axis: int) -> None:
    """x[index[i, j], j] += values[i, j], in place."""
    if x.ndim == 0:
        x += np.sum(values)
        return
    grid = np.ogrid[tuple([slice(n) for n in index.shape])]
    np.add.at(x, tuple([index if i == axis else g for i, g in enumerate(grid)]), values)


@op
def scatter_add(ctx: Node, input: Array, index: Array, src: Array, *, dim: int) -> Array:
    """A copy of input with src added: y[index[i, j], j] += src[i, j] for dim 0, and likewise for others."""
    axis = checked_axis("scatter_add", dim, input.ndim)
    places = check_index("scatter_add", index, input, axis, True)
    part = source_part("scatter_add", src, places)
    y = input.copy()
    add_along(y, places, part.astype(y.dtype, copy=False), axis)
    ctx.save(places, axis, src.shape)
    return y


def source_part(name: str, src: Array, index: Array) -> Array:
    """The part of src that the index speaks of."""
    if src.ndim != index.ndim or any([m > n for m, n in zip(index.shape, src.shape)]):
        raise RuntimeError(f"{name}: index of shape {index.shape} does not fit src of shape {src.shape}")
    return src[tuple([slice(n) for n in index.shape])]


@scatter_add.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None, Array | None]:
    """dx = dy, d src[i, j] = dy[index[i, j], j]"""
    places, axis, shape = ctx.saved
    d_src = None
    if ctx.needs[2]:
        d_src = np.zeros(shape, dy.dtype)
        d_src[tuple([slice(n) for n in places.shape])] = np.take_along_axis(corner(dy, places, axis), places, axis)
    return dy, None, d_src


@op
def scatter(ctx: Node, input: Array, index: Array, src: Any, *, dim: int) -> Array:
    """A copy of input with src, a tensor or a number, written: y[index[i, j], j] = src[i, j] for dim 0, and likewise
    for others. Where a place is named twice, one of the values stands there."""
    axis = checked_axis("scatter", dim, input.ndim)
    places = check_index("scatter", index, input, axis, True)
    y = input.copy()
    values = source_part("scatter", src, places) if isinstance(src, np.ndarray) else as_array(src, y.dtype)
    np.put_along_axis(corner(y, places, axis), places, values, axis)
    ctx.save(places, axis, getattr(src, "shape", ()))
    return y


@scatter.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, None, Array | None]:
    """dx = dy with zeros at the places, d src[i, j] = dy[index[i, j], j]"""
    places, axis, shape = ctx.saved
    dx = d_src = None
    if ctx.needs[0]:
        dx = dy.copy()
        np.put_along_axis(corner(dx, places, axis), places, 0, axis)
    if ctx.needs[2]:
        d_src = np.zeros(shape, dy.dtype)
        d_src[tuple([slice(n) for n in places.shape])] = np.take_along_axis(corner(dy, places, axis), places, axis)
    return dx, None, d_src


@op
def index_select(ctx: Node, input: Array, index: Array, *, dim: int) -> Array:
    """The slices of dim whose numbers stand in the 1-D index."""
    axis = checked_axis("index_select", dim, input.ndim)
    if not isinstance(index, np.ndarray) or index.ndim > 1:
        raise IndexError(f"index_select: index must be a 1-D tensor, got {getattr(index, 'shape', index)}")
    places = check_index("index_select", index, input, axis, False).reshape(-1)
    ctx.save(input.shape, places, axis)
    return np.take(input, places, axis)


@index_select.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None]:
    """dx[…, index[i], …] += dy[…, i, …]"""
    shape, places, axis = ctx.saved
    dx = np.zeros(shape, dy.dtype)
    np.add.at(np.moveaxis(dx, axis, 0), places, np.moveaxis(dy, axis, 0))
    return dx, None


@op
def masked_fill(ctx: Node, input: Array, mask: Array, value: Any) -> Array:
    """input, but value where mask (broadcast) is true."""
    if not isinstance(mask, np.ndarray) or mask.dtype.kind != "b":
        raise TypeError(f"masked_fill: mask must be a tensor of booleans, got {getattr(mask, 'dtype', mask)}")
    if getattr(value, "ndim", 0):
        raise RuntimeError(f"masked_fill: value must be one number, got shape {value.shape}")
    x, number = promoted(input, value)
    ctx.save(np.array(mask), spec(input), spec(value))
    return np.where(mask, number.astype(input.dtype), x.astype(input.dtype, copy=False))


@masked_fill.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, None, Array | None]:
    """dx = dy where the mask is false, d value = Σ dy where it is true"""
    mask, x, value = ctx.saved
    zero = dy.dtype.type(0)
    return (
        unbroadcast(np.where(mask, zero, dy), x) if ctx.needs[0] else None,
        None,
        unbroadcast(np.where(mask, dy, zero), value) if ctx.needs[2] else None,
    )


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where mask is true, as a 1-D tensor."""
    shape = np.broadcast_shapes(input.shape, mask.shape)
    from cygrad.ops.shape import expand

    return getitem(expand(input, size=shape), key=np.broadcast_to(mask.array, shape))


def ordered(ctx: Node, x: Array, indices: Array, axis: int) -> tuple[Array, Array]:
    ctx.save(x.shape, indices, axis)
    return np.take_along_axis(x, indices, axis), indices


def ordered_gradient(ctx: Node, dy: Array, _indices: Array) -> Array:
    """dx = dy, each element back at its place"""
    shape, indices, axis = ctx.saved
    dx = np.zeros(shape, dy.dtype)
    np.put_along_axis(dx, indices, dy, axis)
    return dx


@op
def sort(
    ctx: Node, input: Array, *, dim: int = -1, descending: bool = False, stable: bool = True
) -> tuple[Array, Array]:
    """(the elements in order along dim, their places). Equal ones keep their order; NaN counts as largest."""
    axis = checked_axis("sort", dim, input.ndim)
    if input.ndim == 0:
        ctx.save((), np.zeros((), np.int64), 0)
        return input.copy(), np.zeros((), np.int64)
    return ordered(ctx, input, sorted_places(input, axis, descending), axis)


def sorted_places(x: Array, axis: int, descending: bool) -> Array:
    """The stable order of x along an axis."""
    if not descending:
        return np.argsort(x, axis, kind="stable")
    # Reversed, sorted, reversed back: equal elements keep their order.
    last = x.shape[axis] - 1
    return np.flip(last - np.argsort(np.flip(x, axis), axis, kind="stable"), axis)


@sort.gradient
def _(ctx: Node, dy: Array, indices: Array) -> Array:
    """dx = dy, each element back at its place"""
    return ordered_gradient(ctx, dy, indices) if dy.ndim else dy


@op
def argsort(ctx: Node, input: Array, *, dim: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The places that the elements in order along dim come from."""
    axis = checked_axis("argsort", dim, input.ndim)
    return sorted_places(input, axis, descending) if input.ndim else np.zeros((), np.int64)


@op
def topk(
    ctx: Node, input: Array, *, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Array, Array]:
    """(the k largest, or smallest, along dim, in order; their places)."""
    axis = checked_axis("topk", dim, input.ndim)
    x = np.atleast_1d(input)
    if not 0 <= k <= x.shape[axis]:
        raise RuntimeError(f"topk: k must lie in 0 to {x.shape[axis]}, the size of dim {dim}, got {k}")
    places = np.take(sorted_places(x, axis, largest), range(k), axis)
    return ordered(ctx, x, places, axis)


@topk.gradient
def _(ctx: Node, dy: Array, indices: Array) -> Array:
    """dx = dy at the places, zeros elsewhere"""
    return ordered_gradient(ctx, dy, indices)
