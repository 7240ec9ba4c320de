"""Shapes: views where NumPy can, copies where it must."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._arguments import checked_sizes
from cygrad._typing import Array, Dim, DType, Tensor
from cygrad.autograd import Node, Op, Value, op, recording
from cygrad.autograd.arrays import LARGE, add_at
from cygrad.autograd.calls import function
from cygrad.ops.axes import axis_and_size, checked_axis
from cygrad.ops.broadcast import result_type, summed_to
from cygrad.ops.definition import constant, fitted, self_adjoint

__all__ = [
    "cat",
    "clone",
    "concat",
    "concatenate",
    "diag",
    "diagonal",
    "expand",
    "flip",
    "permute",
    "repeat_interleave",
    "reshape",
    "roll",
    "squeeze",
    "stack",
    "tril",
    "triu",
    "unsqueeze",
]

COPIES_ONLY_IF_ASKED = np.lib.NumpyVersion(np.__version__) >= "2.1.0"  # whether reshape takes copy=False


@op
def reshape(ctx: Node, input: Array, *, shape: tuple[int, ...]) -> Array:
    """Change the shape; the result is a view where the memory layout allows it.

    Args:
        input: a tensor.
        shape: the new shape; one size may be −1, which is inferred.

    Raises:
        RuntimeError: if the number of elements differs.

    >>> cg.reshape(cg.arange(6), (2, -1)).shape
    (2, 3)
    """
    ctx.save(input.shape)
    whole = whole_shape(checked_sizes("reshape", shape), input.size)
    if whole is None:
        raise RuntimeError(
            f"reshape: shape {tuple(shape)} does not hold the {input.size} elements of shape {input.shape}"
        )
    return reshaped(input, whole)


def reshaped(x: Array, shape: tuple[int, ...]) -> Array:
    """x in another shape of as many elements: a view where the layout allows it, else a copy, which is a launch while a
    step is recorded, and where x is so large that NumPy's copy would take fresh pages."""
    if x.flags.c_contiguous:
        return x.reshape(shape)
    if x.size >= LARGE and COPIES_ONLY_IF_ASKED:
        try:
            return x.reshape(shape, copy=False)
        except ValueError:
            return kernels.copied(x).reshape(shape)
    y = x.reshape(shape)
    if y.base is x or y.base is x.base or recording.recorder() is None:
        return y
    return kernels.copied(x).reshape(shape)


