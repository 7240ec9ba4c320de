"""Functions built from ops. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

import builtins
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast, overload

import numpy as np

from cygrad._arguments import explain
from cygrad._typing import Dim, Tensor
from cygrad.autograd import Value, engine, recording
from cygrad.ops import arithmetic, linear, reduce, shape
from cygrad.ops import index as index_ops
from cygrad.ops.axes import axis_and_size, checked_axis

__all__ = [
    "ValuesAndIndices",
    "allclose",
    "bmm",
    "broadcast_to",
    "chunk",
    "dot",
    "equal",
    "flatten",
    "gather",
    "index_select",
    "isclose",
    "max",
    "meshgrid",
    "min",
    "mm",
    "movedim",
    "mv",
    "narrow",
    "numel",
    "outer",
    "scatter",
    "scatter_add",
    "select",
    "sort",
    "split",
    "std_mean",
    "swapaxes",
    "t",
    "take_along_dim",
    "tile",
    "topk",
    "transpose",
    "unbind",
    "unflatten",
    "var_mean",
]


F = TypeVar("F", bound=Callable[..., Any])


def requires_tensor(function: F) -> F:
    """Decorator: raise TypeError, naming the function, if an argument that must be a tensor is not."""

    @functools.wraps(function)
    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(input, Value):
            raise TypeError(f"{function.__name__}: expected a tensor, got {type(input).__name__}")
        try:
            return function(input, *args, **kwargs)
        except AttributeError as error:
            explain(error, function, (input, *args), kwargs)
            raise

    return cast(F, call)


class ValuesAndIndices(NamedTuple):
    """Elements selected along a dimension, and their indices along it."""

    values: Tensor
    indices: Tensor


def _extreme(input: Tensor, dim: Any, keepdim: bool, whole: Any, along: Any, pair: Any) -> Any:
    if dim is None:
        return whole(input)
    if isinstance(dim, Value):
        return pair(input, dim)
    return ValuesAndIndices(*along(input, dim=dim, keepdim=keepdim))


@overload
def max(input: Tensor, dim: None = None, keepdim: bool = False) -> Tensor: ...
@overload
def max(input: Tensor, dim: int, keepdim: bool = False) -> ValuesAndIndices: ...
@overload
def max(input: Tensor, dim: Tensor) -> Tensor: ...
@requires_tensor
def max(input: Tensor, dim: Tensor | int | None = None, keepdim: bool = False) -> Tensor | ValuesAndIndices:
    """Return the largest element, the largest along a dimension, or the larger of each pair of elements.

    Args:
        input: a tensor.
        dim: None for the largest of all elements; a dimension to reduce; or a second tensor, to compare with
            elementwise.
        keepdim: whether the reduced dimension stays, with size 1.

    Returns:
        A tensor; for a dimension, (values, indices).

    >>> cg.max(cg.tensor([[1.0, 5.0], [7.0, 2.0]]), 1).indices
    tensor([1, 0])
    """
    result: Tensor | ValuesAndIndices = _extreme(
        input, dim, keepdim, reduce.whole_max, reduce.max_along, arithmetic.maximum
    )
    return result


@overload
def min(input: Tensor, dim: None = None, keepdim: bool = False) -> Tensor: ...
@overload
def min(input: Tensor, dim: int, keepdim: bool = False) -> ValuesAndIndices: ...
@overload
def min(input: Tensor, dim: Tensor) -> Tensor: ...
@requires_tensor
def min(input: Tensor, dim: Tensor | int | None = None, keepdim: bool = False) -> Tensor | ValuesAndIndices:
    """Return the smallest element, the smallest along a dimension, or the smaller of each pair of elements.

    Args:
        input: a tensor.
        dim: None for the smallest of all elements; a dimension to reduce; or a second tensor, to compare with
            elementwise.
        keepdim: whether the reduced dimension stays, with size 1.

    Returns:
        A tensor; for a dimension, (values, indices).
    """
    result: Tensor | ValuesAndIndices = _extreme(
        input, dim, keepdim, reduce.whole_min, reduce.min_along, arithmetic.minimum
    )
    return result


@requires_tensor
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = True) -> ValuesAndIndices:
    """Sort along a dimension. NaN counts as the largest value.

    Args:
        input: a tensor.
        dim: the dimension, by default the last.
        descending: whether the largest element comes first.
        stable: accepted for compatibility; equal elements always keep their order.

    Returns:
        (values, indices).

    >>> cg.sort(cg.tensor([3.0, 1.0, 2.0])).values
    tensor([1., 2., 3.])
    """
    return ValuesAndIndices(*index_ops.sort(input, dim=dim, descending=descending, stable=stable))


@requires_tensor
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesAndIndices:
    """Return the k largest, or smallest, elements along a dimension.

    Args:
        input: a tensor.
        k: the number of elements.
        dim: the dimension, by default the last.
        largest: whether to return the largest elements, or else the smallest.
        sorted: accepted for compatibility; the elements are always in order.

    Returns:
        (values, indices).
    """
    return ValuesAndIndices(*index_ops.topk(input, k=k, dim=dim, largest=largest, sorted=sorted))


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


@requires_tensor
def scatter(input: Tensor, dim: int, index: Tensor, src: Tensor | float) -> Tensor:
    """Return a copy of input with elements replaced: y[index[i, j], j] = src[i, j] for dim 0, and so on.

    Where an index occurs twice, either value may be the result.

    Args:
        input: a tensor.
        dim: the dimension that `index` refers to.
        index: integers, with as many dimensions as input.
        src: the new values, a tensor at least as large as index, or one number.
    """
    return index_ops.scatter(input, index, src, dim=dim)


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
def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """Return slices start, …, start + length − 1 of a dimension; the result is a view.

    Args:
        input: a tensor.
        dim: the dimension.
        start: the first index; a negative one counts from the end.
        length: the number of slices.
    """
    axis, size = axis_and_size("narrow", dim, input.shape)
    first = start + size if start < 0 else start
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


@requires_tensor
def tile(input: Tensor, dims: Sequence[int]) -> Tensor:
    """Repeat the whole tensor along its last dimensions.

    Args:
        input: a tensor.
        dims: the number of repetitions along each of the last dimensions.
    """
    return shape.repeat(input, sizes=(1,) * (input.ndim - len(dims)) + tuple(dims))


@requires_tensor
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Broadcast a tensor to a shape, as ``input.expand(size)``; the result is a view.

    Args:
        input: a tensor.
        size: the new shape.
    """
    return shape.expand(input, size=tuple(size))


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
    swap = indexing == "xy" and len(axes) > 1
    if swap:
        axes[:2] = axes[1::-1]
    sizes = [x.numel() for x in axes]
    grids = [
        broadcast_to(x.reshape([n if i == j else 1 for j, n in enumerate(sizes)]), sizes) for i, x in enumerate(axes)
    ]
    if swap:
        grids = [transpose(g, 0, 1) for g in (grids[1], grids[0], *grids[2:])]
    return tuple(grids)


