"""Shapes, parts and repetitions. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from cygrad._arguments import checked_sizes, shape_argument
from cygrad._typing import Size, Tensor
from cygrad.autograd import Value
from cygrad.autograd.calls import requires_tensor
from cygrad.functions.indexing import narrow
from cygrad.ops import shape
from cygrad.ops.axes import axis_and_size, checked_axis

__all__ = [
    "broadcast_to",
    "chunk",
    "flatten",
    "meshgrid",
    "movedim",
    "split",
    "swapaxes",
    "t",
    "tile",
    "transpose",
    "unflatten",
]


@requires_tensor
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge dimensions into one.

    Args:
        input: a tensor; one without dimensions becomes one of shape (1,).
        start_dim: the first dimension to merge.
        end_dim: the last dimension to merge.

    >>> cg.flatten(cg.zeros(2, 3, 4), 1).shape
    (2, 12)
    """
    first, last = checked_axis("flatten", start_dim, input.ndim), checked_axis("flatten", end_dim, input.ndim)
    if input.ndim == 0:
        return shape.reshape(input, shape=(1,))
    if first > last:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    sizes = input.shape
    merged = 1
    for n in sizes[first : last + 1]:
        merged *= n
    return shape.reshape(input, shape=(*sizes[:first], merged, *sizes[last + 1 :]))


@requires_tensor
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split a dimension into several.

    Args:
        input: a tensor.
        dim: the dimension.
        sizes: the new sizes; one of them may be −1, which is inferred.
    """
    axis, size = axis_and_size("unflatten", dim, input.shape)
    inner = shape.whole_shape(sizes, size)
    if inner is None:
        raise RuntimeError(f"unflatten: sizes {tuple(sizes)} don't multiply to {size}, the size of dim {dim}")
    return shape.reshape(input, shape=(*input.shape[:axis], *inner, *input.shape[axis + 1 :]))


@requires_tensor
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions; the result is a view.

    Args:
        input: a tensor.
        dim0: a dimension.
        dim1: the other dimension.
    """
    order = list(range(input.ndim))
    first, second = checked_axis("transpose", dim0, input.ndim), checked_axis("transpose", dim1, input.ndim)
    if order:
        order[first], order[second] = second, first
    return shape.permute(input, dims=order)


swapaxes = transpose


@requires_tensor
def t(input: Tensor) -> Tensor:
    """Transpose a matrix; a tensor with fewer than two dimensions is returned as it is.

    Args:
        input: a tensor with at most two dimensions.
    """
    if input.ndim > 2:
        raise RuntimeError(f"t: input must have at most 2 dimensions, got shape {input.shape}")
    return transpose(input, 0, 1) if input.ndim == 2 else input


@requires_tensor
def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Move dimensions to new positions; the others keep their order. The result is a view.

    Args:
        input: a tensor.
        source: the dimensions to move.
        destination: the position of each in the result.
    """
    pairs = [d if isinstance(d, (tuple, list)) else (d,) for d in (source, destination)]
    sources, targets = ([checked_axis("movedim", d, input.ndim) for d in dims] for dims in pairs)
    if len(sources) != len(targets) or len(set(sources)) < len(sources) or len(set(targets)) < len(targets):
        raise RuntimeError(
            f"movedim: source and destination must name as many dimensions, each once, got {source} and {destination}"
        )
    rest = iter([i for i in range(input.ndim) if i not in sources])
    moved = dict(zip(targets, sources))
    return shape.permute(input, dims=[moved[i] if i in moved else next(rest) for i in range(input.ndim)])


@requires_tensor
def split(input: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Split a tensor along a dimension; the results are views.

    Args:
        input: a tensor.
        split_size_or_sections: the size of each part, of which the last may be smaller; or a list of sizes that sum to
            the size of the dimension.
        dim: the dimension.

    >>> [part.shape for part in cg.split(cg.zeros(5, 2), 2)]
    [(2, 2), (2, 2), (1, 2)]
    """
    axis, size = axis_and_size("split", dim, input.shape)
    if isinstance(split_size_or_sections, (list, tuple)):
        sections = list(split_size_or_sections)
        if sum(sections) != size or any([n < 0 for n in sections]):
            raise RuntimeError(f"split: sizes {sections} don't sum to {size}, the size of dim {dim}")
    else:
        step = cast(int, split_size_or_sections)
        if step < 0 or (step == 0 and size):
            raise RuntimeError(f"split: the split size must be positive, got {step}")
        sections = [builtins.min(step, size - i) for i in range(0, size, step)] if size else [0]
    ends = np.cumsum([0, *sections]).tolist()
    return tuple([narrow(input, axis, start, end - start) for start, end in itertools.pairwise(ends)])


@requires_tensor
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Split a tensor into at most `chunks` parts; the results are views.

    Args:
        input: a tensor.
        chunks: the number of parts; all but the last have the same size.
        dim: the dimension.
    """
    if chunks < 1:
        raise RuntimeError(f"chunk: chunks must be at least 1, got {chunks}")
    _, size = axis_and_size("chunk", dim, input.shape)
    return split(input, -(-size // chunks) or 1, dim)


@requires_tensor
def tile(input: Tensor, dims: Sequence[int]) -> Tensor:
    """Repeat the whole tensor along its last dimensions.

    Args:
        input: a tensor.
        dims: the number of repetitions along each of the last dimensions.
    """
    counts = checked_sizes("tile", dims)
    return shape.repeat(input, sizes=(1,) * (input.ndim - len(counts)) + counts)


@requires_tensor
def broadcast_to(input: Tensor, *size: Size) -> Tensor:
    """Broadcast a tensor to a shape, as ``input.expand(size)``; the result is a view.

    Args:
        input: a tensor.
        size: the new shape, as integers or as one sequence of integers.
    """
    return shape.expand(input, size=shape_argument(size))


def meshgrid(*tensors: Tensor | Sequence[Tensor], indexing: str = "ij") -> tuple[Tensor, ...]:
    """Return the coordinates of a grid, one tensor for each axis.

    Args:
        tensors: the coordinates along each axis, 1-D tensors or one sequence of them.
        indexing: "ij", axis k is dimension k; or "xy", the first two dimensions are exchanged.
    """
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f"meshgrid: indexing must be ij or xy, got {indexing!r}")
    given: Any = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    axes: list[Tensor] = list(given)
    if not all([isinstance(x, Value) for x in axes]):
        raise TypeError(f"meshgrid: expected tensors, got {', '.join([type(x).__name__ for x in axes])}")
    sizes = [x.numel() for x in axes]
    grids = [
        broadcast_to(x.reshape([n if i == j else 1 for j, n in enumerate(sizes)]), sizes) for i, x in enumerate(axes)
    ]
    return tuple([transpose(g, 0, 1) for g in grids] if indexing == "xy" and len(grids) > 1 else grids)
