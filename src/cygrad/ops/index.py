"""Indexing, gathering, scattering, sorting."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

from cygrad import _kernels as kernels
from cygrad._attributes import RangeError
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, engine, op, recording
from cygrad.autograd.arrays import add_at
from cygrad.autograd.calls import function
from cygrad.ops.axes import checked_axis
from cygrad.ops.broadcast import as_array, is_real, promoted, spec, unbroadcast
from cygrad.ops.definition import constant, fitted

__all__ = ["argsort", "masked_fill", "masked_select"]

T = TypeVar("T", bound="Tensor")
BASIC = (int, np.integer, slice)


def is_basic(key: Any) -> bool:
    """Whether an index gives a view: it consists of integers, slices, None and an ellipsis."""
    parts = key if isinstance(key, tuple) else (key,)
    return all([p is None or p is Ellipsis or (isinstance(p, BASIC) and not isinstance(p, bool)) for p in parts])


def at(x: Array, key: Any) -> Array:
    """x[key], in order where it is a copy, as in PyTorch. NumPy orders copies otherwise, and copies the one element of
    a full index, but with an ellipsis it gives a view."""
    try:
        result = x[key]
    except IndexError as error:
        raise IndexError(f"index: {error}; the tensor has shape {x.shape}") from None
    if isinstance(result, np.ndarray):
        return result if result.flags.c_contiguous or is_basic(key) else np.array(result, order="C")
    return x[(*key, ...) if isinstance(key, tuple) else (key, ...)]


@op
def getitem(ctx: Node, input: Array, *, key: Any) -> Array:
    """Index a tensor as in NumPy: integers, slices, None and an ellipsis give a view, arrays and masks a copy.

    Args:
        input: a tensor.
        key: the index; the step of a slice must be positive.

    Raises:
        IndexError: if the index does not fit the shape.
    """
    ctx.save(input.shape, key, memory_order(input) if ctx.needs[0] else None)
    return at(input, key)


@getitem.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy at the places, added up where one appears more than once; zeros elsewhere"""
    shape, key, order = ctx.saved
    return placed_at(dy, key, shape, order)


@getitem.window
def _(ctx: Node, dx: Array) -> Array | None:
    """dx[key], where the index gives a view"""
    key = ctx.saved[1]
    return at(dx, key) if is_basic(key) else None


@getitem.frame
def _(ctx: Node, dy: Array) -> Array | None:
    """dx, if dy is dx[key]"""
    shape, key, order = ctx.saved
    root = dy.base
    if not isinstance(root, np.ndarray) or root.size != math.prod(shape) or not is_basic(key):
        return None
    inner = memory_order(root)
    line = root if inner is None else root.transpose(inner)
    if not line.flags.c_contiguous:
        return None
    axes = range(len(shape)) if order is None else order
    dx = line.reshape([shape[axis] for axis in axes]).transpose(np.argsort(axes))
    part = at(dx, key)
    same = part.shape == dy.shape and part.strides == dy.strides and kernels.address(part) == kernels.address(dy)
    return dx if same else None


@getitem.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy at the places, added up where one appears more than once; zeros elsewhere"""
    shape, key, _ = ctx.saved
    return placed(dy, key=key, shape=shape)


@op
def placed(ctx: Node, input: Array, *, key: Any, shape: tuple[int, ...]) -> Array:
    """y[key] += x, starting from zeros of a shape: the transpose of indexing."""
    ctx.save(shape, key)
    return placed_at(input, key, shape)


@placed.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy[key]"""
    key = ctx.saved[1]
    return kernels.copied(at(dy, key)) if is_basic(key) else np.array(at(dy, key))