@requires_tensor
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Collect elements along a dimension as :func:`gather`, with the other dimensions broadcast.

    Args:
        input: a tensor.
        indices: integers, with as many dimensions as input.
        dim: the dimension; None flattens both tensors first.
    """
    if dim is None:
        return index_ops.gather(flatten(input), flatten(indices), dim=0)
    axis = checked_axis("take_along_dim", dim, input.ndim)
    others = np.broadcast_shapes(
        tuple([1 if i == axis else n for i, n in enumerate(input.shape)]),
        tuple([1 if i == axis else n for i, n in enumerate(indices.shape)]),
    )
    shapes = [(*others[:axis], x.shape[axis], *others[axis + 1 :]) for x in (input, indices)]
    return index_ops.gather(broadcast_to(input, shapes[0]), broadcast_to(indices, shapes[1]), dim=axis)


def _product(name: str, input: Tensor, other: Tensor, dims: tuple[int, int]) -> Tensor:
    if (input.ndim, other.ndim) != dims:
        raise RuntimeError(
            f"{name}: operands must have {dims[0]} and {dims[1]} dimensions, "
            f"got shapes {tuple(input.shape)} and {tuple(other.shape)}"
        )
    return linear.matmul(input, other)


@requires_tensor
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Multiply two matrices.

    Args:
        input: a matrix of shape (n, m).
        mat2: a matrix of shape (m, p).

    Returns:
        A matrix of shape (n, p).
    """
    return _product("mm", input, mat2, (2, 2))


