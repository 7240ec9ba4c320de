"""Joining, splitting and rearranging tensors."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._arguments import integer, other_than_tensors
from cygrad._typing import Tensor
from cygrad.autograd.arrays import plain
from cygrad.autograd.calls import function, requires_tensor
from cygrad.functions.indexing import narrow
from cygrad.functions.shapes import movedim, split, transpose
from cygrad.ops import index as index_ops
from cygrad.ops import shape
from cygrad.ops.axes import axis_and_size, checked_axis
from cygrad.ops.definition import constant
from cygrad.sizes import Size

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes", "broadcast_tensors", "column_stack",
    "diag_embed", "diagflat", "dsplit", "dstack", "fliplr", "flipud", "hsplit", "hstack", "ravel", "rot90",
    "row_stack", "split_with_sizes", "tensor_split", "tril_indices", "triu_indices", "vsplit", "vstack",
]  # fmt: skip

MOST_PARTS = 2**24  # of a split into views; an invalid number would take all memory


def _each(tensors: tuple[Any, ...], change: Any) -> Any:
    """The change of one tensor, or of each of several."""
    if len(tensors) == 1 and not isinstance(tensors[0], (tuple, list)):
        return change(tensors[0])
    return tuple([change(x) for x in (tensors[0] if len(tensors) == 1 else tensors)])


@function
def atleast_1d(*tensors: Any) -> Any:
    """Return tensors of at least one dimension."""
    return _each(tensors, lambda x: x if x.ndim else x.reshape(1))


@function
def atleast_2d(*tensors: Any) -> Any:
    """Return tensors of at least two dimensions; new ones come first."""
    return _each(tensors, lambda x: x if x.ndim > 1 else x.reshape(1, -1))


@function
def atleast_3d(*tensors: Any) -> Any:
    """Return tensors of at least three dimensions; a vector becomes the middle one."""
    return _each(tensors, lambda x: x if x.ndim > 2 else x.unsqueeze(-1) if x.ndim == 2 else x.reshape(1, -1, 1))


def _joined(name: str, tensors: Sequence[Tensor], dim: int) -> Tensor:
    if not len(tensors):
        raise RuntimeError(f"{name}: expected at least one tensor, got none")
    return shape.cat(tensors, dim)


@function
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors along the second dimension, vectors along the first."""
    parts = atleast_1d(*tensors) if len(tensors) > 1 else [atleast_1d(x) for x in tensors]
    return _joined("hstack", parts, 0 if len(parts) and parts[0].ndim == 1 else 1)


@function
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors along the first dimension; vectors become rows."""
    return _joined("vstack", [atleast_2d(x) for x in tensors], 0)


row_stack = vstack


@function
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors along the third dimension."""
    return _joined("dstack", [atleast_3d(x) for x in tensors], 2)


@function
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors along the second dimension; vectors become columns."""
    return _joined("column_stack", [x if x.ndim > 1 else x.reshape(-1, 1) for x in tensors], 1)


@function
def block_diag(*tensors: Tensor) -> Tensor:
    """Return a matrix with matrices along its diagonal."""
    if (other := other_than_tensors(tensors)) is not None:
        raise TypeError(f"block_diag: expected tensors, got {other} among them")
    blocks = [atleast_2d(x) for x in tensors]
    if any([b.ndim > 2 for b in blocks]):
        raise RuntimeError("block_diag: tensors must have at most 2 dimensions")
    width = sum([b.shape[1] for b in blocks])
    rows, start = [], 0
    for b in blocks:
        sides = [constant(np.zeros((b.shape[0], n), b.dtype)) for n in (start, width - start - b.shape[1])]
        rows.append(shape.cat([sides[0], b, sides[1]], 1))
        start += b.shape[1]
    return shape.cat(rows, 0)


def broadcast_shapes(*shapes: Any) -> Size:
    """Return the shape to which shapes broadcast."""
    try:
        return Size(np.broadcast_shapes(*shapes))
    except ValueError:
        raise RuntimeError(f"broadcast_shapes: shapes {', '.join(map(str, shapes))} do not broadcast") from None


@function
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Broadcast tensors to one shape; the results are views."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    size = broadcast_shapes(*[x.shape for x in given])
    return tuple([shape.expand(x, size=size) for x in given])


@requires_tensor
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return matrices, in dimensions dim1 and dim2, with the last dimension as their diagonals."""
    n, offset = input.ndim + 1, integer("diag_embed", "offset", offset)
    first, second = checked_axis("diag_embed", dim1, n), checked_axis("diag_embed", dim2, n)
    if first == second:
        raise RuntimeError(f"diag_embed: dim1 and dim2 must differ, got {dim1} and {dim2}")
    if first > second:
        first, second, offset = second, first, -offset
    length = input.shape[-1] + abs(offset)
    rows = np.arange(input.shape[-1])
    key = (..., rows + max(-offset, 0), rows + max(offset, 0))
    matrix = index_ops.placed(input, key=key, shape=(*input.shape[:-1], length, length))
    return movedim(matrix, (-2, -1), (first, second)).contiguous()


