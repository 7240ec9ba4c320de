"""Selecting and writing elements and slices. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad._attributes import RangeError
from cygrad._typing import Tensor
from cygrad.autograd import Value
from cygrad.autograd.calls import requires_tensor
from cygrad.ops import index as index_ops
from cygrad.ops.arithmetic import where
from cygrad.ops.axes import axis_and_size, checked_axis
from cygrad.ops.definition import constant

__all__ = ["gather", "index_select", "narrow", "scatter", "scatter_add", "select", "take_along_dim", "unbind"]


@requires_tensor
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Collect elements along a dimension: y[i, j] = input[index[i, j], j] for dim 0, and so on.

    Args:
        input: a tensor.
        dim: the dimension that `index` refers to.
        index: integers, with as many dimensions as input; in the others no larger than input.

    Returns:
        A tensor of index's shape.

    >>> cg.gather(cg.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, cg.tensor([[0], [1]]))
    tensor([[1.],
            [4.]])
    """
    return index_ops.gather(input, index, dim=dim)


@requires_tensor
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Select slices of a dimension.

    Args:
        input: a tensor.
        dim: the dimension.
        index: the indices of the slices, a 1-D tensor of integers.
    """
    return index_ops.index_select(input, index, dim=dim)


def places(condition: Tensor) -> tuple[Tensor, ...]:
    """The indices where a condition holds, one tensor for each dimension: ``where(condition)``."""
    from cygrad.functions.counting import nonzero

    return nonzero(condition, as_tuple=True)


def means_alone(op: Any, meaning: Callable[[Any], Any]) -> None:
    """Let the call of an op with one argument be something else."""
    op.alone = meaning


means_alone(where, places)


@requires_tensor
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor | float | None = None,
    *,
    value: float | None = None,
    reduce: str | None = None,
) -> Tensor:
    """Return a copy of input with elements replaced: y[index[i, j], j] = src[i, j] for dim 0, and so on.

    Where an index occurs twice, either value may be the result.

    Args:
        input: a tensor.
        dim: the dimension that `index` refers to.
        index: integers, with as many dimensions as input.
        src: the new values, a tensor at least as large as index, or one number.
        value: the number by name.
        reduce: "add" or "multiply", to combine them with the elements; None (default) replaces.
    """
    if src is None:
        src = value
    if src is None:
        raise TypeError("scatter: src, the new values, is missing")
    if reduce is not None:
        return combined(input, dim, index, src, reduce)
    return index_ops.scatter(input, index, src, dim=dim)


def combined(input: Tensor, dim: int, index: Tensor, src: Tensor | float, how: str) -> Tensor:
    """As ``scatter``, added to the elements or multiplied with them."""
    from cygrad.functions.writes import scatter_reduce

    kinds = {"add": "sum", "multiply": "prod"}
    if how not in kinds:
        raise RuntimeError(f"scatter: reduce must be add or multiply, got {how!r}")
    values = src if isinstance(src, Value) else constant(np.full(index.shape, src, input.dtype))
    return scatter_reduce(input, dim, index, values, kinds[how])


@requires_tensor
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Return a copy of input with values added: y[index[i, j], j] += src[i, j] for dim 0, and so on.

    Args:
        input: a tensor.
        dim: the dimension that `index` refers to.
        index: integers, with as many dimensions as input.
        src: the values to add, a tensor at least as large as index.
    """
    return index_ops.scatter_add(input, index, src, dim=dim)


@requires_tensor
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Collect elements along a dimension as :func:`gather`, with the other dimensions broadcast.

    Args:
        input: a tensor.
        indices: integers, with as many dimensions as input.
        dim: the dimension; None flattens both tensors first.
    """
    if dim is None:
        return take_along_dim(input.flatten(), indices.flatten(), 0)
    axis = checked_axis("take_along_dim", dim, input.ndim)
    others = np.broadcast_shapes(
        tuple([1 if i == axis else n for i, n in enumerate(input.shape)]),
        tuple([1 if i == axis else n for i, n in enumerate(indices.shape)]),
    )
    shapes = [(*others[:axis], x.shape[axis], *others[axis + 1 :]) for x in (input, indices)]
    places, size = indices.expand(shapes[1]), shapes[0][axis]
    numbers = places.array
    if numbers.size and (numbers.min() < -size or numbers.max() >= size):
        bad = numbers[(numbers < -size) | (numbers >= size)].flat[0]
        raise RangeError(f"take_along_dim: index {bad} is out of range for dim {dim} of size {size}")
    if (numbers < 0).any():
        places = where(places < 0, places + size, places)
    return index_ops.gather(input.expand(shapes[0]), places, dim=axis)


@requires_tensor
def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """Return slices start, …, start + length − 1 of a dimension; the result is a view.

    Args:
        input: a tensor.
        dim: the dimension.
        start: the first index; a negative one counts from the end.
        length: the number of slices.
    """
    if not input.ndim:
        raise RuntimeError("narrow: a tensor without dimensions can't be narrowed")
    if isinstance(start, Value) and (start.array.ndim or start.array.dtype.kind not in "iu"):
        raise RuntimeError(f"narrow: start must be an integer, got a tensor of {start.array.dtype}")
    axis, size = axis_and_size("narrow", dim, input.shape)
    first = start + size if start < 0 else start
    if not 0 <= first <= size:
        raise IndexError(f"narrow: start {start} is out of range for dim {dim} of size {size}")
    if not 0 <= first <= first + length <= size:
        raise RuntimeError(f"narrow: {length} slices from index {start} exceed dim {dim} of size {size}")
    return index_ops.getitem(input, key=(slice(None),) * axis + (slice(first, first + length),))


@requires_tensor
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """Return one slice of a dimension, without that dimension; the result is a view.

    Args:
        input: a tensor.
        dim: the dimension.
        index: the index of the slice.
    """
    axis, size = axis_and_size("select", dim, input.shape)
    if not -size <= index < size:
        raise IndexError(f"select: index {index} is out of range for dim {dim} of size {size}")
    return input[(slice(None),) * axis + (index,)]


@requires_tensor
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Return all slices of a dimension, without that dimension; the results are views.

    Args:
        input: a tensor.
        dim: the dimension.
    """
    return tuple([select(input, dim, i) for i in range(axis_and_size("unbind", dim, input.shape)[1])])