@requires_tensor
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Multiply a matrix and a vector.

    Args:
        input: a matrix of shape (n, m).
        vec: a vector of m elements.
    """
    return _product("mv", input, vec, (2, 1))


@requires_tensor
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Multiply two batches of matrices.

    Args:
        input: shape (batch, n, m).
        mat2: shape (batch, m, p).

    Returns:
        A tensor of shape (batch, n, p).
    """
    if input.shape[:1] != mat2.shape[:1]:
        raise RuntimeError(
            f"bmm: the batch sizes must be equal, got shapes {tuple(input.shape)} and {tuple(mat2.shape)}"
        )
    return _product("bmm", input, mat2, (3, 3))


@requires_tensor
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Return the dot product of two vectors, Σ input·tensor.

    Args:
        input: a vector.
        tensor: a vector with as many elements.
    """
    return _product("dot", input, tensor, (1, 1))


@requires_tensor
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Return the outer product of two vectors, y[i, j] = input[i]·vec2[j].

    Args:
        input: a vector.
        vec2: a vector.
    """
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: operands must be vectors, got shapes {tuple(input.shape)} and {tuple(vec2.shape)}")
    return shape.unsqueeze(input, dim=1) * vec2


@requires_tensor
def var_mean(input: Tensor, dim: Dim = None, *, correction: float = 1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """Return (variance, mean) over dimensions.

    Args:
        input: a float tensor.
        dim: the dimensions to reduce, all by default.
        correction: the variance is divided by n − correction.
        keepdim: whether reduced dimensions stay, with size 1.
    """
    variance = reduce.var(input, dim=dim, correction=correction, keepdim=keepdim)
    return variance, reduce.mean(input, dim=dim, keepdim=keepdim)


@requires_tensor
def std_mean(input: Tensor, dim: Dim = None, *, correction: float = 1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """Return (standard deviation, mean) over dimensions.

    Args:
        input: a float tensor.
        dim: the dimensions to reduce, all by default.
        correction: the variance is divided by n − correction.
        keepdim: whether reduced dimensions stay, with size 1.
    """
    deviation = reduce.std(input, dim=dim, correction=correction, keepdim=keepdim)
    return deviation, reduce.mean(input, dim=dim, keepdim=keepdim)


@requires_tensor
def numel(input: Tensor) -> int:
    """Return the number of elements.

    Args:
        input: a tensor.
    """
    return int(input.array.size)


@requires_tensor
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Test |input − other| ≤ atol + rtol·|other|, elementwise.

    Args:
        input: a tensor.
        other: a tensor, broadcast with input.
        rtol: the relative tolerance.
        atol: the absolute tolerance.
        equal_nan: whether two NaNs are close.
    """
    return engine.wrap(recording.produced(np.isclose, input.array, other.array, rtol, atol, equal_nan))


@requires_tensor
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Return whether :func:`isclose` holds for all elements.

    Args:
        input: a tensor.
        other: a tensor, broadcast with input.
        rtol: the relative tolerance.
        atol: the absolute tolerance.
        equal_nan: whether two NaNs are close.
    """
    recording.reading("allclose")
    return bool(np.allclose(input.array, other.array, rtol, atol, equal_nan))


@requires_tensor
def equal(input: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same shape and elements.

    Args:
        input: a tensor.
        other: a tensor.
    """
    recording.reading("equal")
    return np.array_equal(input.array, other.array)