@placed.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy[key]"""
    return getitem(dy, key=ctx.saved[1])


def memory_order(x: Array) -> list[int] | None:
    """The axes of x in the order of its memory, if that is not C order and has no gaps."""
    if x.flags.c_contiguous:
        return None
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    return order if x.transpose(order).flags.c_contiguous else None


REALS = (np.dtype(np.float32), np.dtype(np.float64))
FRAMED = 1 << 14  # elements from which writing zeros twice, or by one thread, costs more than a launch


def placed_at(x: Array, key: Any, shape: tuple[int, ...], order: list[int] | None = None) -> Array:
    """y[key] += x, starting from zeros. The memory of y may have its axes in another ``order``: the gradient of a
    transposed tensor then needs no copy where its axes are put back."""
    if not is_basic(key):
        y = np.zeros(shape, x.dtype)
        add_at(y, key, x)
        return y
    large = math.prod(shape) >= FRAMED and x.dtype in REALS
    whole = framed(x, key, shape, order) if large else None
    if whole is not None:
        return whole
    y = kernels.zeros(shape, x.dtype, order)
    if not kernels.move(at(y, key), x):
        y = np.zeros(shape, x.dtype)
        y[key] = x
    return y


def framed(x: Array, key: Any, shape: tuple[int, ...], order: list[int] | None) -> Array | None:
    """An array with y[key] = x and zeros around it, each element written once, by the thread that the next launch gives
    it to; None where the index skips elements, or no launch fits."""
    y, zero = kernels.unset(shape, x.dtype, order), kernels.number(0, x.dtype)
    around = surroundings(y, key)
    if around is None or not kernels.move(at(y, key), x):
        return None
    return y if all([kernels.move(part, zero) for part in around]) else None


def surroundings(y: Array, key: Any) -> list[Array] | None:
    """The parts of y that y[key], for a basic index, leaves out; None if a slice skips elements."""
    parts = [part for part in (key if isinstance(key, tuple) else (key,)) if part is not None]
    if Ellipsis in parts:
        where = parts.index(Ellipsis)
        parts[where : where + 1] = [slice(None)] * (y.ndim + 1 - len(parts))
    around: list[Array] = []
    window: list[slice] = []
    for part, size in zip(parts, y.shape):
        begin, end, step = part.indices(size) if isinstance(part, slice) else (part % size, part % size + 1, 1)
        if step != 1:
            return None
        around += [y[(*window, side)] for side in (slice(0, begin), slice(max(begin, end), size))]
        window.append(slice(begin, end))
    return [part for part in around if part.size]


def put(x: Array, key: Any, value: Any) -> None:
    """x[key] = value, in place."""
    try:
        if is_basic(key):
            at(x, key)[...] = value  # also of one element, from a tensor of several dimensions
        else:
            x[key] = value
    except IndexError as error:
        raise IndexError(f"index: {error}; the tensor has shape {x.shape}") from None
    except ValueError as error:
        raise RuntimeError(f"index: {error}") from None


@op
def index_put(ctx: Node, input: Array, value: Any, *, key: Any) -> Array:
    """A copy of input with value, broadcast, at [key]."""
    y = input.copy()
    put(y, key, value)
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


@index_put.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """dx = dy with zeros at the places, d value = dy at the places"""
    key, value = ctx.saved
    dx = index_put(dy, 0, key=key) if ctx.needs[0] else None
    return dx, fitted(getitem(dy, key=key), value) if ctx.needs[1] else None


def set_values(name: str, tensor: T, values: Array) -> T:
    """Write `values` into the tensor, outside the graph, and return the tensor."""
    if not tensor.array.flags.writeable:
        raise ValueError(f"{name}: the tensor's memory is read-only")
    recording.reading(name)
    np.copyto(tensor.array, values, casting="same_kind")
    tensor.version.value += 1
    return tensor


def overwrite(name: str, tensor: T, values: Array) -> T:
    """Write `values` into the tensor, and return it. What it was before receives a gradient of 0."""
    engine.check_writable(tensor)
    if not (tensor.requires_grad and engine.grad_enabled()):
        return set_values(name, tensor, values)
    recording.reading(name)
    engine.rewrite(tensor, index_put(tensor, np.asarray(values, tensor.array.dtype), key=Ellipsis))
    return tensor


def check_index(name: str, index: Any, input: Array, axis: int, exact: bool) -> Array:
    """index as int64 with at least one axis, every element in 0..size − 1; input has at least one axis too."""
    if not isinstance(index, np.ndarray) or index.dtype.kind not in "iu":
        got = getattr(index, "dtype", type(index).__name__)
        raise TypeError(f"{name}: index must be a tensor of integers, got {got}")
    shape, index = index.shape, np.atleast_1d(index)
    if exact and not index.size:
        return index.reshape(index.shape if index.ndim == input.ndim else (0,) * input.ndim).astype(np.int64)
    if exact and (
        index.ndim != input.ndim or any([i != axis and m > n for i, (m, n) in enumerate(zip(index.shape, input.shape))])
    ):
        raise RuntimeError(f"{name}: index of shape {shape} does not fit input of shape {input.shape}")
    size = input.shape[axis]
    if index.size and (index.min() < 0 or index.max() >= size):
        bad = index[(index < 0) | (index >= size)].flat[0]
        error = RangeError if exact else IndexError
        raise error(f"{name}: index {bad} is out of range for dim {axis} of size {size}")
    return index.astype(np.int64)


def corner(x: Array, index: Array, axis: int) -> Array:
    """The part of x that an index, which may be smaller on the other axes, refers to: a view."""
    return x[tuple([slice(None) if i == axis else slice(n) for i, n in enumerate(index.shape)])]


@op
def gather(ctx: Node, input: Array, index: Array, *, dim: int) -> Array:
    """Gather elements along a dimension: y[i, j] = input[index[i, j], j] for dim 0, and likewise for others.

    Args:
        input: a tensor.
        index: a tensor of integers with as many dimensions; except along dim, it is no larger than input.
        dim: the dimension.

    Raises:
        IndexError: if an index is out of range.
    """
    axis, x = checked_axis("gather", dim, input.ndim), np.atleast_1d(input)
    positions = check_index("gather", index, x, axis, True)
    ctx.save(input.shape, positions, axis)
    y = np.take_along_axis(corner(x, positions, axis), positions, axis)
    return np.asarray(y, order="C").reshape(index.shape)


@gather.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None]:
    """dx[index[i, j], j] += dy[i, j]"""
    shape, positions, axis = ctx.saved
    dx = np.zeros(shape or (1,), dy.dtype)
    add_along(dx, positions, dy.reshape(positions.shape), axis)
    return dx.reshape(shape), None


@gather.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor, None]:
    """dx[index[i, j], j] += dy[i, j]"""
    shape, positions, axis = ctx.saved
    zeros = constant(np.zeros(shape or (1,), dy.dtype))
    return scatter_add(zeros, constant(positions), dy.reshape(positions.shape), dim=axis).reshape(shape), None


def add_along(x: Array, index: Array, values: Array, axis: int) -> None:
    """x[index[i, j], j] += values[i, j], in place."""
    grid = np.ogrid[tuple([slice(n) for n in index.shape])]
    add_at(x, tuple([index if i == axis else g for i, g in enumerate(grid)]), values)


@op
def scatter_add(ctx: Node, input: Array, index: Array, src: Array, *, dim: int) -> Array:
    """Return a copy of input with src added: y[index[i, j], j] += src[i, j] for dim 0, and likewise for others.

    Args:
        input: a tensor.
        index: a tensor of integers with as many dimensions.
        src: a tensor that is at least as large as index in every dimension.
        dim: the dimension.

    Raises:
        IndexError: if an index is out of range.
    """
    axis, y = checked_axis("scatter_add", dim, input.ndim), np.atleast_1d(input.copy())
    positions = check_index("scatter_add", index, y, axis, True)
    part = source_part("scatter_add", src, positions, input)
    add_along(y, positions, part.astype(y.dtype, copy=False), axis)
    ctx.save(positions, axis, src.shape)
    return y.reshape(input.shape)


def source_part(name: str, src: Array, index: Array, input: Array) -> Array:
    """The part of src that the index refers to."""
    values = np.atleast_1d(src)
    if not index.size:
        return np.zeros(index.shape, input.dtype)
    if values.ndim != index.ndim or any([m > n for m, n in zip(index.shape, values.shape)]):
        raise RuntimeError(f"{name}: index of shape {index.shape} does not fit src of shape {src.shape}")
    if src.dtype != input.dtype:
        raise RuntimeError(f"{name}: src is {src.dtype}, but input is {input.dtype}")
    return values[tuple([slice(n) for n in index.shape])]


def source_gradient(dy: Array, positions: Array, axis: int, shape: tuple[int, ...]) -> Array:
    """d src[i, j] = dy[index[i, j], j], zeros where the index is smaller than src"""
    d_src = np.zeros(shape or (1,), dy.dtype)
    if not positions.size:  # nothing is written then, whatever the shapes
        return d_src.reshape(shape)
    part = np.take_along_axis(corner(np.atleast_1d(dy), positions, axis), positions, axis)
    d_src[tuple([slice(n) for n in positions.shape])] = part
    return d_src.reshape(shape)


@scatter_add.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None, Array | None]:
    """dx = dy, d src[i, j] = dy[index[i, j], j]"""
    positions, axis, shape = ctx.saved
    return dy, None, source_gradient(dy, positions, axis, shape) if ctx.needs[2] else None


@scatter_add.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor, None, Tensor | None]:
    """dx = dy, d src[i, j] = dy[index[i, j], j]"""
    positions, axis, shape = ctx.saved
    return dy, None, source_part_gradient(dy, positions, axis, shape) if ctx.needs[2] else None


def source_part_gradient(dy: Tensor, positions: Array, axis: int, shape: tuple[int, ...]) -> Tensor:
    """As ``source_gradient``, on tensors."""
    if not positions.size:
        return constant(np.zeros(shape, dy.dtype))
    line = dy.reshape(-1) if not dy.ndim else dy
    part = gather(line, constant(positions), dim=axis)
    if part.shape == (shape or (1,)):
        return part.reshape(shape)
    return placed(part, key=tuple([slice(n) for n in positions.shape]), shape=shape or (1,)).reshape(shape)


@op
def scatter(ctx: Node, input: Array, index: Array, src: Any, *, dim: int) -> Array:
    """Return a copy of input with src written: y[index[i, j], j] = src[i, j] for dim 0, and likewise for others.

    Args:
        input: a tensor.
        index: a tensor of integers with as many dimensions. Where it repeats a position, one of the values is written.
        src: a number, or a tensor that is at least as large as index in every dimension.
        dim: the dimension.

    Raises:
        IndexError: if an index is out of range.
    """
    axis, y = checked_axis("scatter", dim, input.ndim), np.atleast_1d(input.copy())
    positions = check_index("scatter", index, y, axis, True)
    values = source_part("scatter", src, positions, input) if isinstance(src, np.ndarray) else as_array(src, y.dtype)
    np.put_along_axis(corner(y, positions, axis), positions, values, axis)
    ctx.save(positions, axis, getattr(src, "shape", ()))
    return y.reshape(input.shape)


@scatter.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, None, Array | None]:
    """dx = dy with zeros at the positions, d src[i, j] = dy[index[i, j], j]"""
    positions, axis, shape = ctx.saved
    dx = None
    if ctx.needs[0]:
        dx = np.atleast_1d(dy.copy())
        np.put_along_axis(corner(dx, positions, axis), positions, 0, axis)
        dx = dx.reshape(dy.shape)
    return dx, None, source_gradient(dy, positions, axis, shape) if ctx.needs[2] else None


@scatter.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
    """dx = dy with zeros at the positions, d src[i, j] = dy[index[i, j], j]"""
    positions, axis, shape = ctx.saved
    line = dy.reshape(-1) if not dy.ndim else dy
    dx = scatter(line, constant(positions), 0, dim=axis).reshape(dy.shape) if ctx.needs[0] else None
    return dx, None, source_part_gradient(dy, positions, axis, shape) if ctx.needs[2] else None


@op
def index_select(ctx: Node, input: Array, index: Array, *, dim: int) -> Array:
    """Select slices of a dimension.

    Args:
        input: a tensor.
        index: a 1-D tensor of integers, the positions of the slices.
        dim: the dimension.

    Raises:
        IndexError: if an index is out of range.
    """
    axis, x = checked_axis("index_select", dim, input.ndim), np.atleast_1d(input)
    if not isinstance(index, np.ndarray) or index.ndim > 1:
        raise IndexError(f"index_select: index must be a 1-D tensor, got {getattr(index, 'shape', index)}")
    positions = check_index("index_select", index, x, axis, False)
    if not input.ndim and positions.size != 1:
        raise IndexError(f"index_select: a tensor without dimensions takes one index, got {positions.size}")
    ctx.save(input.shape, positions, axis)
    y = np.take(x, positions, axis)
    return y if input.ndim else y.reshape(())


@index_select.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None]:
    """dx[…, index[i], …] += dy[…, i, …]"""
    shape, positions, axis = ctx.saved
    if is_real(dy) and positions.ndim == 1 and dy.ndim and dy.shape[axis] == len(positions):
        rows = kernels.scatter_rows(np.moveaxis(dy, axis, 0), positions, shape[axis])
        return np.ascontiguousarray(np.moveaxis(rows, 0, axis)), None
    dx = np.zeros(shape or (1,), dy.dtype)
    add_at(dx, (slice(None),) * axis + (positions,), np.atleast_1d(dy))
    return dx.reshape(shape), None


@index_select.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor, None]:
    """dx[…, index[i], …] += dy[…, i, …]"""
    shape, positions, axis = ctx.saved
    key = (slice(None),) * axis + (positions,)
    line = dy if shape else dy.reshape(-1)
    return placed(line, key=key, shape=shape or (1,)).reshape(shape), None


@op
def masked_fill(ctx: Node, input: Array, mask: Array, value: Any) -> Array:
    """Return input with value where mask is true.

    Args:
        input: a tensor.
        mask: a tensor of booleans, broadcast with input.
        value: a number, or a tensor of one element without dimensions.

    Raises:
        TypeError: if mask is not a tensor of booleans.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype.kind != "b":
        raise TypeError(f"masked_fill: mask must be a tensor of booleans, got {getattr(mask, 'dtype', mask)}")
    if getattr(value, "ndim", 0):
        raise RuntimeError(f"masked_fill: value must be one number, got shape {value.shape}")
    x, number = promoted(input, value)
    ctx.save(np.array(mask), spec(input), spec(value))
    return np.asarray(np.where(mask, number.astype(input.dtype), x.astype(input.dtype, copy=False)), order="C")


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


