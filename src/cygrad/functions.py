"""Functions made of ops: several ops in turn, or one with other arguments."""

from __future__ import annotations

import builtins
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from cygrad.autograd import Value, recording
from cygrad.ops import arithmetic, linear, reduce, shape
from cygrad.ops import index as index_ops
from cygrad.ops.axes import checked_axis

__all__ = [
    "Chosen",
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


def of_a_tensor(function: F) -> F:
    """The function, which names itself where its first argument is no tensor."""

    @functools.wraps(function)
    def checked(input: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(input, Value):
            raise TypeError(f"{function.__name__}: a tensor is needed, got {type(input).__name__}")
        return function(input, *args, **kwargs)

    return cast(F, checked)


class Chosen(NamedTuple):
    """Elements and where they stand along their axis."""

    values: Any
    indices: Any


def _extreme(input: Any, dim: Any, keepdim: bool, whole: Any, along: Any, pair: Any) -> Any:
    if dim is None:
        return whole(input)
    if hasattr(dim, "array"):
        return pair(input, dim)
    return Chosen(*along(input, dim=dim, keepdim=keepdim))


@of_a_tensor
def max(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest of all; with a dim, (values, indices) along it; with a second tensor, the larger of each pair.

    >>> cg.max(cg.tensor([[1.0, 5.0], [7.0, 2.0]]), 1).indices
    tensor([1, 0])
    """
    return _extreme(input, dim, keepdim, reduce.amax, reduce.max_along, arithmetic.maximum)


@of_a_tensor
def min(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest of all; with a dim, (values, indices) along it; with a second tensor, the smaller of each pair."""
    return _extreme(input, dim, keepdim, reduce.amin, reduce.min_along, arithmetic.minimum)


@of_a_tensor
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Chosen:
    """(values, indices) in order along dim. Equal ones keep their order; NaN counts as largest.

    >>> cg.sort(cg.tensor([3.0, 1.0, 2.0])).values
    tensor([1., 2., 3.])
    """
    return Chosen(*index_ops.sort(input, dim=dim, descending=descending, stable=stable))


@of_a_tensor
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Chosen:
    """(values, indices) of the k largest, or smallest, along dim, in order."""
    return Chosen(*index_ops.topk(input, k=k, dim=dim, largest=largest, sorted=sorted))


@of_a_tensor
def gather(input: Any, dim: int, index: Any) -> Any:
    """y[i, j] = input[index[i, j], j] for dim 0, and likewise for others.

    >>> cg.gather(cg.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, cg.tensor([[0], [1]]))
    tensor([[1.],
            [4.]])
    """
    return index_ops.gather(input, index, dim=dim)


@of_a_tensor
def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices of dim whose numbers stand in the 1-D index."""
    return index_ops.index_select(input, index, dim=dim)


@of_a_tensor
def scatter(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of input with src, a tensor or a number, written: y[index[i, j], j] = src[i, j] for dim 0, and likewise
    for others. Where a place is named twice, one of the values stands there."""
    return index_ops.scatter(input, index, src, dim=dim)


@of_a_tensor
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of input with src added: y[index[i, j], j] += src[i, j] for dim 0, and likewise for others."""
    return index_ops.scatter_add(input, index, src, dim=dim)


@of_a_tensor
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The axes from start_dim to end_dim as one.

    >>> cg.flatten(cg.zeros(2, 3, 4), 1).shape
    (2, 12)
    """
    if input.ndim == 0:
        return shape.reshape(input, shape=(1,))
    first, last = checked_axis("flatten", start_dim, input.ndim), checked_axis("flatten", end_dim, input.ndim)
    if first > last:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    sizes = input.shape
    joined = 1
    for n in sizes[first : last + 1]:
        joined *= n
    return shape.reshape(input, shape=(*sizes[:first], joined, *sizes[last + 1 :]))


@of_a_tensor
def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> Any:
    """One axis as several; one of the sizes may be −1."""
    axis = checked_axis("unflatten", dim, input.ndim)
    inner = shape.whole_shape(sizes, input.shape[axis])
    if inner is None:
        raise RuntimeError(f"unflatten: sizes {tuple(sizes)} do not make {input.shape[axis]}")
    return shape.reshape(input, shape=(*input.shape[:axis], *inner, *input.shape[axis + 1 :]))


@of_a_tensor
def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Two axes exchanged: a view."""
    order = list(range(input.ndim))
    first, second = checked_axis("transpose", dim0, input.ndim), checked_axis("transpose", dim1, input.ndim)
    if order:
        order[first], order[second] = second, first
    return shape.permute(input, dims=order)


swapaxes = transpose


@of_a_tensor
def t(input: Any) -> Any:
    """A matrix transposed; fewer dimensions stay as they are."""
    if input.ndim > 2:
        raise RuntimeError(f"t: input must have at most 2 dimensions, got shape {tuple(input.shape)}")
    return transpose(input, 0, 1) if input.ndim == 2 else input


@of_a_tensor
def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Axes moved to new places, the others in their order: a view."""
    pairs = [d if isinstance(d, (tuple, list)) else (d,) for d in (source, destination)]
    sources, targets = ([checked_axis("movedim", d, input.ndim) for d in dims] for dims in pairs)
    if len(sources) != len(targets) or len(set(sources)) < len(sources) or len(set(targets)) < len(targets):
        raise RuntimeError(f"movedim: source {source} and destination {destination} must name as many axes, each once")
    rest = iter([i for i in range(input.ndim) if i not in sources])
    moved = dict(zip(targets, sources))
    return shape.permute(input, dims=[moved[i] if i in moved else next(rest) for i in range(input.ndim)])


@of_a_tensor
def split(input: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Pieces along dim, of one size (the last may be smaller) or of the sizes in a list: views.

    >>> [p.shape for p in cg.split(cg.zeros(5, 2), 2)]
    [(2, 2), (2, 2), (1, 2)]
    """
    axis = checked_axis("split", dim, input.ndim)
    size = input.shape[axis]
    if isinstance(split_size_or_sections, (list, tuple)):
        sections = list(split_size_or_sections)
        if sum(sections) != size or any([n < 0 for n in sections]):
            raise RuntimeError(f"split: sizes {sections} do not add up to {size}, the size of dim {dim}")
    else:
        step = split_size_or_sections
        if step < 0 or (step == 0 and size):
            raise RuntimeError(f"split: the size of a piece must be positive, got {step}")
        sections = [builtins.min(step, size - i) for i in range(0, size, step)] if size else [0]
    ends = np.cumsum([0, *sections]).tolist()
    return tuple([narrow(input, axis, begin, end - begin) for begin, end in itertools.pairwise(ends)])


@of_a_tensor
def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most `chunks` pieces along dim, all but the last of one size: views."""
    if chunks < 1:
        raise RuntimeError(f"chunk: chunks must be at least 1, got {chunks}")
    size = input.shape[checked_axis("chunk", dim, input.ndim)]
    return split(input, -(-size // chunks) or 1, dim)


@of_a_tensor
def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """`length` slices of dim, from start on: a view."""
    axis = checked_axis("narrow", dim, input.ndim)
    size = input.shape[axis]
    first = start + size if start < 0 else start
    if not 0 <= first <= first + length <= size:
        raise RuntimeError(f"narrow: {length} slices from {start} on do not lie in dim {dim} of size {size}")
    return index_ops.getitem(input, key=(slice(None),) * axis + (slice(first, first + length),))


@of_a_tensor
def select(input: Any, dim: int, index: int) -> Any:
    """One slice of dim, without the axis: a view."""
    axis = checked_axis("select", dim, input.ndim)
    return input[(slice(None),) * axis + (index,)]


@of_a_tensor
def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """All slices of dim, without the axis: views."""
    return tuple([select(input, dim, i) for i in range(input.shape[checked_axis("unbind", dim, input.ndim)])])


@of_a_tensor
def tile(input: Any, dims: Sequence[int]) -> Any:
    """The whole tensor repeated along the last axes."""
    return shape.repeat(input, sizes=(1,) * (input.ndim - len(dims)) + tuple(dims))


@of_a_tensor
def broadcast_to(input: Any, size: Sequence[int]) -> Any:
    """input.expand(size): a view."""
    return shape.expand(input, size=tuple(size))


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """The coordinates of a grid: one tensor for each axis, from a 1-D tensor of places along it."""
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f"meshgrid: indexing must be ij or xy, got {indexing!r}")
    axes = list(tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors)
    if not all([isinstance(x, Value) for x in axes]):
        raise TypeError(f"meshgrid: tensors are needed, got {', '.join([type(x).__name__ for x in axes])}")
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


@of_a_tensor
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """gather, with shapes broadcast beside dim; flattened without one."""
    if dim is None:
        return index_ops.gather(flatten(input), flatten(indices), dim=0)
    axis = checked_axis("take_along_dim", dim, input.ndim)
    beside = np.broadcast_shapes(
        tuple([1 if i == axis else n for i, n in enumerate(input.shape)]),
        tuple([1 if i == axis else n for i, n in enumerate(indices.shape)]),
    )
    wide = [(*beside[:axis], x.shape[axis], *beside[axis + 1 :]) for x in (input, indices)]
    return index_ops.gather(broadcast_to(input, wide[0]), broadcast_to(indices, wide[1]), dim=axis)


def _product(name: str, input: Any, other: Any, dims: tuple[int, int]) -> Any:
    if (input.ndim, other.ndim) != dims:
        raise RuntimeError(
            f"{name}: operands must have {dims[0]} and {dims[1]} dimensions, "
            f"got shapes {tuple(input.shape)} and {tuple(other.shape)}"
        )
    return linear.matmul(input, other)


@of_a_tensor
def mm(input: Any, mat2: Any) -> Any:
    """The product of two matrices."""
    return _product("mm", input, mat2, (2, 2))


@of_a_tensor
def mv(input: Any, vec: Any) -> Any:
    """The product of a matrix and a vector."""
    return _product("mv", input, vec, (2, 1))


@of_a_tensor
def bmm(input: Any, mat2: Any) -> Any:
    """The products of two batches of matrices."""
    if input.shape[:1] != mat2.shape[:1]:
        raise RuntimeError(f"bmm: batches differ, shapes {tuple(input.shape)} and {tuple(mat2.shape)}")
    return _product("bmm", input, mat2, (3, 3))


@of_a_tensor
def dot(input: Any, tensor: Any) -> Any:
    """Σ input·tensor of two vectors."""
    return _product("dot", input, tensor, (1, 1))


@of_a_tensor
def outer(input: Any, vec2: Any) -> Any:
    """input[i]·vec2[j]"""
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: operands must be vectors, got shapes {tuple(input.shape)} and {tuple(vec2.shape)}")
    return shape.unsqueeze(input, dim=1) * vec2


@of_a_tensor
def var_mean(input: Any, dim: Any = None, *, correction: float = 1, keepdim: bool = False) -> tuple[Any, Any]:
    """(variance, mean) over dim."""
    variance = reduce.var(input, dim=dim, correction=correction, keepdim=keepdim)
    return variance, reduce.mean(input, dim=dim, keepdim=keepdim)


@of_a_tensor
def std_mean(input: Any, dim: Any = None, *, correction: float = 1, keepdim: bool = False) -> tuple[Any, Any]:
    """(standard deviation, mean) over dim."""
    deviation = reduce.std(input, dim=dim, correction=correction, keepdim=keepdim)
    return deviation, reduce.mean(input, dim=dim, keepdim=keepdim)


@of_a_tensor
def numel(input: Any) -> int:
    """How many numbers it holds."""
    return int(input.array.size)


@of_a_tensor
def isclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """|input − other| ≤ atol + rtol·|other|, elementwise."""
    return type(input)(recording.produced(np.isclose, input.array, other.array, rtol, atol, equal_nan))


@of_a_tensor
def allclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether isclose holds everywhere."""
    recording.reading("allclose")
    return bool(np.allclose(input.array, other.array, rtol, atol, equal_nan))


@of_a_tensor
def equal(input: Any, other: Any) -> bool:
    """Whether two tensors have the same shape and numbers."""
    recording.reading("equal")
    return np.array_equal(input.array, other.array)