def whole_shape(shape: Sequence[int], size: int) -> tuple[int, ...] | None:
    """`shape` with its −1 inferred, or None where it does not hold `size` elements."""
    known, unknown = 1, 0
    for n in shape:
        known, unknown = (known, unknown + 1) if n == -1 else (known * n, unknown)
    if unknown > 1 or any([n < -1 for n in shape]) or (unknown and (known == 0 or size % known)):
        return None
    if not unknown:
        return tuple(shape) if known == size else None
    return tuple([size // known if n == -1 else n for n in shape])


@reshape.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy in x's shape"""
    (shape,) = ctx.saved
    return dy.reshape(shape)


@reshape.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy in x's shape"""
    (shape,) = ctx.saved
    return reshaped(dy, shape)


@op
def permute(ctx: Node, input: Array, *, dims: Sequence[int]) -> Array:
    """Reorder the dimensions; the result is a view.

    Args:
        input: a tensor.
        dims: the dimensions in their new order.
    """
    order = [checked_axis("permute", d, input.ndim) for d in dims]
    if sorted(order) != list(range(input.ndim)):
        raise RuntimeError(f"permute: dims {tuple(dims)} must name each of the {input.ndim} dimensions once")
    ctx.save(order)
    return input.transpose(order)


@permute.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy with the axes back in order"""
    (order,) = ctx.saved
    return dy.transpose(np.argsort(order))


@permute.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy with the axes back in order"""
    (order,) = ctx.saved
    return permute(dy, dims=np.argsort(order).tolist())


@op
def expand(ctx: Node, input: Array, *, size: Sequence[int]) -> Array:
    """Repeat dimensions of size 1 without a copy; the result is a read-only view.

    Args:
        input: a tensor.
        size: the new sizes; −1 keeps a size, additional dimensions come first.

    Raises:
        RuntimeError: if a dimension of another size would change.
    """
    size, lead = checked_sizes("expand", size), len(size) - input.ndim
    shape = tuple([input.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(size)])
    if lead < 0 or any([n < 0 for n in shape]) or any([m not in (1, n) for m, n in zip(input.shape, shape[lead:])]):
        raise RuntimeError(f"expand: a tensor of shape {input.shape} does not expand to {tuple(size)}")
    ctx.save(input.shape)
    return np.broadcast_to(input, shape) if shape != input.shape else input[...]


@expand.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy, summed over what was repeated"""
    (shape,) = ctx.saved
    return summed_to(dy, shape)


@expand.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy, summed over what was repeated"""
    (shape,) = ctx.saved
    return fitted(dy, (shape, dy.dtype))


@op
def cat_all(ctx: Node, *tensors: Array, dim: int = 0) -> Array:
    """Concatenate tensors along a dimension."""
    if not tensors:
        raise ValueError("cat: expected at least one tensor, got none")
    # An empty 1-D tensor joins anything, as in PyTorch.
    nonempty = [t for t in tensors if t.shape != (0,)] or list(tensors[:1])
    axis = checked_axis("cat", dim, nonempty[0].ndim)
    first = nonempty[0]
    others = first.shape[:axis] + first.shape[axis + 1 :]
    for t in nonempty:
        if t.ndim == 0 or t.ndim != first.ndim or t.shape[:axis] + t.shape[axis + 1 :] != others:
            raise RuntimeError(f"cat: shapes {first.shape} and {t.shape} differ in another dimension than {dim}")
    dtype = result_type(*tensors)
    ctx.save(axis, [(t.shape, t.dtype) for t in tensors])
    return concatenated([np.asarray(t, dtype) for t in nonempty], axis)


def concatenated(parts: Sequence[Array], axis: int) -> Array:
    """Arrays of one dtype side by side, by one launch for each where there are such for all."""
    first, size = parts[0], sum([part.shape[axis] for part in parts])
    y = kernels.unset((*first.shape[:axis], size, *first.shape[axis + 1 :]), first.dtype)
    start = 0
    for part in parts:
        place = y[(slice(None),) * axis + (slice(start, start + part.shape[axis]),)]
        if not kernels.move(place, part):
            return np.concatenate(parts, axis)
        start += part.shape[axis]
    return y


@cat_all.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
    """Each tensor's part of dy"""
    axis, specs = ctx.saved
    results: list[Array | None] = []
    start = 0
    for (shape, dtype), needed in zip(specs, ctx.needs):
        size = 0 if shape == (0,) else shape[axis]
        part = dy[(slice(None),) * axis + (slice(start, start + size),)]
        start += size
        results.append(kernels.copied(part).reshape(shape).astype(dtype, copy=False) if needed else None)
    return tuple(results)


@cat_all.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, ...]:
    """Each tensor's part of dy"""
    axis, specs = ctx.saved
    results: list[Tensor | None] = []
    start = 0
    for (shape, dtype), needed in zip(specs, ctx.needs):
        size = 0 if shape == (0,) else shape[axis]
        part = dy.narrow(axis, start, size).reshape(shape) if needed else None
        start += size
        results.append(None if part is None else part.to(dtype))
    return tuple(results)


@function
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Concatenate tensors along a dimension. Empty 1-D tensors are skipped, as in PyTorch.

    Args:
        tensors: tensors whose shapes differ at most in dim.
        dim: the dimension.

    Raises:
        ValueError: if there are no tensors.
        RuntimeError: if the shapes do not fit.

    >>> cg.cat([cg.ones(1, 2), cg.zeros(1, 2)])
    tensor([[1., 1.],
            [0., 0.]])
    """
    return cat_all(*checked_tensors("cat", tensors), dim=dim)


def checked_tensors(name: str, tensors: Iterable[Any]) -> list[Any]:
    """Tensors as a list. Raises TypeError if something else is among them, or one tensor is given."""
    if isinstance(tensors, Value):
        raise TypeError(f"{name}: expected a sequence of tensors, got one tensor")
    found = list(tensors)
    for t in found:
        if not isinstance(t, Value):
            raise TypeError(f"{name}: expected tensors, got {type(t).__name__} among them")
    return found


@function
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Stack tensors along a new dimension.

    Args:
        tensors: tensors of one shape.
        dim: the position of the new dimension.

    Raises:
        ValueError: if there are no tensors.
        RuntimeError: if the shapes differ.

    >>> cg.stack([cg.ones(2), cg.zeros(2)], dim=1)
    tensor([[1., 0.],
            [1., 0.]])
    """
    if not tensors:
        raise ValueError("stack: expected at least one tensor, got none")
    tensors = checked_tensors("stack", tensors)
    shape = tensors[0].shape
    for t in tensors:
        if t.shape != shape:
            raise RuntimeError(f"stack: the tensors must have the same shape, got {tuple(shape)} and {tuple(t.shape)}")
    axis = checked_axis("stack", dim, len(shape) + 1)
    return cat_all(*[unsqueeze(t, axis) for t in tensors], dim=axis)


@op
def unsqueeze(ctx: Node, input: Array, *, dim: int) -> Array:
    """Insert a dimension of size 1; the result is a view.

    Args:
        input: a tensor.
        dim: the position of the new dimension.
    """
    ctx.save(input.shape)
    return np.expand_dims(input, checked_axis("unsqueeze", dim, input.ndim + 1))


@unsqueeze.definition
@unsqueeze.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy in x's shape"""
    (shape,) = ctx.saved
    return dy.reshape(shape)


@op
def squeeze(ctx: Node, input: Array, *, dim: Dim = None) -> Array:
    """Remove dimensions of size 1; the result is a view.

    Args:
        input: a tensor.
        dim: the dimension or dimensions to remove where their size is 1; all of size 1 by default.
    """
    dims = range(input.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    axes = {checked_axis("squeeze", d, input.ndim) for d in dims}
    ctx.save(input.shape)
    return input.reshape([n for i, n in enumerate(input.shape) if n != 1 or i not in axes])


@squeeze.definition
@squeeze.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy in x's shape"""
    (shape,) = ctx.saved
    return dy.reshape(shape)


@op
def flip(ctx: Node, input: Array, *, dims: int | Sequence[int]) -> Array:
    """Reverse the order of elements along dimensions.

    Args:
        input: a tensor.
        dims: the dimension or dimensions.
    """
    axes = tuple([checked_axis("flip", d, input.ndim) for d in (dims if isinstance(dims, (tuple, list)) else (dims,))])
    ctx.save(axes)
    return np.flip(input, axes).copy() if input.ndim else input.copy()


@flip.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy reversed"""
    (axes,) = ctx.saved
    return np.flip(dy, axes).copy() if dy.ndim else dy


@flip.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy reversed"""
    (axes,) = ctx.saved
    return flip(dy, dims=axes) if dy.ndim else dy


@op
def roll(ctx: Node, input: Array, *, shifts: int | Sequence[int], dims: Dim = None) -> Array:
    """Shift elements along dimensions; elements shifted off one end reappear at the other.

    Args:
        input: a tensor.
        shifts: by how many positions, for each dimension.
        dims: the dimension or dimensions; by default the flattened tensor is shifted.
    """
    axes = None
    steps = tuple([int(n) for n in (shifts if isinstance(shifts, (tuple, list)) else (shifts,))])
    if dims is not None:
        named = dims if isinstance(dims, (tuple, list)) else (dims,)
        axes = tuple([axis_and_size("roll", d, input.shape)[0] for d in named])
        if len(steps) != len(axes):
            raise RuntimeError(f"roll: {len(steps)} shifts for {len(axes)} dims")
    ctx.save(steps, axes)
    if not steps:
        raise RuntimeError("roll: at least one shift is required")
    return np.asarray(np.roll(input, steps, axes), order="C")


@roll.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy moved back"""
    steps, axes = ctx.saved
    return np.roll(dy, [-n for n in steps], axes)


@roll.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy moved back"""
    shifts, axes = ctx.saved
    return roll(dy, shifts=np.negative(shifts).tolist(), dims=axes)


@op
def repeat(ctx: Node, input: Array, *, sizes: Sequence[int]) -> Array:
    """Repeat the whole tensor along each dimension.

    Args:
        input: a tensor.
        sizes: the number of repetitions per dimension; additional dimensions come first.
    """
    sizes = checked_sizes("repeat", sizes)
    if len(sizes) < input.ndim or any([n < 0 for n in sizes]):
        raise RuntimeError(f"repeat: sizes {sizes} do not fit a tensor of {input.ndim} dimensions")
    ctx.save(input.shape, sizes)
    y = np.asarray(np.tile(input, sizes), order="C")
    return y if y.size else y.copy()  # NumPy returns views of empty arrays


@repeat.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = the sum of dy's copies"""
    shape, sizes = ctx.saved
    full = (1,) * (len(sizes) - len(shape)) + shape
    pairs = [(n, i) for count, size in zip(sizes, full) for n, i in ((count, 0), (size, 1)) if n != 1]
    copies = tuple([axis for axis, (_, i) in enumerate(pairs) if i == 0])
    return np.sum(dy.reshape([n for n, _ in pairs]), copies, dy.dtype).reshape(shape)


@repeat.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = the sum of dy's copies"""
    shape, sizes = ctx.saved
    full = (1,) * (len(sizes) - len(shape)) + shape
    pairs = [n for count, size in zip(sizes, full) for n in (count, size)]
    return dy.reshape(pairs).sum(tuple(range(0, 2 * len(sizes), 2))).reshape(shape) if sizes else dy


@op
def repeat_interleave(
    ctx: Node,
    input: Array,
    *,
    repeats: Tensor | Sequence[int] | int,
    dim: int | None = None,
    output_size: int | None = None,
) -> Array:
    """Repeat each element.

    Args:
        input: a tensor.
        repeats: the number of repetitions, for all elements or for each along dim.
        dim: the dimension; by default the tensor is flattened first.
        output_size: the size of the result along dim, which is checked.
    """
    counts = getattr(repeats, "array", repeats)
    x = input.reshape(-1) if dim is None else input
    axis = checked_axis("repeat_interleave", 0 if dim is None else dim, x.ndim)
    counts = np.broadcast_to(np.asarray(counts, np.int64), (x.shape[axis],))
    if np.any(counts < 0):
        raise RuntimeError("repeat_interleave: repeats must not be negative")
    if output_size not in (None, counts.sum()):
        raise RuntimeError(f"repeat_interleave: output_size is {output_size}, but there are {counts.sum()} repetitions")
    ctx.save(input.shape, x.shape, axis, counts)
    return np.repeat(x, counts, axis)


@repeat_interleave.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = the sum of each element's copies"""
    shape, flat, axis, counts = ctx.saved
    dx = np.zeros(flat, dy.dtype)
    add_at(dx, (slice(None),) * axis + (np.repeat(np.arange(flat[axis]), counts),), dy)
    return dx.reshape(shape)


@repeat_interleave.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = the sum of each element's copies"""
    shape, flat, axis, counts = ctx.saved
    numbers = np.repeat(np.arange(flat[axis]), counts)
    index = np.broadcast_to(numbers.reshape([-1 if i == axis else 1 for i in range(len(flat))]), dy.shape)
    return constant(np.zeros(flat, dy.dtype)).scatter_add(axis, constant(index.copy()), dy).reshape(shape)


@op
def unfold(ctx: Node, input: Array, *, dimension: int, size: int, step: int) -> Array:
    """Return all slices of `size` neighbors along a dimension, every `step`, as a last dimension; the result is a view.

    Args:
        input: a tensor.
        dimension: the dimension.
        size: the number of neighbors in a slice.
        step: the distance of the starts of two slices.
    """
    axis, n = axis_and_size("unfold", dimension, input.shape or (1,))
    if not 0 <= size <= n or step < 1:
        raise RuntimeError(f"unfold: size {size} and step {step} do not fit dim {dimension} of size {n}")
    ctx.save(input.shape, axis, np.arange(0, n - size + 1, step)[:, None] + np.arange(size))
    if not input.ndim:
        return input.reshape(1)[:size]
    x = np.atleast_1d(input)
    windows = (n - size) // step + 1
    sizes = (*x.shape[:axis], windows, *x.shape[axis + 1 :], size)
    strides = (*x.strides[:axis], x.strides[axis] * step, *x.strides[axis + 1 :], x.strides[axis])
    return np.lib.stride_tricks.as_strided(x, sizes, strides)


@unfold.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = the sum of what each element was copied to"""
    shape, axis, positions = ctx.saved
    dx = np.zeros(shape or (1,), dy.dtype)
    windows = np.moveaxis(dy, -1, axis + 1) if shape else dy.reshape(1, -1)
    add_at(dx, (slice(None),) * axis + (positions,), windows)
    return dx.reshape(shape)


@unfold.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = the sum of what each element was copied to"""
    shape, axis, positions = ctx.saved
    line = dy.movedim(-1, axis + 1).flatten(axis, axis + 1) if shape else dy
    zeros = constant(np.zeros(shape or (1,), dy.dtype))
    return zeros.index_add(axis, constant(positions.reshape(-1)), line).reshape(shape)


TRIANGLE = """{}

Args:
    input: a tensor of at least 2 dimensions, whose last two are matrices.
    diagonal: 0 for the main diagonal, positive above it, negative below.
"""


def triangle(name: str, doc: str, function: Any) -> Op:
    """The op tril or triu."""

    def forward(ctx: Node, input: Array, *, diagonal: int = 0) -> Array:
        if input.ndim < 2:
            raise RuntimeError(f"{name}: input must have at least 2 dimensions, got shape {input.shape}")
        ctx.save(diagonal)
        return np.asarray(function(input, diagonal), order="C")

    forward.__name__, forward.__doc__, forward.__module__ = name, doc, __name__
    result = op(forward)

    @result.gradient
    def _(ctx: Node, dy: Array) -> Array:
        (diagonal,) = ctx.saved
        return function(dy, diagonal)

    result.definition(self_adjoint(result))
    return result


tril = triangle("tril", TRIANGLE.format("Keep the elements on and below a diagonal; set the others to zero."), np.tril)
triu = triangle("triu", TRIANGLE.format("Keep the elements on and above a diagonal; set the others to zero."), np.triu)


@op
def diagonal(ctx: Node, input: Array, *, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """Return the diagonal of two dimensions as the last dimension; the result is a view.

    Args:
        input: a tensor of at least 2 dimensions.
        offset: 0 for the main diagonal, positive above it, negative below.
        dim1: the first dimension, of rows.
        dim2: the second dimension, of columns.
    """
    first, second = checked_axis("diagonal", dim1, input.ndim), checked_axis("diagonal", dim2, input.ndim)
    if first == second or input.ndim < 2:
        raise RuntimeError(f"diagonal: dim1 and dim2 must be two axes, got {dim1} and {dim2}")
    offset = min(max(offset, -input.shape[first]), input.shape[second])  # NumPy computes with C's int, which overflows
    ctx.save(input.shape, offset, first, second)
    return diagonal_of(input, offset, first, second)


def diagonal_of(x: Array, offset: int, first: int, second: int) -> Array:
    """The diagonal of two axes, as a view that can be written where x can."""
    view = np.diagonal(x, offset, first, second)
    if x.flags.writeable:
        view.flags.writeable = True  # NumPy gives a read-only view for the sake of code that once received a copy
    return view


@diagonal.window
def _(ctx: Node, dx: Array) -> Array:
    """The diagonal of dx"""
    return diagonal_of(dx, *ctx.saved[1:])


@diagonal.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy on the diagonal, zeros elsewhere"""
    shape, offset, first, second = ctx.saved
    dx = np.zeros(shape, dy.dtype)
    view = np.moveaxis(dx, (first, second), (-2, -1))
    rows = np.arange(dy.shape[-1]) + max(-offset, 0)
    view[..., rows, rows + offset] = dy
    return dx


@diagonal.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy on the diagonal, zeros elsewhere"""
    shape, offset, first, second = ctx.saved
    rows, columns = shape[first], shape[second]
    numbers = np.arange(dy.shape[-1]) + builtins.max(-offset, 0)
    others = [n for i, n in enumerate(shape) if i not in (first, second)]
    flat = constant(np.zeros((*others, rows * columns), dy.dtype))
    index = np.broadcast_to(numbers * columns + numbers + offset, dy.shape)
    matrices = flat.scatter(-1, constant(index.copy()), dy).reshape(*others, rows, columns)
    return matrices.movedim((-2, -1), (first, second))


@function
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Return a copy of the diagonal of a matrix, or the matrix with a given diagonal.

    Args:
        input: a matrix, or a 1-D tensor.
        diagonal: 0 for the main diagonal, positive above it, negative below.
    """
    if input.ndim == 2:
        return _diagonal(input, offset=diagonal).clone()
    return diag_matrix(input, offset=diagonal)


_diagonal = diagonal


@op
def diag_matrix(ctx: Node, input: Array, *, offset: int = 0) -> Array:
    """The square matrix with a 1-D tensor on a diagonal."""
    if input.ndim != 1:
        raise RuntimeError(f"diag: input must have 1 or 2 dimensions, got shape {input.shape}")
    ctx.save(offset)
    return np.diag(input, offset)


@diag_matrix.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = the diagonal of dy"""
    (offset,) = ctx.saved
    return np.diagonal(dy, offset).copy()


@diag_matrix.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = the diagonal of dy"""
    (offset,) = ctx.saved
    return dy.diagonal(offset)


@op
def clone(ctx: Node, input: Array, *, memory_format: object = None) -> Array:
    """Copy a tensor; gradients flow through the copy.

    Args:
        input: a tensor.
        memory_format: accepted, without effect.
    """
    return kernels.copied(input)


@clone.definition
@clone.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy"""
    return dy


@op
def cast(ctx: Node, input: Array, *, dtype: DType) -> Array:
    """Convert to another dtype.

    Args:
        input: a tensor.
        dtype: the dtype.
    """
    ctx.save(input.dtype)
    with np.errstate(all="ignore"):
        return input.astype(dtype)


@cast.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy in x's dtype"""
    (dtype,) = ctx.saved
    return dy.astype(dtype)


@cast.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy in x's dtype"""
    (dtype,) = ctx.saved
    return cast(dy, dtype=dtype)


# Other names of PyTorch
concat = concatenate = cat