@masked_fill.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
    """dx = dy where the mask is false, d value = Σ dy where it is true"""
    mask, x, value = ctx.saved
    return (
        fitted(masked_fill(dy, constant(mask), 0), x) if ctx.needs[0] else None,
        None,
        fitted(masked_fill(dy, constant(~mask), 0), value) if ctx.needs[2] else None,
    )


@function
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """Return the elements where mask is true, as a 1-D tensor.

    Args:
        input: a tensor.
        mask: a tensor of booleans, broadcast with input.
    """
    shape = np.broadcast_shapes(input.shape, mask.shape)
    from cygrad.ops.shape import expand

    return getitem(expand(input, size=shape), key=np.broadcast_to(mask.array, shape))


def ordered(ctx: Node, input: Array, indices: Array, axis: int) -> tuple[Array, Array]:
    """The elements of input at indices along an axis, and the indices."""
    ctx.save(input.shape, indices, axis)
    values = np.take_along_axis(np.atleast_1d(input), indices, axis)
    return (values, indices) if input.ndim else (values.reshape(indices.shape[1:]), indices.reshape(indices.shape[1:]))


def ordered_gradient(ctx: Node, dy: Array, _indices: Array) -> Array:
    """dx = dy, each element at its position in the input"""
    shape, indices, axis = ctx.saved
    dx = np.zeros(shape or (1,), dy.dtype)
    np.put_along_axis(dx, indices, dy.reshape(indices.shape), axis)
    return dx.reshape(shape)