@requires_tensor
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Return a matrix with all elements on a diagonal."""
    return diag_embed(input.reshape(-1), integer("diagflat", "offset", offset))


@requires_tensor
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Split a tensor along a dimension; the results are views.

    Args:
        input: a tensor.
        indices_or_sections: the number of parts, of which the first are one larger where they can't be equal; or the
            indices at which to split.
        dim: the dimension.
    """
    axis, size = axis_and_size("tensor_split", dim, input.shape)
    sections = getattr(indices_or_sections, "array", indices_or_sections)
    if np.ndim(sections) == 0:
        if not isinstance(sections, (int, np.integer, np.ndarray)):
            raise TypeError(f"tensor_split: sections must be an integer or indices, got {type(sections).__name__}")
        n = operator.index(sections)
        if not 1 <= n <= MOST_PARTS:
            raise RuntimeError(f"tensor_split: the number of sections must lie between 1 and {MOST_PARTS}, got {n}")
        ends = np.cumsum([size // n + (i < size % n) for i in range(n)])[:-1]
    else:
        ends = np.asarray(sections, np.int64)
    starts = [0, *[min(max(int(e) + (size if e < 0 else 0), 0), size) for e in ends]]
    return tuple([narrow(input, axis, a, max(b - a, 0)) for a, b in zip(starts, [*starts[1:], size])])


def _split_along(name: str, input: Tensor, parts: Any, dim: int, least: int) -> tuple[Tensor, ...]:
    if input.ndim < least:
        raise RuntimeError(f"{name}: input must have at least {least} dimensions, got shape {input.shape}")
    sections = getattr(parts, "array", parts)
    if isinstance(sections, str):
        raise TypeError(f"{name}: expected a number of parts or indices, got {parts!r}")
    if np.ndim(sections) == 0 and (sections < 1 or input.shape[dim] % int(sections)):
        raise RuntimeError(f"{name}: dim {dim} of size {input.shape[dim]} has no {parts} equal parts")
    return tensor_split(input, parts, dim)


@requires_tensor
def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Split along the second dimension, a vector along the first; see :func:`tensor_split`."""
    return _split_along("hsplit", input, indices_or_sections, 0 if input.ndim == 1 else 1, 1)


@requires_tensor
def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Split along the first dimension; see :func:`tensor_split`."""
    return _split_along("vsplit", input, indices_or_sections, 0, 2)


@requires_tensor
def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Split along the third dimension; see :func:`tensor_split`."""
    return _split_along("dsplit", input, indices_or_sections, 2, 3)


@requires_tensor
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Split along a dimension into parts of the given sizes; the results are views."""
    return split(input, list(split_sizes), dim)


@requires_tensor
def fliplr(input: Tensor) -> Tensor:
    """Reverse the order of columns."""
    if input.ndim < 2:
        raise RuntimeError(f"fliplr: input must have at least 2 dimensions, got shape {input.shape}")
    return shape.flip(input, dims=1)


@requires_tensor
def flipud(input: Tensor) -> Tensor:
    """Reverse the order of rows."""
    if not input.ndim:
        raise RuntimeError("flipud: input must have at least 1 dimension")
    return shape.flip(input, dims=0)


@requires_tensor
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Rotate by k·90° in the plane of two dimensions, from the first toward the second."""
    if len(dims) != 2 or input.ndim < 2:
        raise RuntimeError(f"rot90: expected 2 dims of at least 2, got {tuple(dims)} of {input.ndim}")
    a, b = (checked_axis("rot90", d, input.ndim) for d in dims)
    if a == b:
        raise RuntimeError(f"rot90: dims must differ, got {tuple(dims)}")
    if k % 4 == 0:
        return shape.clone(input)
    if k % 4 == 2:
        return shape.flip(input, dims=(a, b))
    return shape.flip(transpose(input, a, b), dims=a if k % 4 == 1 else b)


@requires_tensor
def ravel(input: Tensor) -> Tensor:
    """Return the elements as a vector without gaps; a view where the memory layout allows it."""
    return input.reshape(-1).contiguous()


def _triangle(indices: Any, dtype: Any) -> Tensor:
    values = np.stack(indices).astype(np.int64 if dtype is None else dtype)
    return constant(plain("tril_indices", values.reshape(2, -1)))


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: object = None) -> Tensor:
    """Return the rows and columns of the elements on and below a diagonal of a matrix, a tensor of 2 rows."""
    return _triangle(np.tril_indices(row, offset, col), dtype)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: object = None) -> Tensor:
    """Return the rows and columns of the elements on and above a diagonal of a matrix, a tensor of 2 rows."""
    return _triangle(np.triu_indices(row, offset, col), dtype)