def ordered_definition(ctx: Node, dy: Tensor, _indices: Tensor) -> Tensor:
    """As ``ordered_gradient``."""
    shape, indices, axis = ctx.saved
    zeros = constant(np.zeros(shape or (1,), dy.dtype))
    return scatter(zeros, constant(indices), dy.reshape(indices.shape), dim=axis).reshape(shape)


@op
def sort(
    ctx: Node, input: Array, *, dim: int = -1, descending: bool = False, stable: bool = True
) -> tuple[Array, Array]:
    """(values, indices) in order along dim. Equal elements keep their order; NaN counts as largest."""
    axis = checked_axis("sort", dim, input.ndim)
    return ordered(ctx, input, sorted_indices(np.atleast_1d(input), axis, descending), axis)


sort.gradient(ordered_gradient)
sort.definition(ordered_definition)


def sorted_indices(x: Array, axis: int, descending: bool) -> Array:
    """The stable order of x along an axis."""
    if not descending:
        return np.argsort(x, axis, kind="stable")
    # Reversed, sorted, reversed back: equal elements keep their order.
    last = x.shape[axis] - 1
    return np.array(np.flip(last - np.argsort(np.flip(x, axis), axis, kind="stable"), axis), order="C")


@op
def argsort(ctx: Node, input: Array, *, dim: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """Return the indices that would sort a tensor. Equal elements keep their order; NaN counts as largest.

    Args:
        input: a tensor.
        dim: the dimension to sort along.
        descending: whether the largest element comes first.
        stable: accepted as in PyTorch; the order is always stable.
    """
    axis = checked_axis("argsort", dim, input.ndim)
    return sorted_indices(np.atleast_1d(input), axis, descending).reshape(input.shape)


@op
def topk(
    ctx: Node, input: Array, *, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Array, Array]:
    """(values, indices) of the k largest, or smallest, elements along dim, in order."""
    axis, x = checked_axis("topk", dim, input.ndim), np.atleast_1d(input)
    if not 0 <= k <= x.shape[axis]:
        raise RuntimeError(f"topk: k must lie in 0 to {x.shape[axis]}, the size of dim {dim}, got {k}")
    indices = np.take(sorted_indices(x, axis, largest), range(k if input.ndim else 1), axis)
    return ordered(ctx, input, indices, axis)


topk.gradient(ordered_gradient)
topk.definition(ordered_definition)
